"""Words for numbers: factors as text, and one hedged sentence for each ingredient."""

from itertools import groupby

__all__ = ["control_sentence", "factor_text", "interval_text", "verdict_sentence"]

_NO_CHANGE = 0.01  # a mean change of the accuracy that nobody would call a change
_LITTLE = 1.25  # a factor that is not worth the trouble of choosing an architecture


def factor_text(factor):
    """Return a factor as text, a bound where it is censored.

    Parameters
    ----------
    factor : Factor
        The factor.

    Returns
    -------
    text : str
        For example "2.3", "> 4.0", "< 0.25" or "neither learns".

    Examples
    --------
    >>> from sklcnn.studies.curves import Factor
    >>> from sklcnn.studies.verdicts import factor_text
    >>> factor_text(Factor(400, 4.0, 2.5, float("inf"), "more", "helps"))
    '> 4.0'
    """
    if factor.censored == "neither learns":
        return factor.censored
    return {"more": "> ", "less": "< ", "": ""}[factor.censored] + _number(factor.factor)


def interval_text(factor):
    """Return the interval of a factor as text.

    Parameters
    ----------
    factor : Factor
        The factor.

    Returns
    -------
    text : str
        For example "1.2 to 3.4" or "2.5 or more"; empty where there is none.

    Examples
    --------
    >>> from sklcnn.studies.curves import Factor
    >>> from sklcnn.studies.verdicts import interval_text
    >>> interval_text(Factor(400, 4.0, 2.5, float("inf"), "more", "helps"))
    '2.5 or more'
    """
    if factor.censored == "neither learns":
        return ""
    bounded_below, bounded_above = factor.low > 0, factor.high != float("inf")
    if bounded_below and bounded_above:
        return f"{_number(factor.low)} to {_number(factor.high)}"
    if bounded_below:
        return f"{_number(factor.low)} or more"
    return f"{_number(factor.high)} or less" if bounded_above else "open"


def verdict_sentence(ingredient, factors, permuted):
    """Return one sentence on what an ingredient does, as certain as the intervals allow.

    Parameters
    ----------
    ingredient : str
        Its name.
    factors, permuted : list of Factor
        Its factors on the data and on the data with permuted features, one per size.

    Returns
    -------
    sentence : str
        Where it helps, hurts or makes no clear difference, and whether a gain is owed to the
        arrangement of the features.

    Examples
    --------
    >>> from sklcnn.studies.curves import Factor
    >>> from sklcnn.studies.verdicts import verdict_sentence
    >>> little = Factor(50, 0.5, 0.3, 0.7, "", "hurts")
    >>> much = Factor(400, 2.5, 1.8, 3.0, "", "helps")
    >>> neutral = [Factor(n, 1.0, 0.8, 1.3, "", "unclear") for n in (50, 400)]
    >>> print(verdict_sentence("locality", [little, much], neutral))
    Locality hurts at n = 50 (without it 0.50 times the samples are enough) and helps at n = 400
    (without it 2.5 times the samples are needed); permuting the features takes the gain away.
    """
    effects = sorted({f.effect for f in factors}, key=[f.effect for f in factors].index)
    effects.sort(key="unclear".__eq__)  # what is known comes first
    parts = [_describe(effect, factors) for effect in effects]
    body = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"{ingredient[0].upper()}{ingredient[1:]} {body}{_origin(factors, permuted)}."


def control_sentence(mean, low, high, largest):
    """Return one sentence on the control: did the FCN notice that its features were permuted?

    Parameters
    ----------
    mean, low, high : float
        Mean change of its accuracy, permuted minus original, and the ends of its interval.
    largest : float
        Largest absolute change of the mean accuracy at one size.

    Returns
    -------
    sentence : str
        The change, and whether it is noise.

    Examples
    --------
    >>> from sklcnn.studies.verdicts import control_sentence
    >>> print(control_sentence(0.001, -0.002, 0.004, 0.006))
    Control: permuting the features changes the FCN's accuracy by +0.001 on average (-0.002 to
    +0.004; at one size by at most 0.006), which is noise, as it should be.
    """
    quiet = low <= 0 <= high or abs(mean) < _NO_CHANGE
    judgement = (
        "which is noise, as it should be"
        if quiet
        else "which is more than noise: take the other sentences with care"
    )
    return (
        f"Control: permuting the features changes the FCN's accuracy by {_signed(mean)} on average "
        f"({_signed(low)} to {_signed(high)}; at one size by at most {largest:.3f}), {judgement}."
    )


def _describe(effect, factors):
    """Say where an ingredient has an effect, and how large it is."""
    there = [f for f in factors if f.effect == effect]
    everywhere = len(there) == len(factors)
    there_only = f"at n = {_spans(factors, effect)}"
    if effect == "neither learns":
        where = "at any size" if everywhere else there_only
        return f"cannot be judged {where}, since neither network beats the majority class"
    if effect == "unclear":
        return f"makes no clear difference {'at any size' if everywhere else there_only}"
    at = "at every size" if everywhere else there_only
    little = all(1 / _LITTLE < f.factor < _LITTLE for f in there) and not there[0].censored
    enough = {"helps": "needed", "hurts": "enough"}[effect]
    return (
        f"{effect}{' a little' if little else ''} {at} "
        f"(without it {_range(there, effect)} samples are {enough})"
    )


def _origin(factors, permuted):
    """Say whether a gain survives when the features are permuted."""
    gains = [f.n for f in factors if f.effect == "helps"]
    kept = [f.n for f in permuted if f.effect == "helps" and f.n in gains]
    if not gains:
        return ""
    if not kept:
        return "; permuting the features takes the gain away"
    if kept == gains:
        return "; the gain outlives the permutation, so it is not owed to the features' arrangement"
    return f"; with permuted features a gain is left at n = {', '.join(f'{n:,}' for n in kept)}"


def _range(there, effect):
    """Give the factors from the weakest to the strongest, which may be a bound."""
    bound, strongest, weakest, word = {
        "helps": ("more", max, min, "more"),
        "hurts": ("less", min, max, "less"),
    }[effect]
    exact = [f.factor for f in there if f.censored != bound]
    bounds = [f.factor for f in there if f.censored == bound]
    extreme = strongest(exact + bounds)
    if not exact and extreme == 1.0:  # seen at the end of the sizes only
        return {"more": "more", "less": "fewer"}[word]
    end = (f"{word} than " if extreme in bounds else "") + _number(extreme)
    start = _number(weakest(exact)) if exact else _number(extreme)
    return f"{end} times the" if start == _number(extreme) else f"{start} to {end} times the"


def _spans(factors, effect):
    """Name the sizes with an effect, neighbors as a span."""
    runs = [
        [f.n for f in run] for key, run in groupby(factors, lambda f: f.effect) if key == effect
    ]
    spans = [f"{run[0]:,}" if len(run) == 1 else f"{run[0]:,} to {run[-1]:,}" for run in runs]
    return " and ".join(spans)


def _number(value):
    """Write a factor with two significant digits."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"


def _signed(change):
    """Write a change of accuracy; what rounds to zero has no sign."""
    text = f"{change:+.3f}"
    return "0.000" if text in ("+0.000", "-0.000") else text
