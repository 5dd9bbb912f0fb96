"""The directory of the results, and what an interrupted study finds in it."""

from pathlib import Path

from sklcnn.cli.mistakes import UsageError

__all__ = ["add_resume", "claim", "resumable"]


def claim(arguments):
    """Make the directory of the results.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``out`` and ``overwrite``.

    Returns
    -------
    directory : ResultDirectory
        To be released in the end.
    """
    from sklcnn.studies.output import ResultDirectory

    directory = ResultDirectory(arguments.out)
    try:
        directory.claim(arguments.overwrite)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"--out: {arguments.out}: {reason}") from error
    return directory


def add_resume(verb):
    """Add ``--resume``.

    Parameters
    ----------
    verb : argparse.ArgumentParser
        Gets it.
    """
    text = "go on with what an interrupted study has finished"
    verb.add_argument("--resume", action="store_true", help=text)


def resumable(arguments, run, work="fits", file="checkpoint.csv"):
    """Let a study keep what it has finished, and say after Ctrl-C how to go on.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``out``, ``overwrite`` and ``resume``, which allows to write into the directory.
    run : callable
        Takes the number of jobs and the path of what holds finished work, a file or a folder.
    work : str, default="fits"
        What is kept, for the message.
    file : str, default="checkpoint.csv"
        Name of that file or folder in the directory of the results.

    Returns
    -------
    run : callable
        Takes the number of jobs; starts anew unless ``--resume`` was given.
    """
    checkpoint = Path(arguments.out, file)
    arguments.overwrite |= arguments.resume

    def run_on(n_jobs):
        if not arguments.resume:
            _forget(checkpoint)
        try:
            return run(n_jobs, checkpoint)
        except KeyboardInterrupt:
            message = f"interrupted; --resume goes on with the {work} in {checkpoint}"
            raise KeyboardInterrupt(message) from None

    return run_on


def _forget(checkpoint):
    """Remove a file of finished work, or such files from a folder; others stay."""
    if not checkpoint.is_dir():
        checkpoint.unlink(missing_ok=True)
        return
    for file in (*checkpoint.glob("*.csv"), *checkpoint.glob("*.part")):
        file.unlink()
