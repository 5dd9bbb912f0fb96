"""How much slower is one fit than a hand-written torch loop, and than stock skorch?

Full-batch gradient descent on the Dynamic Signal Distribution (10 patches of 20 features), 500
epochs, 16 filters a patch, free readout, log-loss. The three competitors train the same
architecture on the same data for the same number of steps, take turns in one process, and are
compared by the median over repeats of the ratio within a turn.

* hand-written: what a researcher writes; tensors resident, patches cut once, torch.optim.SGD
* sklcnn: ``fit`` of the estimator, input checks and label encoding included
* skorch: ``skorch.NeuralNetClassifier`` as it comes, its validation split and its printing off

Run: ``python benchmarks/bench_single_fit.py [--repeats 9] [--threads 1]``
"""

import argparse
import platform
import statistics
import time

import numpy as np
import skorch
import torch
import torch.nn.functional as F
from torch import nn

from sklcnn import CNNClassifier, FCNClassifier, LCNClassifier
from sklcnn.datasets import make_dsd

N_PATCHES, PATCH_SIZE, N_FILTERS, EPOCHS, RATE = 10, 20, 16, 500, 0.1


class Hidden(nn.Module):
    """A hidden layer in the form that is fastest for the family, and the readout."""

    def __init__(self, family):
        super().__init__()
        self.family = family
        if family == "FCN":
            self.hidden = nn.Linear(N_PATCHES * PATCH_SIZE, N_FILTERS)
        elif family == "CNN":
            self.hidden = nn.Linear(PATCH_SIZE, N_FILTERS)
        else:
            self.weight = nn.Parameter(torch.randn(N_PATCHES, PATCH_SIZE, N_FILTERS) * 0.3)
            self.bias = nn.Parameter(torch.zeros(N_PATCHES, 1, N_FILTERS))
        n_responses = N_FILTERS * (1 if family == "FCN" else N_PATCHES)
        self.readout = nn.Linear(n_responses, 1)

    def arrange(self, X):
        """Cut the patches once: FCN (n, features), CNN (n, patches, p), LCN (patches, n, p)."""
        if self.family == "FCN":
            return X
        patches = X.reshape(-1, N_PATCHES, PATCH_SIZE)
        return patches if self.family == "CNN" else patches.transpose(0, 1).contiguous()

    def forward(self, inputs):
        if self.family == "LCN":
            hidden = torch.baddbmm(self.bias, inputs, self.weight).transpose(0, 1)
        else:
            hidden = self.hidden(inputs)
        return self.readout(torch.relu(hidden).flatten(1))[:, 0]


class OnRows(Hidden):
    """The same network for stock skorch, which wants samples on the first axis."""

    def forward(self, X):
        return torch.stack([torch.zeros(len(X)), super().forward(self.arrange(X))], dim=1)


def fit_by_hand(family, X, y):
    """The loop that a researcher writes."""
    network = Hidden(family)
    inputs = network.arrange(torch.from_numpy(X))
    target = torch.from_numpy(y.astype(np.float32))
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE)
    losses = []
    for _ in range(EPOCHS):
        optimizer.zero_grad()
        loss = F.softplus(-target * network(inputs)).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def fit_sklcnn(family, X, y):
    """Ours, from the public face."""
    common = {"solver": "gd", "learning_rate_init": RATE, "max_iter": EPOCHS, "tol": None}
    common |= {"alpha": 0.0, "device": "cpu"}
    if family == "FCN":
        network = FCNClassifier(N_FILTERS, **common)
    else:
        local = LCNClassifier if family == "LCN" else CNNClassifier
        network = local(N_FILTERS, PATCH_SIZE, PATCH_SIZE, **common)
    return network.fit(X, y).loss_curve_


def fit_skorch(family, X, y):
    """Stock skorch with full batches of all samples."""
    net = skorch.NeuralNetClassifier(
        OnRows(family),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        lr=RATE,
        max_epochs=EPOCHS,
        batch_size=-1,
        train_split=None,
        verbose=0,
    )
    return net.fit(X, (y > 0).astype(np.int64)).history[:, "train_loss"]


CONTESTANTS = {"by hand": fit_by_hand, "sklcnn": fit_sklcnn, "skorch": fit_skorch}


def race(family, n_samples, repeats):
    """Seconds of every contestant in every turn, and the last losses."""
    X, y = make_dsd(
        n_samples=n_samples, n_patches=N_PATCHES, patch_size=PATCH_SIZE, noise=0.25, random_state=0
    )
    X = X.astype(np.float32)
    seconds = {name: [] for name in CONTESTANTS}
    for turn in range(repeats + 1):
        for name, fit in CONTESTANTS.items():
            begin = time.perf_counter()
            losses = fit(family, X, y)
            if turn:  # the first turn warms up
                seconds[name].append(time.perf_counter() - begin)
            assert len(losses) == EPOCHS
            assert losses[-1] < losses[0]
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    print(
        f"torch {torch.__version__}, skorch {skorch.__version__}, {platform.processor() or 'cpu'}, "
        f"{arguments.threads} thread(s), medians of {arguments.repeats} turns"
    )
    print("family     n   by hand   sklcnn   skorch   sklcnn/by hand   skorch/sklcnn")
    for family in ("FCN", "LCN", "CNN"):
        for n_samples in (50, 200, 1000):
            seconds = race(family, n_samples, arguments.repeats)
            hand, ours, stock = seconds.values()
            median = {name: 1e3 * statistics.median(times) for name, times in seconds.items()}
            slower = statistics.median(a / b for a, b in zip(ours, hand, strict=True))
            faster = statistics.median(a / b for a, b in zip(stock, ours, strict=True))
            print(
                f"{family:6} {n_samples:5} {median['by hand']:6.0f} ms {median['sklcnn']:5.0f} ms "
                f"{median['skorch']:5.0f} ms {slower:16.2f} {faster:15.1f}"
            )


if __name__ == "__main__":
    main()
