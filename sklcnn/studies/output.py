"""The directory that a study leaves behind, written so that no file is ever half done."""

import os
import tempfile
from pathlib import Path

__all__ = ["ResultDirectory"]


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

    def save(self, files):
        """Write the files of a study, and remove those that only an earlier one had.

        Parameters
        ----------
        files : dict of str to bytes or None
            Contents by name, written in this order; a file of None is removed.

        Returns
        -------
        names : list of str
            Of the files that were written.
        """
        for name, content in files.items():
            if content is None:
                (self.path / name).unlink(missing_ok=True)
            else:
                self.write(name, content)
        return [name for name, content in files.items() if content is not None]

    def release(self):
        """Remove the directory if this object made it and nothing was written to it."""
        if self._made and not any(self.path.iterdir()):
            self.path.rmdir()


def _umask():
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
