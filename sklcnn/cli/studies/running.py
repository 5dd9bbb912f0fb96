"""What all studies do once they know what was asked for."""

from sklcnn.cli.console import open_console, show_tables
from sklcnn.cli.directories import claim
from sklcnn.cli.mistakes import UsageError

__all__ = ["add_quick", "run_study"]


def add_quick(verb):
    """Add ``--quick``.

    Parameters
    ----------
    verb : argparse.ArgumentParser
        Gets it.
    """
    verb.add_argument("--quick", action="store_true", help="in small, to see that it runs")


def run_study(arguments, run, make_report, check=None):
    """Check, run, save and show a study.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``jobs``, ``out`` and ``overwrite``.
    run : callable
        Takes the number of jobs and returns what was found.
    make_report : callable
        Takes what was found and returns a StudyReport.
    check : callable or None, default=None
        Raises a ValueError before anything is written if the study cannot be run.

    Returns
    -------
    status : int
        0.
    """
    from sklcnn.studies.fits import default_jobs

    try:
        if check is not None:
            check()
    except ValueError as error:
        raise UsageError(str(error)) from error
    directory = claim(arguments)
    try:
        found = run(arguments.jobs or default_jobs("cpu"))
        report = make_report(found)
        files = directory.save(report.files())
    finally:
        directory.release()
    console = open_console()
    show_tables(console, report.text_tables)
    for sentence in report.statements:
        console.print(f"- {sentence}")
    console.print(f"Written to {directory.path}: {', '.join(files)}")
    return 0
