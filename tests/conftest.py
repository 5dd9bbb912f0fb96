"""Settings that hold for the whole suite."""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # before scipy is imported
# Workers and the processes that they start would otherwise compete for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small networks are fastest with one thread."""
    torch.set_num_threads(1)
