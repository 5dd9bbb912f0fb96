"""Numbers, intervals and hedged words for them."""

import numpy as np

__all__ = ["compared", "interval_text", "number_text"]


def number_text(value, digits=3):
    """Write a number with some significant digits.

    Parameters
    ----------
    value : float
        Any number.
    digits : int, default=3
        Significant digits.

    Returns
    -------
    text : str
        Without an exponent from one ten-thousandth to one million.

    Examples
    --------
    >>> from sklcnn.studies.stability.wording import number_text
    >>> [number_text(value) for value in (-0.45678, 12345, 3e-8, float("nan"))]
    ['−0.457', '12,300', '3e-08', '']
    """
    if np.isnan(value):
        return ""
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.10g}".replace("-", "−", int(value < 0))


def interval_text(mean, low, high, digits=3):
    """Write a mean with its interval, if there is one.

    Parameters
    ----------
    mean, low, high : float
        The ends are NaN where there is no interval.
    digits : int, default=3
        Significant digits.

    Returns
    -------
    text : str
        For example "1.2 [1.1, 1.3]".

    Examples
    --------
    >>> from sklcnn.studies.stability.wording import interval_text
    >>> interval_text(1.2, 1.1, 1.3), interval_text(1.2, float("nan"), float("nan"))
    ('1.2 [1.1, 1.3]', '1.2')
    """
    text = number_text(mean, digits)
    if np.isnan([low, high]).any():
        return text
    return f"{text} [{number_text(low, digits)}, {number_text(high, digits)}]"


def compared(low, high, value, below, above, undecided="undecided"):
    """Return the word for where an interval lies.

    Parameters
    ----------
    low, high : float
        Its ends; NaN where there is none, which decides nothing.
    value : float
        With what it is compared.
    below, above, undecided : str
        What to say if all of it is below, all above, or neither.

    Returns
    -------
    word : str
        One of the three.

    Examples
    --------
    >>> from sklcnn.studies.stability.wording import compared
    >>> compared(1.1, 1.3, 1.0, "better", "worse"), compared(0.9, 1.3, 1.0, "better", "worse")
    ('worse', 'undecided')
    """
    if high < value:
        return below
    return above if low > value else undecided
