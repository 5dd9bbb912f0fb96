"""The two data sets that a comparison runs on when it is given none."""

from sklearn.datasets import load_digits

from sklcnn.datasets import make_dsd
from sklcnn.studies.plan import make_plan

__all__ = ["embedded_plans"]


def embedded_plans(**options):
    """Return plans for the Dynamic Signal Distribution and for scikit-learn's digits.

    Parameters
    ----------
    **options : dict
        Arguments of :func:`sklcnn.studies.plan.make_plan`; those that are None take the value that
        suits the data.

    Returns
    -------
    plans : list of Plan
        One per data set.

    Examples
    --------
    >>> from sklcnn.studies.embedded import embedded_plans
    >>> [plan.name for plan in embedded_plans(sizes=[50], repeats=1)]
    ['DSD', 'digits']
    """
    given = {key: value for key, value in options.items() if value is not None}
    signals, signs = make_dsd(
        n_samples=12_000, n_patches=10, patch_size=20, noise=0.25, random_state=0
    )
    images, digits = load_digits(return_X_y=True)
    for_dsd = {
        "name": "DSD",
        "patch_size": 20,
        "stride": 20,
        "sizes": (100, 200, 400, 800, 1600, 3200),
    }
    for_digits = {
        "name": "digits",
        "input_shape": (8, 8),
        "sizes": (50, 100, 200, 400, 800),
    }
    return [
        make_plan(signals, signs, **for_dsd | given),
        make_plan(images, digits, **for_digits | given),
    ]
