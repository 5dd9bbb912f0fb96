"""What is printed: tables and sentences."""

__all__ = ["open_console", "show_tables"]


def open_console():
    """Return where results are printed, wide enough for tables in a file.

    Returns
    -------
    console : rich.console.Console
        Prints text as it is.
    """
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = 100
    return console


def show_tables(console, texts):
    """Print tables.

    Parameters
    ----------
    console : rich.console.Console
        Where.
    texts : list of TextTable
        What.
    """
    from rich.table import Table

    for text in texts:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in text.header:
            table.add_column(name, justify="left" if name == text.header[0] else "right")
        for row in text.rows:
            table.add_row(*row)
        console.print(text.title, style="bold")
        console.print(table, "")
