"""The study ``beyond``: one assumption of the theorems changed at a time."""

from sklcnn.cli.options import add_output, given
from sklcnn.cli.studies.running import run_study
from sklcnn.cli.studies.searches import add_search

__all__ = ["add_beyond"]


def add_beyond(studies):
    """Add the study.

    Parameters
    ----------
    studies : argparse action
        Of the verb ``study``.
    """
    verb = studies.add_parser(
        "beyond",
        help="does their separation outlive the assumptions of the theorems?",
        description="Changes one assumption of the Dynamic Signal Distribution at a time and asks "
        "whether the separation of CNN, LCN and FCN persists, shrinks or vanishes.",
    )
    verb.set_defaults(run=_beyond)
    verb.add_argument(
        "--variants", nargs="+", metavar="NAME", help="such as xor or 'fixed place' (default: all)"
    )
    add_search(verb)
    add_output(verb, "sklcnn-study-beyond")


def _beyond(arguments):
    """Run the study."""
    from sklcnn.studies import beyond_report
    from sklcnn.studies.beyond import QUICK, beyond, check_beyond

    asked = given(arguments, "variants", "noise", "repeats", "n_max")
    asked = (QUICK if arguments.quick else {}) | asked
    return run_study(
        arguments,
        check=lambda: check_beyond(**asked),
        run=lambda n_jobs: beyond(**asked, n_jobs=n_jobs, verbose=True),
        make_report=beyond_report.make_report,
    )
