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


def run_study(arguments, run, save, report, check=None):
    """Check, run, save and show a study.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``jobs``, ``out`` and ``overwrite``.
    run : callable
        Takes the number of jobs and returns what was found.
    save : callable
        Takes the directory and what was found, and returns the names of the files.
    report : module
        With ``statements`` and ``text_tables`` of what was found.
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
        files = save(directory, found)
    finally:
        directory.release()
    console = open_console()
    show_tables(console, report.text_tables(found))
    for sentence in report.statements(found):
        console.print(f"- {sentence}")
    console.print(f"Written to {directory.path}: {', '.join(files)}")
    return 0
