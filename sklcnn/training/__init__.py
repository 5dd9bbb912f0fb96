"""The training loop: jobs in, trained modules out."""

from sklcnn.training.solvers import SGD, AbstractSolver, Adam, GradientDescent, make_solver
from sklcnn.training.trainer import (
    Job,
    Samples,
    Trained,
    make_net,
    outputs,
    resolve_device,
    train,
)

__all__ = [
    "SGD",
    "AbstractSolver",
    "Adam",
    "GradientDescent",
    "Job",
    "Samples",
    "Trained",
    "make_net",
    "make_solver",
    "outputs",
    "resolve_device",
    "train",
]
