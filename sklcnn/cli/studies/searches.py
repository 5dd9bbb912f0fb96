"""Options of the studies that search for the samples needed."""

from sklcnn.cli.options import add_jobs, add_seed, whole
from sklcnn.cli.studies.running import add_quick

__all__ = ["add_search"]


def add_search(verb):
    """Add the options.

    Parameters
    ----------
    verb : argparse.ArgumentParser
        Gets them.
    """
    add = verb.add_argument
    add_quick(verb)
    add("--noise", type=float, metavar="SIGMA", help="standard deviation of the noise")
    add("--repeats", type=whole, metavar="N", help="signals and samples")
    add("--n-max", type=whole, metavar="N", help="largest number of samples tried")
    add_seed(verb)
    add_jobs(verb)
