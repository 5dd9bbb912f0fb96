"""Operations on parameters, by one number or by a tensor of one number for each member."""

import torch

__all__ = ["add_scaled", "beside", "is_zero", "mix", "scale", "shift", "take"]


def take(number, rows):
    """Return the numbers of some members."""
    return number[rows] if torch.is_tensor(number) else number


def is_zero(number):
    """Whether it is one number, and that zero."""
    return not torch.is_tensor(number) and number == 0


def beside(number, tensor):
    """Give one number for each member the trailing axes of a tensor."""
    return number.reshape(-1, *[1] * (tensor.dim() - 1)) if number.dim() else number


# In place.


def add_scaled(targets, terms, factor):
    """Add ``factor * term``."""
    if torch.is_tensor(factor):
        for target, term in zip(targets, terms, strict=True):
            target.addcmul_(term, beside(factor, term))
    else:
        torch._foreach_add_(targets, terms, alpha=factor)


def mix(targets, terms, keep):
    """Move to ``keep * target + (1 - keep) * term``."""
    if torch.is_tensor(keep):
        for target, term in zip(targets, terms, strict=True):
            target.lerp_(term, beside(1 - keep, term))
    else:
        torch._foreach_lerp_(targets, terms, 1 - keep)


def scale(targets, factor):
    """Multiply."""
    if torch.is_tensor(factor):
        factor = [beside(factor, target) for target in targets]
    torch._foreach_mul_(targets, factor)


def shift(targets, term):
    """Add the number itself."""
    if torch.is_tensor(term):
        term = [beside(term, target) for target in targets]
    torch._foreach_add_(targets, term)
