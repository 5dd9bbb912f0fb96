"""The study ``dsd``: samples needed on the Dynamic Signal Distribution."""

from sklcnn.cli.options import add_output, given
from sklcnn.cli.studies.running import run_study
from sklcnn.cli.studies.searches import add_search

__all__ = ["add_dsd"]


def add_dsd(studies):
    """Add the study.

    Parameters
    ----------
    studies : argparse action
        Of the verb ``study``.
    """
    verb = studies.add_parser(
        "dsd",
        help="samples that CNN, LCN and FCN need on the Dynamic Signal Distribution",
        description="How many samples do CNN, LCN and FCN need on the Dynamic Signal Distribution "
        "(arXiv 2403.15707)? The defaults are the paper's protocol.",
    )
    verb.set_defaults(run=_dsd)
    add = verb.add_argument
    add(
        "--experiments",
        nargs="+",
        choices=["first", "patches", "size"],
        metavar="NAME",
        help="first (all estimators at one n), patches (over their number), size (of a patch)",
    )
    add(
        "--metrics",
        nargs="+",
        choices=["squared_risk", "error"],
        metavar="NAME",
        help="targets: squared_risk (the paper's; CNN and LCN), error (all estimators)",
    )
    add(
        "--selection",
        choices=["test", "validation"],
        help="what chooses learning rates: the test metric, as in the paper, or held-out samples",
    )
    add_search(verb)
    add_output(verb, "sklcnn-study-dsd")


def _dsd(arguments):
    """Run the study."""
    from sklcnn.studies import dsd, dsd_report

    names = ("experiments", "metrics", "noise", "repeats", "n_max", "selection")
    asked = given(arguments, *names)
    plan = dsd.DsdPlan.quick(**asked) if arguments.quick else dsd.DsdPlan(**asked)
    return run_study(
        arguments,
        check=lambda: dsd.check_plan(plan),
        run=lambda n_jobs: dsd.dsd_study(plan, n_jobs=n_jobs, verbose=True),
        make_report=dsd_report.make_report,
    )
