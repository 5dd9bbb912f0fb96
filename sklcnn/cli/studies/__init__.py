"""The verb ``study``: one file for each study."""

from sklcnn.cli.studies.beyond import add_beyond
from sklcnn.cli.studies.degrees import add_degrees
from sklcnn.cli.studies.dsd import add_dsd
from sklcnn.cli.studies.linear import add_linear
from sklcnn.cli.studies.patches import add_patches
from sklcnn.cli.studies.stability import add_stability

__all__ = ["add_study"]


def add_study(verbs):
    """Add the verb with all its studies.

    Parameters
    ----------
    verbs : argparse action
        Of the parser.
    """
    verb = verbs.add_parser(
        "study",
        help="repeat a study of the literature",
        description="Repeat a study of the literature. Prints tables and what they say and writes "
        "CSV files, a picture and report.html.",
    )
    studies = verb.add_subparsers(title="studies", metavar="STUDY", required=True)
    for add in (add_dsd, add_beyond, add_degrees, add_stability, add_patches, add_linear):
        add(studies)
