"""The one place that talks while fits go on: a bar and messages, on standard error."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["FitProgress"]


class FitProgress:
    """Progress over a known number of fits, with the time left.

    On a terminal it is a bar that goes away at the end; elsewhere, a line per stage.

    Parameters
    ----------
    n_fits : int or float
        Fits of all stages together, or the work that they are expected to be.
    enabled : bool, default=True
        False shows nothing.
    counted : bool, default=True
        Whether to show how many of the fits are done, or the share of the work.

    Examples
    --------
    >>> from sklcnn.training.progress import FitProgress
    >>> with FitProgress(2, enabled=False) as progress:
    ...     progress.stage("first")
    ...     progress.advance()
    """

    def __init__(self, n_fits, enabled=True, counted=True):
        self._n_fits = n_fits
        self._console = Console(stderr=True, quiet=not enabled, highlight=False)
        share = [TextColumn("{task.percentage:>3.0f} %")]
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            *([MofNCompleteColumn(), TextColumn("fits")] if counted else share),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not (enabled and self._console.is_terminal),
        )
        self._task = self._bar.add_task("starting", total=n_fits)

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *exception):
        self._bar.stop()

    def stage(self, description):
        """Say what the next fits are for.

        Parameters
        ----------
        description : str
            A few words.
        """
        self._bar.update(self._task, description=description)
        if not self._console.is_terminal:
            self._console.print(f"{description} ...")

    def expect(self, n_fits):
        """Add fits to their number.

        Parameters
        ----------
        n_fits : int
            Fits that were not known of.
        """
        self._n_fits += n_fits
        self._bar.update(self._task, total=self._n_fits)

    def advance(self, n_fits=1):
        """Count fits.

        Parameters
        ----------
        n_fits : int or float, default=1
            Fits, or work, that is done.
        """
        self._bar.advance(self._task, n_fits)
