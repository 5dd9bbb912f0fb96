"""The verb ``info``: versions and devices."""

import sys
from importlib import metadata

from sklcnn import __version__

__all__ = ["PACKAGES", "add_info"]

PACKAGES = ("torch", "scikit-learn", "skorch", "numpy", "scipy", "pandas", "joblib", "matplotlib")


def add_info(verbs):
    """Add the verb.

    Parameters
    ----------
    verbs : argparse action
        Of the parser.
    """
    verb = verbs.add_parser("info", help="show versions and devices")
    verb.set_defaults(run=_info)


def _info(_):
    """Run the verb."""
    from sklcnn.training import resolve_device

    def available(device):
        try:
            return bool(resolve_device(device))
        except ValueError:
            return False

    lines = [f"sklcnn {__version__}", f"Python {sys.version.split()[0]} on {sys.platform}"]
    lines += [f"{package} {metadata.version(package)}" for package in PACKAGES]
    devices = [device for device in ("cpu", "cuda", "mps") if available(device)]
    lines += [f"devices: {', '.join(devices)}; auto is {resolve_device('auto')}"]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0
