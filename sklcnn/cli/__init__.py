"""The command ``sklcnn``: what is typed in, what is shown, and what a mistake is answered with.

A verb is a file with a function that adds it to the parser and one that runs it; a study is such a
file in ``sklcnn.cli.studies``. Only the functions that run import the library, so that help and
mistakes are answered at once.
"""

from sklcnn.cli.program import main

__all__ = ["main"]
