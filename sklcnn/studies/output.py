"""The directory that a study leaves behind, written so that no file is ever half done."""

import os
import tempfile
from pathlib import Path

import pandas as pd

from sklcnn import __version__
from sklcnn.plotting import degrees_png, linear_png, ratio_png, row_png, stability_png, stack_png
from sklcnn.plotting.schemes import schemes_png
from sklcnn.studies import beyond_report, degrees_report, dsd_report
from sklcnn.studies.linear import report as linear_report
from sklcnn.studies.pages import study_html
from sklcnn.studies.patch_geometry import report as patches_report
from sklcnn.studies.report import report_html
from sklcnn.studies.stability import report as stability_report

__all__ = [
    "ResultDirectory",
    "save",
    "save_beyond",
    "save_degrees",
    "save_dsd",
    "save_linear",
    "save_patches",
    "save_stability",
    "save_unfinished",
]


class ResultDirectory:
    """A directory for the files of one study.

    Every file is written under a temporary name and renamed, so that a reader sees the old one or
    the new one. Files of other names are never touched.

    Parameters
    ----------
    path : str or path-like
        Where; missing parents are made.

    Attributes
    ----------
    path : Path
        The directory.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklcnn.studies.output import ResultDirectory
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = ResultDirectory(pathlib.Path(folder, "results"))
    ...     results.claim()
    ...     results.write("results.csv", b"n,score\\n")
    ...     print([file.name for file in results.path.iterdir()])
    ['results.csv']
    """

    def __init__(self, path):
        self.path = Path(path)
        self._made = False

    def claim(self, overwrite=False):
        """Make the directory.

        Parameters
        ----------
        overwrite : bool, default=False
            Whether it may exist already.

        Raises
        ------
        FileExistsError
            If it exists and may not, or is not a directory.
        OSError
            If it cannot be made or written to.
        """
        if self.path.exists() and not self.path.is_dir():
            raise FileExistsError("exists and is not a directory")
        if self.path.exists() and not overwrite:
            raise FileExistsError("exists already; --overwrite replaces the results in it")
        self._made = not self.path.exists()
        self.path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.path):  # can it be written to?
            pass

    def write(self, name, content):
        """Write one file.

        Parameters
        ----------
        name : str
            Name of the file in the directory.
        content : bytes
            All of it.
        """
        handle, temporary = tempfile.mkstemp(dir=self.path, prefix=f".{name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes private files
            os.replace(temporary, self.path / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def remove(self, *names):
        """Remove files of an earlier study, if there are any.

        Parameters
        ----------
        *names : str
            Names of files in the directory.
        """
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def release(self):
        """Remove the directory if this object made it and nothing was written to it."""
        if self._made and not any(self.path.iterdir()):
            self.path.rmdir()


def save(directory, comparisons):
    """Write the files of a finished study: the table first, then the picture and the report.

    Parameters
    ----------
    directory : ResultDirectory
        Where.
    comparisons : list of Comparison
        One per data set.
    """
    directory.write("results.csv", _csv([comparison.results for comparison in comparisons]))
    png = stack_png([comparison.display() for comparison in comparisons])
    directory.write("curves.png", png)
    directory.write("report.html", report_html(comparisons, png, __version__).encode())


def save_dsd(directory, study):
    """Write the files of a Dynamic Signal Distribution study.

    Parameters
    ----------
    directory : ResultDirectory
        Where.
    study : DsdStudy
        What was found.

    Returns
    -------
    names : list of str
        Of the files.
    """
    pictures = dsd_report.displays(study)
    return _save_study(
        directory,
        {"first": study.first, "results": study.table, "trials": study.trials},
        ("samples_needed.png", row_png(pictures) if pictures else b""),
        "How many samples do CNN, LCN and FCN need?",
        "A signal of either sign at a random place in noise (Dynamic Signal Distribution, arXiv "
        "2403.15707): samples at which half of all repeats reach the target.",
        dsd_report.statements(study),
        dsd_report.text_tables(study),
    )


def save_beyond(directory, found):
    """Write the files of a study beyond the paper.

    Parameters
    ----------
    directory : ResultDirectory
        Where.
    found : Beyond
        What was found.

    Returns
    -------
    names : list of str
        Of the files.
    """
    return _save_study(
        directory,
        {"results": found.results, "ratios": found.table},
        ("ratios.png", ratio_png(found.display())),
        "What does the separation of CNN, LCN and FCN rest on?",
        "One assumption of the theorems on the Dynamic Signal Distribution (arXiv 2403.15707) is "
        "changed at a time: how many times the samples does one family then need of the other?",
        beyond_report.statements(found),
        beyond_report.text_tables(found),
    )


def save_degrees(directory, found):
    """Write the files of a study of degrees of locality and sharing.

    Parameters
    ----------
    directory : ResultDirectory
        Where.
    found : list of DegreesOfSharing
        One per data set.

    Returns
    -------
    names : list of str
        Of the files.
    """
    tables = {"results": "results", "accuracy": "table", "effects": "effects"}
    return _save_study(
        directory,
        {file: pd.concat([getattr(one, name) for one in found]) for file, name in tables.items()},
        ("degrees.png", degrees_png([one.display() for one in found])),
        "How much locality, how much weight sharing?",
        "Networks with one hidden layer between fully connected, locally connected and "
        "convolutional, all with as many hidden units: test accuracy by patch size and by the "
        "number of groups of patches that share filters, mean and 95 % interval over repeats.",
        degrees_report.statements(found),
        degrees_report.text_tables(found),
    )


def save_stability(directory, found):
    """Write the files of a study below the edge of stability.

    Parameters
    ----------
    directory : ResultDirectory
        Where.
    found : StabilityStudy
        What was found.

    Returns
    -------
    names : list of str
        Of the files.
    """
    names = ("results", "trajectories", "slopes", "dimension_slopes", "patch_slopes")
    tables = {name: getattr(found, name) for name in (*names, "certificates")}
    directory.remove(*(f"{name}.csv" for name in tables))  # of an earlier study
    return _save_study(
        directory,
        {name: table for name, table in tables.items() if len(table)},
        ("stability.png", stability_png(found.display())),
        "Does the edge of stability help networks that see small patches?",
        "Gradient descent with a large constant rate keeps networks flat. On the sphere flatness "
        "is to hold back networks with shared filters on small patches, but not fully connected "
        "ones; where every patch has norm 1 it holds back neither (arXiv 2603.04807). Excess risk "
        "is shown beside the variance of the target, which is that of a constant predictor; "
        "intervals are 95 % over repeats.",
        stability_report.statements(found),
        stability_report.text_tables(found),
    )


def save_linear(directory, found):
    """Write the files of a study of linear networks.

    Parameters
    ----------
    directory : ResultDirectory
        Where.
    found : LinearStudy
        What was found.

    Returns
    -------
    names : list of str
        Of the files.
    """
    names = ("runs", "margins", "curves", "spectra", "scales", "kernel_widths")
    return _save_study(
        directory,
        {name: getattr(found, name) for name in names},
        ("linear.png", linear_png(found.display())),
        "Which margin do linear networks make large?",
        "Networks without activations have linear predictors, but gradient descent takes them to "
        "different ones (arXiv 1806.00468): full networks of any depth to the largest margin in "
        "l2, convolutional ones of two layers in the l1 norm of the spectrum, diagonal ones in "
        "that of the coefficients, deeper ones to stationary points of bridges.",
        linear_report.statements(found),
        linear_report.text_tables(found),
    )


def save_patches(directory, found):
    """Write the files of a study of patch schemes.

    Parameters
    ----------
    directory : ResultDirectory
        Where.
    found : PatchStudy
        What was found.

    Returns
    -------
    names : list of str
        Of the files.
    """
    return _save_study(
        directory,
        {"results": found.results, "convergence": found.convergence, "summary": found.table},
        ("schemes.png", schemes_png(found.display())),
        "How flat and how deep are the patches of images?",
        f"Patches of {found.settings['patch_text']} of {found.settings['n_samples']:,} images, "
        "each channel with mean 0 and variance 1, as a cloud of points: how many principal "
        "components hold 90 % of the variance (elbow), and how deep points lie by random "
        "half-spaces. Large learning rates keep networks from fitting single patches where the "
        "cloud is flat and deep (arXiv 2510.18120, 2603.04807).",
        patches_report.statements(found),
        patches_report.text_tables(found),
    )


def _save_study(directory, frames, picture, title, lead, statements, tables):
    """Write tables, picture and page, and return the names of the files."""
    for name, frame in frames.items():
        directory.write(f"{name}.csv", frame.to_csv(index=False).encode())
    name, png = picture
    directory.remove(name)  # of an earlier study
    if png:
        directory.write(name, png)
    page = study_html(title, lead, statements, png, tables, __version__)
    directory.write("report.html", page.encode())
    return [*(f"{table}.csv" for table in frames), *[name] * bool(png), "report.html"]


def save_unfinished(directory, comparisons, results):
    """Write the table of an interrupted study; no picture of an earlier one is left beside it.

    Parameters
    ----------
    directory : ResultDirectory
        Where.
    comparisons : list of Comparison
        Those that were finished.
    results : pandas.DataFrame or None
        Finished fits of the one that was not.

    Returns
    -------
    n_rows : int
        Number of fits in the table.
    """
    frames = [comparison.results for comparison in comparisons]
    frames += [] if results is None else [results]
    directory.write("results.csv", _csv(frames))
    directory.remove("curves.png", "report.html")
    return sum(map(len, frames))


def _csv(frames):
    """Join tables that are not empty, or keep the header of an empty one."""
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    return pd.concat(filled).to_csv(index=False).encode()


def _umask():
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
