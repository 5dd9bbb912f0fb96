"""Settings that hold for the whole suite."""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # before scipy is imported

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small networks are fastest with one thread."""
    torch.set_num_threads(1)
