"""Options that several verbs have, and what was given for them."""

import argparse

from sklcnn.cli.mistakes import UsageError

__all__ = [
    "add_input_shape",
    "add_jobs",
    "add_output",
    "add_seed",
    "check_numbers",
    "given",
    "whole",
]


def whole(text):
    """Read a whole number.

    Parameters
    ----------
    text : str
        What was typed.

    Returns
    -------
    number : int
        Of any sign.
    """
    try:
        return int(text)
    except ValueError:
        hint = "; DATA stands before the options" if "." in text else ""
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number{hint}") from None


def add_output(verb, directory):
    """Add the options of every verb that writes files.

    Parameters
    ----------
    verb : argparse.ArgumentParser
        Gets them.
    directory : str
        Default of ``--out``.
    """
    add = verb.add_argument
    add(
        "--out",
        metavar="DIR",
        default=directory,
        help="directory of the results (default: %(default)s)",
    )
    add("--overwrite", action="store_true", help="replace the results in an existing directory")
    add("--debug", action="store_true", help="show tracebacks")


def add_seed(verb):
    """Add ``--seed``.

    Parameters
    ----------
    verb : argparse.ArgumentParser
        Gets it.
    """
    text = "same seed, same results (default: 0)"
    verb.add_argument("--seed", type=whole, metavar="N", default=0, help=text)


def add_jobs(verb, text="processes (default: one a core, at most 8)"):
    """Add ``--jobs``.

    Parameters
    ----------
    verb : argparse.ArgumentParser
        Gets it.
    text : str, default="processes (default: one a core, at most 8)"
        What help says about it.
    """
    verb.add_argument("--jobs", type=whole, metavar="N", help=text)


def add_input_shape(verb, text):
    """Add ``--input-shape``.

    Parameters
    ----------
    verb : argparse.ArgumentParser
        Gets it.
    text : str
        What help says about it.
    """
    verb.add_argument("--input-shape", nargs="+", type=whole, metavar="N", help=text)


def given(arguments, *names):
    """Return those of the options that were given, and the seed.

    Parameters
    ----------
    arguments : argparse.Namespace
        What was typed.
    *names : str
        Options, without dashes.

    Returns
    -------
    values : dict
        By the name of the option; the seed is ``random_state``.
    """
    check_numbers(arguments)
    values = {name: getattr(arguments, name) for name in names}
    typed = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None
    }
    return typed | {"random_state": arguments.seed}


def check_numbers(arguments):
    """Refuse seeds and numbers of jobs that make no sense.

    Parameters
    ----------
    arguments : argparse.Namespace
        What was typed.
    """
    if arguments.seed < 0:
        raise UsageError(f"--seed: {arguments.seed} is negative")
    if arguments.jobs is not None and arguments.jobs < 1:
        raise UsageError(f"--jobs: {arguments.jobs} is not a positive whole number")
