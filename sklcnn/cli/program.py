"""The program: its verbs, and with which status it ends."""

import argparse
import sys
import traceback

from sklcnn import __version__
from sklcnn.cli.compare import add_compare
from sklcnn.cli.info import add_info
from sklcnn.cli.mistakes import Parser, UsageError
from sklcnn.cli.studies import add_study

__all__ = ["main"]


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
    except UsageError as error:
        return _fail(str(error), 2, arguments)
    except KeyboardInterrupt as interrupt:
        return _fail(str(interrupt) or "interrupted", 130, arguments)
    except Exception as error:
        said = f"unexpected {type(error).__name__}: {error}".splitlines()[0]
        return _fail(f"{said} (--debug shows where)", 1, arguments)


def _fail(line, status, arguments):
    """Write one line to standard error, after the traceback if one is wanted."""
    if arguments.debug:
        traceback.print_exc()
    sys.stderr.write(f"sklcnn: {line}\n")
    return status


def _parser():
    parser = Parser(
        prog="sklcnn",
        description="Fully connected, locally connected and convolutional networks.",
    )
    parser.add_argument("--version", action="version", version=f"sklcnn {__version__}")
    parser.set_defaults(run=lambda _: parser.print_help() or 0)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")
    for add_verb in (add_compare, add_study, add_info):
        add_verb(verbs)
    return parser
