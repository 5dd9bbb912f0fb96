"""What a user did wrong, in one line."""

import argparse
from contextlib import contextmanager

__all__ = ["Parser", "UsageError", "mistakes_at"]


class UsageError(Exception):
    """A mistake of the user; its text is the line that is shown."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message):
        """Refuse what was typed.

        Parameters
        ----------
        message : str
            What is wrong with it.
        """
        raise UsageError(f"{message} ({self.prog} --help shows all options)")


@contextmanager
def mistakes_at(places):
    """Say at which place of the command the library found input to be wrong.

    Parameters
    ----------
    places : dict of str to str
        What a parameter of the library is called on the command line, if it is not the option of
        its name. Read when a mistake is found, so it may be filled until then.
    """
    from sklcnn.studies.tables import InvalidInputError

    try:
        yield
    except InvalidInputError as error:
        place = places.get(error.parameter, f"--{error.parameter.replace('_', '-')}")
        raise UsageError(f"{place}: {error.message}") from error
