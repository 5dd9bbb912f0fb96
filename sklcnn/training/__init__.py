"""The training loop: jobs in, trained modules out."""

from sklcnn.training.backend import fit_many, fleet, train_one
from sklcnn.training.batches import outputs
from sklcnn.training.curvature import SharpnessRecorder
from sklcnn.training.descent import BacktrackingDescent, NormalizedDescent
from sklcnn.training.devices import resolve_device
from sklcnn.training.jobs import Job, Samples, Trained
from sklcnn.training.prox_linear import ProxLinearDescent
from sklcnn.training.running import train
from sklcnn.training.solvers import (
    SGD,
    SOLVERS,
    AbstractSolver,
    Adam,
    GradientDescent,
    TwoStep,
    make_solver,
)
from sklcnn.training.stacks import make_stack
from sklcnn.training.trainer import make_net
from sklcnn.training.translation import Translation

__all__ = [
    "SGD",
    "SOLVERS",
    "AbstractSolver",
    "Adam",
    "BacktrackingDescent",
    "GradientDescent",
    "Job",
    "NormalizedDescent",
    "ProxLinearDescent",
    "Samples",
    "SharpnessRecorder",
    "Trained",
    "Translation",
    "TwoStep",
    "fit_many",
    "fleet",
    "make_net",
    "make_solver",
    "make_stack",
    "outputs",
    "resolve_device",
    "train",
    "train_one",
]
