"""The study ``degrees``: the plane of locality and weight sharing."""

from sklcnn.cli.directories import add_resume, resumable
from sklcnn.cli.mistakes import mistakes_at
from sklcnn.cli.options import add_input_shape, add_jobs, add_output, add_seed, given, whole
from sklcnn.cli.studies.running import add_quick, run_study

__all__ = ["add_degrees"]


def add_degrees(studies):
    """Add the study.

    Parameters
    ----------
    studies : argparse action
        Of the verb ``study``.
    """
    verb = studies.add_parser(
        "degrees",
        help="how much locality, how much weight sharing?",
        description="Accuracy over the plane between fully connected, locally connected and "
        "convolutional networks: patch size and number of groups of patches that share filters.",
    )
    verb.set_defaults(run=_degrees)
    add = verb.add_argument
    add(
        "--data",
        metavar="FILE",
        help="NPZ with X_train, y_train, X_test and y_test, or with X and y; or CSV or Parquet "
        "(default: scikit-learn's digits and the DSD)",
    )
    add_input_shape(verb, "LENGTH, or HEIGHT WIDTH, or CHANNELS HEIGHT WIDTH (default: that of X)")
    add("--patch-sizes", nargs="+", type=whole, metavar="N", help="default: powers of two")
    add("--stride", type=whole, metavar="N", help="step between windows (default: 1)")
    add("--group-counts", nargs="+", type=whole, metavar="N", help="default: 1 4 16")
    add("--grouping", metavar="NAME", help="regions (default), tiled, rows, columns or random")
    add("--hidden", type=whole, metavar="N", help="hidden units (default: 576)")
    add("--sizes", nargs="+", type=whole, metavar="N", help="training samples")
    add("--repeats", type=whole, metavar="N", help="draws per size (default: 5)")
    add("--steps", type=whole, metavar="N", help="gradient steps of every fit (default: 500)")
    add_quick(verb)
    add_resume(verb)
    add_seed(verb)
    add_jobs(verb)
    add_output(verb, "sklcnn-study-degrees")


def _degrees(arguments):
    """Run the study."""
    from sklcnn.studies import degrees, degrees_report
    from sklcnn.training.progress import FitProgress

    plans = _plans(arguments)

    def run(n_jobs, checkpoint):
        with FitProgress(sum(plan.n_fits for plan in plans)) as progress:
            return [degrees.carry_out(plan, progress, n_jobs, checkpoint) for plan in plans]

    return run_study(
        arguments, run=resumable(arguments, run), make_report=degrees_report.make_report
    )


def _plans(arguments):
    """Read and check everything that was asked for."""
    from sklcnn.studies.degrees_plan import make_degrees_plan
    from sklcnn.studies.degrees_report import QUICK, embedded_data, read_data

    names = ("input_shape", "patch_sizes", "stride", "group_counts", "grouping", "sizes", "repeats")
    asked = given(arguments, *names)
    options = {"n_hidden": arguments.hidden, "n_steps": arguments.steps}
    asked |= {name: value for name, value in options.items() if value is not None}
    places = {"random_state": "--seed", "n_hidden": "--hidden", "n_steps": "--steps"}
    places |= dict.fromkeys(("X", "y", "X_test", arguments.data), arguments.data)
    with mistakes_at(places):
        if arguments.data is None:
            data = embedded_data(arguments.quick)
        else:
            data = [read_data(arguments.data)]
        quick = QUICK if arguments.quick else {}
        return [make_degrees_plan(**quick | one | asked) for one in data]
