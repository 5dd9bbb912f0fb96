"""The study ``linear``: where gradient descent takes linear networks."""

from sklcnn.cli.mistakes import mistakes_at
from sklcnn.cli.options import add_input_shape, add_output, add_seed, given, whole
from sklcnn.cli.studies.running import add_quick, run_study

__all__ = ["add_linear"]

_OPTIONS = {"samples": "n_samples", "depths": "depths", "input_shape": "input_shape"}
_OPTIONS |= {"power": "min_power", "waking_gap": "min_waking"}


def add_linear(studies):
    """Add the study.

    Parameters
    ----------
    studies : argparse action
        Of the verb ``study``.
    """
    verb = studies.add_parser(
        "linear",
        help="which margin do linear networks make large?",
        description="Full, convolutional and diagonal linear networks of several depths on the "
        "same samples, beside predictors of largest margin in the norms that theory has for them "
        "(arXiv 1806.00468).",
    )
    verb.set_defaults(run=_linear, jobs=None)  # one fleet
    add = verb.add_argument
    add("--depths", nargs="+", type=whole, metavar="N", help="layers (default: 1 2 3 4)")
    add_input_shape(verb, "LENGTH of a signal, or HEIGHT WIDTH of an image (default: 12)")
    add("--samples", type=whole, metavar="N", help="samples (default: 4)")
    drawn = "samples are drawn until their {} is as large (default: {})"
    add("--power", type=float, metavar="POWER", help=drawn.format("power of convergence", 0.3))
    add("--waking-gap", type=float, metavar="GAP", help=drawn.format("waking gap", 0.5))
    add_quick(verb)
    add_seed(verb)
    add_output(verb, "sklcnn-study-linear")


def _linear(arguments):
    """Run the study."""
    from sklcnn.studies.linear import report
    from sklcnn.studies.linear.study import carry_out, prepare

    asked = {_OPTIONS.get(name, name): value for name, value in given(arguments, *_OPTIONS).items()}
    quick = report.QUICK if arguments.quick else {}
    places = {name: f"--{option.replace('_', '-')}" for option, name in _OPTIONS.items()}
    with mistakes_at(places):
        plan = prepare(verbose=True, **quick | asked)
    return run_study(
        arguments,
        run=lambda n_jobs: carry_out(plan, verbose=True),
        make_report=report.make_report,
    )
