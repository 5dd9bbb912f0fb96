"""The verb ``compare``: four networks on the user's data."""

from sklcnn.cli.console import open_console, show_tables
from sklcnn.cli.directories import claim
from sklcnn.cli.mistakes import mistakes_at
from sklcnn.cli.options import (
    add_input_shape,
    add_jobs,
    add_output,
    add_seed,
    check_numbers,
    whole,
)

__all__ = ["add_compare"]


def add_compare(verbs):
    """Add the verb.

    Parameters
    ----------
    verbs : argparse action
        Of the parser.
    """
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
    add_input_shape(verb, "LENGTH, or HEIGHT WIDTH, or CHANNELS HEIGHT WIDTH (default: a signal)")
    add("--patch-size", type=whole, metavar="N", help="side of a window (default: 3)")
    add("--stride", type=whole, metavar="N", help="step between windows (default: 1)")
    add(
        "--sizes",
        nargs="+",
        type=whole,
        metavar="N",
        help="training samples (default: log-spaced)",
    )
    add("--repeats", type=whole, metavar="N", default=5, help="draws per size (default: 5)")
    add("--steps", type=whole, metavar="N", help="gradient steps of every fit (default: 250)")
    add_seed(verb)
    add("--device", default="auto", help="auto (default), cpu, cuda, cuda:1 or mps")
    add_jobs(
        verb,
        "stacks of fits, or fits, in processes side by side (default: one stack after the "
        "other on all cores; with --no-fleet one fit a core, at most 8)",
    )
    add("--no-fleet", action="store_true", help="train fits one by one instead of in stacks")
    add_output(verb, "sklcnn-compare")


def _compare(arguments):
    """Run the verb."""
    from sklcnn.studies.compare import carry_out
    from sklcnn.studies.fits import default_jobs
    from sklcnn.studies.report import save, save_unfinished
    from sklcnn.training.progress import FitProgress

    plans = _plans(arguments)
    n_jobs = arguments.jobs
    if n_jobs is None and arguments.no_fleet:
        n_jobs = default_jobs(arguments.device)
    directory = claim(arguments)

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


def _plans(arguments):
    """Read and check everything that was asked for."""
    from sklcnn.studies.embedded import embedded_plans
    from sklcnn.studies.plan import make_plan
    from sklcnn.studies.tables import InvalidInputError, read_table

    check_numbers(arguments)
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
    with mistakes_at(places):
        if arguments.data is None:
            for name in [*given, *(["target"] if arguments.target is not None else [])]:
                raise InvalidInputError(name, "needs DATA; the embedded data have their own")
            return embedded_plans(**common)
        table = read_table(arguments.data, arguments.target)
        places |= {"X": arguments.data, "y": f"{arguments.data}: '{table.target}'"}
        names = {"name": table.name, "columns": table.columns}
        return [make_plan(table.X, table.y, **names, **given, **common)]


def _show(comparisons, path):
    """Print tables and verdicts."""
    from sklcnn.studies.report import text_tables

    console = open_console()
    for comparison in comparisons:
        show_tables(console, text_tables(comparison))
    for comparison in comparisons:
        console.print(f"{comparison.name}:", style="bold")
        for sentence in [*comparison.verdicts.values(), comparison.control]:
            console.print(f"  {sentence}")
        console.print()
    console.print(f"Written to {path}: results.csv, curves.png, report.html")
