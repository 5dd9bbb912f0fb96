"""The command ``sklcnn``: what is typed in, what is shown, and what a mistake is answered with."""

import argparse
import sys
import traceback
from importlib import metadata
from pathlib import Path

from sklcnn import __version__

__all__ = ["main"]

PACKAGES = ("torch", "scikit-learn", "skorch", "numpy", "scipy", "pandas", "joblib", "matplotlib")


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    status : int
        0 on success, 2 for bad input, 130 after Ctrl-C, 1 if the program is to blame.

    Examples
    --------
    >>> from sklcnn.cli import main
    >>> main(["compare", "nowhere.csv"])
    2
    """
    arguments = argparse.Namespace(debug=False)
    try:
        _parser().parse_args(argv, arguments)
        return arguments.run(arguments)
    except _UsageError as error:
        return _fail(str(error), 2, arguments)
    except KeyboardInterrupt as interrupt:
        return _fail(str(interrupt) or "interrupted", 130, arguments)
    except Exception as error:
        said = f"unexpected {type(error).__name__}: {error}".splitlines()[0]
        return _fail(f"{said} (--debug shows where)", 1, arguments)


class _UsageError(Exception):
    """A mistake of the user; its text is the line that is shown."""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message):
        raise _UsageError(f"{message} ({self.prog} --help shows all options)")


def _fail(line, status, arguments):
    """Write one line to standard error, after the traceback if one is wanted."""
    if arguments.debug:
        traceback.print_exc()
    sys.stderr.write(f"sklcnn: {line}\n")
    return status


def _parser():
    parser = _Parser(
        prog="sklcnn",
        description="Fully connected, locally connected and convolutional networks.",
    )
    parser.add_argument("--version", action="version", version=f"sklcnn {__version__}")
    parser.set_defaults(run=lambda _: parser.print_help() or 0)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    _add_compare(verbs)
    _add_study(verbs)
    info = verbs.add_parser("info", help="show versions and devices")
    info.set_defaults(run=_info)
    return parser


def _add_compare(verbs):
    verb = verbs.add_parser(
        "compare",
        help="which inductive bias does my data want, and how many samples is it worth?",
        description="Compare four networks that differ by one ingredient at a time: locality, "
        "sharing, translation invariance. Prints what each is worth in samples and writes "
        "results.csv, curves.png and report.html.",
    )
    verb.set_defaults(run=_compare)
    add = verb.add_argument
    add(
        "data",
        nargs="?",
        metavar="DATA",
        help="CSV or Parquet file, or NPZ with X and y; without it, two embedded data sets",
    )
    add("--target", metavar="NAME", help="column of the labels (default: the last)")
    add(
        "--input-shape",
        nargs="+",
        type=_whole,
        metavar="N",
        help="LENGTH, or HEIGHT WIDTH, or CHANNELS HEIGHT WIDTH (default: a signal)",
    )
    add("--patch-size", type=_whole, metavar="N", help="side of a window (default: 3)")
    add("--stride", type=_whole, metavar="N", help="step between windows (default: 1)")
    add(
        "--sizes",
        nargs="+",
        type=_whole,
        metavar="N",
        help="training samples (default: log-spaced)",
    )
    add("--repeats", type=_whole, metavar="N", default=5, help="draws per size (default: 5)")
    add("--steps", type=_whole, metavar="N", help="gradient steps of every fit (default: 250)")
    add("--seed", type=_whole, metavar="N", default=0, help="same seed, same results (default: 0)")
    add("--device", default="auto", help="auto (default), cpu, cuda, cuda:1 or mps")
    add(
        "--jobs",
        type=_whole,
        metavar="N",
        help="stacks of fits, or fits, in processes side by side (default: one stack after the "
        "other on all cores; with --no-fleet one fit a core, at most 8)",
    )
    add("--no-fleet", action="store_true", help="train fits one by one instead of in stacks")
    _add_output(verb, "sklcnn-compare")


def _add_output(verb, directory):
    add = verb.add_argument
    add(
        "--out",
        metavar="DIR",
        default=directory,
        help="directory of the results (default: %(default)s)",
    )
    add("--overwrite", action="store_true", help="replace the results in an existing directory")
    add("--debug", action="store_true", help="show tracebacks")


def _add_study(verbs):
    verb = verbs.add_parser(
        "study",
        help="repeat a study of the literature",
        description="Repeat a study of the literature. Prints tables and what they say and writes "
        "CSV files, a picture and report.html.",
    )
    studies = verb.add_subparsers(title="studies", metavar="STUDY", required=True)
    _add_study_dsd(studies)
    _add_study_beyond(studies)
    _add_study_degrees(studies)


def _add_study_dsd(studies):
    verb = studies.add_parser(
        "dsd",
        help="samples that CNN, LCN and FCN need on the Dynamic Signal Distribution",
        description="How many samples do CNN, LCN and FCN need on the Dynamic Signal Distribution "
        "(arXiv 2403.15707)? The defaults are the paper's protocol.",
    )
    verb.set_defaults(run=_study_dsd)
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
    _add_search(verb)
    _add_output(verb, "sklcnn-study-dsd")


def _add_study_beyond(studies):
    verb = studies.add_parser(
        "beyond",
        help="does their separation outlive the assumptions of the theorems?",
        description="Changes one assumption of the Dynamic Signal Distribution at a time and asks "
        "whether the separation of CNN, LCN and FCN persists, shrinks or vanishes.",
    )
    verb.set_defaults(run=_study_beyond)
    verb.add_argument(
        "--variants", nargs="+", metavar="NAME", help="such as xor or 'fixed place' (default: all)"
    )
    _add_search(verb)
    _add_output(verb, "sklcnn-study-beyond")


def _add_study_degrees(studies):
    verb = studies.add_parser(
        "degrees",
        help="how much locality, how much weight sharing?",
        description="Accuracy over the plane between fully connected, locally connected and "
        "convolutional networks: patch size and number of groups of patches that share filters.",
    )
    verb.set_defaults(run=_study_degrees)
    add = verb.add_argument
    add(
        "--data",
        metavar="FILE",
        help="NPZ with X_train, y_train, X_test and y_test, or with X and y; or CSV or Parquet "
        "(default: scikit-learn's digits and the DSD)",
    )
    add(
        "--input-shape",
        nargs="+",
        type=_whole,
        metavar="N",
        help="LENGTH, or HEIGHT WIDTH, or CHANNELS HEIGHT WIDTH (default: that of X)",
    )
    add("--patch-sizes", nargs="+", type=_whole, metavar="N", help="default: powers of two")
    add("--stride", type=_whole, metavar="N", help="step between windows (default: 1)")
    add("--group-counts", nargs="+", type=_whole, metavar="N", help="default: 1 4 16")
    add("--grouping", metavar="NAME", help="regions (default), tiled, rows, columns or random")
    add("--hidden", type=_whole, metavar="N", help="hidden units (default: 576)")
    add("--sizes", nargs="+", type=_whole, metavar="N", help="training samples")
    add("--repeats", type=_whole, metavar="N", help="draws per size (default: 5)")
    add("--steps", type=_whole, metavar="N", help="gradient steps of every fit (default: 500)")
    add("--quick", action="store_true", help="in small, to see that it runs")
    add("--resume", action="store_true", help="go on with what an interrupted study has finished")
    add("--seed", type=_whole, metavar="N", default=0, help="same seed, same results (default: 0)")
    add("--jobs", type=_whole, metavar="N", help="processes (default: one a core, at most 8)")
    _add_output(verb, "sklcnn-study-degrees")


def _add_search(verb):
    add = verb.add_argument
    add("--quick", action="store_true", help="in small, to see that it runs")
    add("--noise", type=float, metavar="SIGMA", help="standard deviation of the noise")
    add("--repeats", type=_whole, metavar="N", help="signals and samples")
    add("--n-max", type=_whole, metavar="N", help="largest number of samples tried")
    add("--seed", type=_whole, metavar="N", default=0, help="same seed, same results (default: 0)")
    add("--jobs", type=_whole, metavar="N", help="processes (default: one a core, at most 8)")


def _whole(text):
    """Read a whole number."""
    try:
        return int(text)
    except ValueError:
        hint = "; DATA stands before the options" if "." in text else ""
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number{hint}") from None


def _compare(arguments):
    """Run the verb ``compare``."""
    from sklcnn.studies.compare import carry_out
    from sklcnn.studies.fits import default_jobs
    from sklcnn.studies.output import save, save_unfinished
    from sklcnn.training.progress import FitProgress

    plans = _plans(arguments)
    n_jobs = arguments.jobs
    if n_jobs is None and arguments.no_fleet:
        n_jobs = default_jobs(arguments.device)
    directory = _claim(arguments)

    finished = []
    try:
        with FitProgress(sum(plan.n_fits for plan in plans)) as progress:
            for plan in plans:
                finished.append(carry_out(plan, progress, n_jobs, not arguments.no_fleet))
        save(directory, finished)
    except KeyboardInterrupt as interrupt:
        n_rows = save_unfinished(directory, finished, getattr(interrupt, "results", None))
        where = directory.path / "results.csv"
        raise KeyboardInterrupt(f"interrupted; {n_rows} finished fits are in {where}") from None
    finally:
        directory.release()
    _show(finished, directory.path)
    return 0


def _claim(arguments):
    """Make the directory of the results."""
    from sklcnn.studies.output import ResultDirectory

    directory = ResultDirectory(arguments.out)
    try:
        directory.claim(arguments.overwrite)
    except OSError as error:
        reason = error.strerror or error
        raise _UsageError(f"--out: {arguments.out}: {reason}") from error
    return directory


def _study_dsd(arguments):
    """Run the study ``dsd``."""
    from sklcnn.studies import dsd, dsd_report
    from sklcnn.studies.output import save_dsd

    given = _given(arguments, "experiments", "metrics", "noise", "repeats", "n_max", "selection")
    plan = dsd.DsdPlan.quick(**given) if arguments.quick else dsd.DsdPlan(**given)
    return _study(
        arguments,
        check=lambda: dsd.check_plan(plan),
        run=lambda n_jobs: dsd.dsd_study(plan, n_jobs=n_jobs, verbose=True),
        save=save_dsd,
        report=dsd_report,
    )


def _study_beyond(arguments):
    """Run the study ``beyond``."""
    from sklcnn.studies import beyond_report
    from sklcnn.studies.beyond import QUICK, beyond, check_beyond
    from sklcnn.studies.output import save_beyond

    given = _given(arguments, "variants", "noise", "repeats", "n_max")
    given = (QUICK if arguments.quick else {}) | given
    return _study(
        arguments,
        check=lambda: check_beyond(**given),
        run=lambda n_jobs: beyond(**given, n_jobs=n_jobs, verbose=True),
        save=save_beyond,
        report=beyond_report,
    )


def _study_degrees(arguments):
    """Run the study ``degrees``."""
    from sklcnn.studies import degrees, degrees_report
    from sklcnn.studies.output import save_degrees
    from sklcnn.training.progress import FitProgress

    plans = _degrees_plans(arguments)
    checkpoint = Path(arguments.out, "checkpoint.csv")
    arguments.overwrite |= arguments.resume

    def run(n_jobs):
        if not arguments.resume:
            checkpoint.unlink(missing_ok=True)
        with FitProgress(sum(plan.n_fits for plan in plans)) as progress:
            try:
                return [degrees.carry_out(plan, progress, n_jobs, checkpoint) for plan in plans]
            except KeyboardInterrupt:
                message = f"interrupted; --resume goes on with the fits in {checkpoint}"
                raise KeyboardInterrupt(message) from None

    return _study(
        arguments,
        check=lambda: None,
        run=run,
        save=save_degrees,
        report=degrees_report,
    )


def _degrees_plans(arguments):
    """Read and check everything that was asked for."""
    from sklcnn.studies.degrees_plan import make_degrees_plan
    from sklcnn.studies.degrees_report import QUICK, embedded_data, read_data
    from sklcnn.studies.tables import InvalidInputError

    names = ("input_shape", "patch_sizes", "stride", "group_counts", "grouping", "sizes", "repeats")
    given = _given(arguments, *names)
    options = {"n_hidden": arguments.hidden, "n_steps": arguments.steps}
    given |= {name: value for name, value in options.items() if value is not None}
    places = {"random_state": "--seed", "n_hidden": "--hidden", "n_steps": "--steps"}
    places |= dict.fromkeys(("X", "y", "X_test", arguments.data), arguments.data)
    try:
        if arguments.data is None:
            data = embedded_data(arguments.quick)
        else:
            data = [read_data(arguments.data)]
        quick = QUICK if arguments.quick else {}
        return [make_degrees_plan(**quick | one | given) for one in data]
    except InvalidInputError as error:
        place = places.get(error.parameter, f"--{error.parameter.replace('_', '-')}")
        raise _UsageError(f"{place}: {error.message}") from error


def _given(arguments, *names):
    """Return those of the options that were given, and the seed."""
    _check_numbers(arguments)
    values = {name: getattr(arguments, name) for name in names}
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None
    }
    return given | {"random_state": arguments.seed}


def _study(arguments, check, run, save, report):
    """Check, run, save and show a study."""
    from sklcnn.studies.fits import default_jobs

    try:
        check()
    except ValueError as error:
        raise _UsageError(str(error)) from error
    directory = _claim(arguments)
    try:
        found = run(arguments.jobs or default_jobs("cpu"))
        files = save(directory, found)
    finally:
        directory.release()
    console = _console()
    _show_tables(console, report.text_tables(found))
    for sentence in report.statements(found):
        console.print(f"- {sentence}")
    console.print(f"Written to {directory.path}: {', '.join(files)}")
    return 0


def _plans(arguments):
    """Read and check everything that was asked for."""
    from sklcnn.studies.embedded import embedded_plans
    from sklcnn.studies.plan import make_plan
    from sklcnn.studies.tables import InvalidInputError, read_table

    _check_numbers(arguments)
    geometry = {name: getattr(arguments, name) for name in ("input_shape", "patch_size", "stride")}
    given = {name: value for name, value in geometry.items() if value is not None}
    common = {
        "sizes": arguments.sizes,
        "repeats": arguments.repeats,
        "n_steps": arguments.steps,
        "random_state": arguments.seed,
        "device": arguments.device,
    }
    places = {arguments.data: arguments.data, "random_state": "--seed"}
    try:
        if arguments.data is None:
            for name in [*given, *(["target"] if arguments.target is not None else [])]:
                raise InvalidInputError(name, "needs DATA; the embedded data have their own")
            return embedded_plans(**common)
        table = read_table(arguments.data, arguments.target)
        places |= {"X": arguments.data, "y": f"{arguments.data}: '{table.target}'"}
        names = {"name": table.name, "columns": table.columns}
        return [make_plan(table.X, table.y, **names, **given, **common)]
    except InvalidInputError as error:
        place = places.get(error.parameter, f"--{error.parameter.replace('_', '-')}")
        raise _UsageError(f"{place}: {error.message}") from error


def _check_numbers(arguments):
    """Refuse seeds and numbers of jobs that make no sense."""
    if arguments.seed < 0:
        raise _UsageError(f"--seed: {arguments.seed} is negative")
    if arguments.jobs is not None and arguments.jobs < 1:
        raise _UsageError(f"--jobs: {arguments.jobs} is not a positive whole number")


def _console():
    """Return where results are printed, wide enough for tables in a file."""
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = 100
    return console


def _show_tables(console, texts):
    """Print tables."""
    from rich.table import Table

    for text in texts:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in text.header:
            table.add_column(name, justify="left" if name == text.header[0] else "right")
        for row in text.rows:
            table.add_row(*row)
        console.print(text.title, style="bold")
        console.print(table, "")


def _show(comparisons, path):
    """Print tables and verdicts."""
    from sklcnn.studies.report import text_tables

    console = _console()
    for comparison in comparisons:
        _show_tables(console, text_tables(comparison))
    for comparison in comparisons:
        console.print(f"{comparison.name}:", style="bold")
        for sentence in [*comparison.verdicts.values(), comparison.control]:
            console.print(f"  {sentence}")
        console.print()
    console.print(f"Written to {path}: results.csv, curves.png, report.html")


def _info(_):
    """Run the verb ``info``."""
    from sklcnn.training import resolve_device

    def available(device):
        try:
            return bool(resolve_device(device))
        except ValueError:
            return False

    lines = [f"sklcnn {__version__}", f"Python {sys.version.split()[0]} on {sys.platform}"]
    lines += [f"{package} {metadata.version(package)}" for package in PACKAGES]
    devices = [device for device in ("cpu", "cuda", "mps") if available(device)]
    lines += [f"devices: {', '.join(devices)}; auto is {resolve_device('auto')}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
