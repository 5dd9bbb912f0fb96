"""What computes: the device, its threads, its smallest numbers."""

from contextlib import contextmanager

import torch

__all__ = ["denormals_flushed", "resolve_device", "threads"]


def resolve_device(device):
    """Return the torch device that a name stands for.

    Parameters
    ----------
    device : str
        "auto" is CUDA if there is one, else the CPU.

    Returns
    -------
    device : torch.device
        An available device.

    Raises
    ------
    ValueError
        If the name is not a device, or the device is not available here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={device!r} is not available ({reason}); use 'auto', 'cpu', 'cuda', 'cuda:1' "
            "or 'mps'."
        ) from error


@contextmanager
def threads(number):
    """Let torch use a number of threads in this one."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def denormals_flushed():
    """Round numbers below the normal range to zero: processors are many times slower on them.

    Moments of Adam and outputs of saturated losses pass through that range. The setting belongs to
    the thread, and is left as it was found.
    """
    tiny = torch.tensor(torch.finfo(torch.float32).tiny)
    before = (tiny / 2).item() == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
