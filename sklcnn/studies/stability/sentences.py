"""What held and what did not, as certain as the intervals allow."""

import numpy as np

from sklcnn.studies.intervals import t_interval
from sklcnn.studies.stability.wording import compared, interval_text, number_text

__all__ = ["bound_sentences", "flat_sentences", "images_sentences", "sphere_sentences"]

FAMILIES = ("FCN", "LCN", "CNN")
BELOW_EDGE = 1.02  # of the threshold, as in the published code
LEARNED = 0.01  # of the variance of the noise: a training loss at which the noise is learned
FLOOR_SHARE = 0.25  # of the gaps of a slope: where more are at the floor, no verdict


# the sphere


def sphere_sentences(study, ends):
    """Say how gap and excess go with samples, dimension and patch size.

    Parameters
    ----------
    study : StabilityStudy
        What was found.
    ends : DataFrame
        Averages after the last step, of this part.

    Returns
    -------
    sentences : list of str
        None without runs on the sphere.
    """
    results = study.results[study.results["part"] == "sphere"]
    if not len(ends):
        return [_edge_sentence("Sphere", results)] if len(results) else []
    return [
        *_slope_sentences(study.slopes),
        _floor_sentence(results),
        *_size_sentences(study.dimension_slopes, "d", "number of features"),
        *_size_sentences(study.patch_slopes, "m", "patch size"),
        *_excess_sentences(ends),
        _edge_sentence("Sphere", results),
        _settled_sentence(results),
    ]


def _slope_sentences(slopes):
    """One for each slope that theory bounds, and one for each other network."""
    slopes = slopes[(slopes["quantity"] == "gap") & slopes["slope"].notna()]
    for row in slopes[slopes["theory"] < 0].itertuples():
        yield (
            f"Sphere, {row.network}, {_patches_text(row)}, n = {row.n_min:,} to {row.n_max:,}: "
            f"{_power_text(row, 'n')}; {_verdict(row)}."
        )
    for network, rows in slopes[~(slopes["theory"] < 0)].groupby("network", sort=False):
        texts = [f"{_power_text(row, 'n')} at {_patches_text(row)}" for row in rows.itertuples()]
        theory = "theory has no guarantee that it falls"
        if rows["theory"].isna().all():
            theory = "theory has no bound"
        yield f"Sphere, {network}: {'; '.join(texts)}; {theory}."


def _verdict(row):
    """Say how a slope lies beside that of theory, unless the chance of samples makes it steep."""
    words = "steeper than", "less steep than", "undecided whether steeper than"
    word = compared(row.low, row.high, row.theory, *words)
    theory = f"the bound of theory, n^{number_text(row.theory)}"
    if word == "steeper than" and row.floor_share > FLOOR_SHARE:
        return (
            f"this is no verdict on {theory}, since {_percent(row.floor_share)} of these gaps are "
            "not above that of a constant predictor, which falls like n^−0.5 by the chance of the "
            "sample alone"
        )
    return f"{word} {theory}"


def _floor_sentence(results):
    """Count the gaps that the chance of their sample would explain."""
    known = results[results["gap"].notna()]
    low = (known["gap"] <= known["constant_gap"]).sum()
    chance = ": these may be the chance of a sample" if low else ""
    return (
        f"Sphere: {low} of {len(known)} gaps are not above that of a constant predictor, the mean "
        f"of the training targets, on the same samples{chance}."
    )


def _patches_text(row):
    """Say which patches of which dimension a row is about."""
    if row.patch_size == row.n_features:
        return f"{row.n_features:,} features"
    return f"{row.n_features:,} features, patches of {row.patch_size}"


def _power_text(row, symbol):
    """Say how a gap goes with a size."""
    word = compared(row.low, row.high, 0, "falls", "grows", "goes")
    doubt = " (undecided whether it falls or grows)" if word == "goes" else ""
    return f"the gap {word} like {symbol}^{interval_text(row.slope, row.low, row.high)}{doubt}"


def _size_sentences(slopes, symbol, name):
    """Say how gaps go with the dimension, or the patch size, at the smallest and the largest n."""
    known = (slopes["quantity"] == "gap") & slopes["slope"].notna()
    slopes = slopes[known & slopes["network"].isin(FAMILIES)]
    for network, rows in slopes.groupby("network", sort=False):
        for n in sorted({rows["n_samples"].min(), rows["n_samples"].max()}):
            row = next(rows[rows["n_samples"] == n].itertuples())
            low, high = (getattr(row, f"{symbol}_{end}") for end in ("min", "max"))
            place = f", {row.n_features:,} features" if symbol == "m" else ""
            yield (
                f"Sphere, {network}, n = {n:,}{place}, {name} {symbol} = {low:,} to {high:,}: "
                f"{_power_text(row, symbol)}."
            )


def _excess_sentences(ends):
    """Compare with the constant predictor: all of them, and each family at the largest n."""
    words = [
        compared(row.relative_excess_low, row.relative_excess_high, 1, "better", "worse")
        for row in ends.itertuples()
    ]
    yield (
        f"Sphere: beside the constant predictor, which has the variance of the target as its "
        f"excess risk, {words.count('better')} of {len(words)} networks and sizes are better, "
        f"{words.count('worse')} worse and {words.count('undecided')} undecided."
    )
    n = ends["n_samples"].max()
    for network, rows in ends[ends["n_samples"] == n].groupby("network", sort=False):
        texts = [
            f"{_interval_of(row, 'relative_excess')} ({_patches_text(row)})"
            for row in rows.itertuples()
        ]
        yield (
            f"Sphere, {network}, n = {n:,}: excess risk over the variance of the target "
            f"{'; '.join(texts)}."
        )


def _interval_of(row, name):
    """Write a mean of a row with its interval."""
    return interval_text(*(getattr(row, name + end) for end in ("", "_low", "_high")))


def _edge_sentence(name, results):
    """Count the runs that ended below the edge of stability, and those that did not end."""
    ended = results[np.isfinite(results["loss"])]
    if not len(ended):
        return f"{name}: all {len(results)} runs diverged."
    below = (ended["sharpness"] <= BELOW_EDGE * ended["threshold"]).sum()
    diverged = len(results) - len(ended)
    rest = f"; {diverged} of {len(results)} diverged" if diverged else ""
    return (
        f"{name}: {below} of {len(ended)} runs end at or below the edge of stability (sharpness at "
        f"most {BELOW_EDGE} times 2 / learning rate){rest}."
    )


def _settled_sentence(results):
    """Say how much the gap was still changing."""
    change = results["gap_change"].abs().median()
    return (
        f"Sphere: training ends after {results['step'].max():,} steps, not where it has settled; "
        f"between its last two milestones the gap changed by {number_text(100 * change)} % (median "
        "over runs)."
    )


# the patch-wise sphere


def flat_sentences(study, way, ends):
    """Say whether a network learns noise by heart below the edge, and what it is worth.

    Parameters
    ----------
    study : StabilityStudy
        What was found.
    way, ends : DataFrame
        Averages at all milestones and after the last step, of this part.

    Returns
    -------
    sentences : list of str
        None without such runs.
    """
    sentences = []
    results = study.results[study.results["part"] == "flat"]
    if len(ends):
        last = ends.iloc[0]
        sentences += [
            _learning_sentence(last, study.settings["flat"]["noise"]),
            _sharpness_sentence(last),
            _activation_sentence(way.sort_values("step"), last),
            _flat_excess_sentence(last),
        ]
    if len(results):
        sentences.append(_edge_sentence("Patch-wise sphere", results))
    if len(study.certificates):
        sentences += _certificate_sentences(study.certificates)
    return sentences


def _learning_sentence(last, noise):
    learned = ""
    if noise:
        word = "is learned by heart" if last["loss"] < LEARNED * noise**2 else "is not all learned"
        learned = f", the variance of the noise {number_text(noise**2)}: it {word}"
    return (
        f"Patch-wise sphere: after {last['step']:,} steps the training loss is {_of(last, 'loss')}"
        f"{learned}; the error to the clean targets of the training inputs is "
        f"{_of(last, 'clean_train_error')}."
    )


def _of(row, name):
    """Write a mean of a row that is a Series, with its interval."""
    return interval_text(*(row[name + end] for end in ("", "_low", "_high")))


def _sharpness_sentence(last):
    ratio = _of(last, "relative_sharpness")
    return (
        f"Patch-wise sphere: the sharpness ends at {_of(last, 'sharpness')}, which is {ratio} of "
        f"the edge of stability, {number_text(last['threshold'])}."
    )


def _activation_sentence(way, last):
    """Say how rarely filters are active: at the start, at the least and at the end."""
    rates = way["mean_activation_rate"]
    least = way.loc[rates.idxmin()]
    begin, low, end = (_percent(rate) for rate in (rates.iloc[0], rates.min(), rates.iloc[-1]))
    return (
        f"Patch-wise sphere: a filter is active on {begin} of the patches at step 0, on {low} at "
        f"the least, after step {least['step']:,}, and on {end} at the end, after step "
        f"{last['step']:,}; {_percent(last['dead_share'])} of the filters are active on none. "
        f"{_fall_text(way)}"
    )


def _fall_text(way):
    """Say by which step half of the fall of the activation rate was over, and what followed."""
    rates = way["mean_activation_rate"]
    if rates.min() == rates.iloc[0]:
        return "The rate was never below its start."
    half = way[rates <= (rates.iloc[0] + rates.min()) / 2].iloc[0]
    rose = ", and it rose after its least" if rates.iloc[-1] > rates.min() else ""
    return (
        f"Half of the fall was over after step {half['step']:,} of {way['step'].max():,}, at a "
        f"training loss of {number_text(half['loss'])}{rose}."
    )


def _percent(share):
    return f"{number_text(100 * share)} %"


def _flat_excess_sentence(last):
    return (
        f"Patch-wise sphere: the excess risk on test inputs is {_of(last, 'excess')}, "
        f"{_of(last, 'relative_excess')} times the variance of the target: {_constant_text(last)}."
    )


def _constant_text(row):
    """Say how a row compares with the constant predictor."""
    word = compared(row["relative_excess_low"], row["relative_excess_high"], 1, "better", "worse")
    if word == "undecided":
        word = "undecided whether better or worse"
    return f"{word} than the constant predictor"


def _certificate_sentences(found):
    """Say what the explicit flat interpolator shows."""
    below = (found["sharpness"] <= found["threshold"]).sum()
    within = (found["sharpness"] <= found["sharpness_bound"] + found["residual"]).sum()
    sharpness = t_interval(found["sharpness"].to_numpy(), logarithmic=True)
    excess = t_interval(found["relative_excess"].to_numpy(), logarithmic=True)
    yield (
        f"Explicit flat interpolator: training loss at most {number_text(found['loss'].max())}, "
        f"sharpness {interval_text(*sharpness)}; at or below the edge of stability in {below} of "
        f"{len(found)} repeats, within the bound of theory in {within} (largest bound "
        f"{number_text(found['sharpness_bound'].max())})."
    )
    ends = dict(zip(("relative_excess_low", "relative_excess_high"), excess[1:], strict=True))
    yield (
        f"Explicit flat interpolator: the excess risk on test inputs is {interval_text(*excess)} "
        f"times the variance of the target: {_constant_text(ends)}."
    )


# images


def images_sentences(study, ends):
    """Compare FCN and CNN on images, and both with the constant predictor.

    Parameters
    ----------
    study : StabilityStudy
        What was found.
    ends : DataFrame
        Averages after the last step, of this part.

    Returns
    -------
    sentences : list of str
        None without runs on images.
    """
    results = study.results[study.results["part"] == "images"]
    if not len(ends):
        return [_edge_sentence("Images", results)] if len(results) else []
    return [
        *_ratio_sentences(results),
        *(_images_excess_sentence(row) for _, row in ends.iterrows()),
        "Images: the teacher and the test images are the same in all repeats, so that intervals "
        "speak of training images, noise and initial weights only.",
        _edge_sentence("Images", results),
    ]


def _ratio(rows, quantity, of, over):
    """Return the geometric mean of ratios within repeats, with its interval."""
    pair = [rows[mask].set_index("repeat")[quantity] for mask in (of, over)]
    return t_interval((pair[0] / pair[1]).to_numpy(dtype=float), logarithmic=True)


def _ratio_sentences(results):
    is_fcn, is_cnn = (results["network"] == name for name in ("FCN", "CNN"))
    if not is_fcn.any() or not is_cnn.any():
        return
    ratio = _ratio(results, "excess", is_fcn, is_cnn)
    word = compared(*ratio[1:], 1, "the FCN is better", "the CNN is better", "undecided")
    sizes = [results.loc[mask, "n_parameters"].iloc[0] for mask in (is_fcn, is_cnn)]
    yield (
        f"Images: the excess risk of the FCN is {interval_text(*ratio)} times that of the CNN: "
        f"{word}. The FCN has {number_text(sizes[0] / sizes[1])} times the parameters."
    )


def _images_excess_sentence(row):
    return (
        f"Images, {row['network']}: excess risk {_of(row, 'excess')} beside a variance of the "
        f"target of {number_text(row['target_variance'])}, a ratio of "
        f"{_of(row, 'relative_excess')}: {_constant_text(row)}."
    )


# the bound


def bound_sentences(trajectories):
    """Say how often the weighted path norm was within its bound.

    Parameters
    ----------
    trajectories : DataFrame
        Of all parts.

    Returns
    -------
    sentences : list of str
        One, or none if it was never evaluated.
    """
    known = trajectories["bound_holds"].dropna().astype(float)
    if not len(known):
        return []
    return [
        f"All parts: the weighted path norm was within its bound by sharpness and training loss in "
        f"{int(known.sum()):,} of {len(known):,} measurements, at all steps; none is stated for "
        "filters that are not shared."
    ]
