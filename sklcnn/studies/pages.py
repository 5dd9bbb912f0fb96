"""What a study tells: pages that need nothing but themselves, and the tables on them."""

import base64
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template

import pandas as pd

from sklcnn import __version__

__all__ = ["StudyReport", "TextTable", "fill", "frame", "study_html", "table_html"]


@dataclass(frozen=True)
class TextTable:
    """A table of strings."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class StudyReport:
    """All that a study tells: tables for a machine, a picture, and a page for a reader."""

    title: str  # of the page
    lead: str  # what was asked and how
    tables: dict[str, pd.DataFrame | None]  # by name; None for one that there is not this time
    picture: str  # its name
    png: bytes | None  # the picture, if there is one
    statements: list[str]  # what was found
    text_tables: list[TextTable]  # all numbers

    def files(self) -> dict[str, bytes | None]:
        """Return the files in which it is kept.

        Returns
        -------
        files : dict of str to bytes or None
            Contents by name: a CSV file for each table, the picture and ``report.html``; None for
            one that there is not.
        """
        parts = self.title, self.lead, self.statements, self.png, self.text_tables
        page = study_html(*parts, __version__).encode()
        tables = {
            f"{name}.csv": None if table is None else table.to_csv(index=False).encode()
            for name, table in self.tables.items()
        }
        return tables | {f"{self.picture}.png": self.png, "report.html": page}


def study_html(title, lead, statements, png, tables, version):
    """Return the page of a study: what it says, its picture, its numbers.

    Parameters
    ----------
    title : str
        Of the page.
    lead : str
        What was asked and how.
    statements : list of str
        What was found.
    png : bytes or None
        The picture, which is embedded, if there is one.
    tables : list of TextTable
        All numbers.
    version : str
        Version of the package.

    Returns
    -------
    html : str
        The page.
    """
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in statements)
    picture = f"<img alt='{escape(title)}' src='data:image/png;base64,{_text(png)}'>" if png else ""
    body = (
        f"<h1>{escape(title)}</h1><p>{escape(lead)}</p><h2>What was found</h2><ul>{items}</ul>"
        f"{picture}<h2>All numbers</h2>{''.join(map(table_html, tables))}"
    )
    return frame(title, body, version, "All numbers are in the CSV files beside it.")


def frame(title, body, version, note):
    """Return a whole page around a body.

    Parameters
    ----------
    title : str
        Of the page.
    body : str
        HTML.
    version : str
        Version of the package.
    note : str
        Last sentence.

    Returns
    -------
    html : str
        The page.
    """
    return fill("frame.html", title=escape(title), body=body, version=escape(version), note=note)


def fill(name, **values):
    """Fill a template of this folder, whose names are marked by a dollar sign.

    Parameters
    ----------
    name : str
        Of the file.
    **values
        What stands for each name.

    Returns
    -------
    text : str
        The filled template.
    """
    text = resources.files("sklcnn.studies").joinpath(name).read_text(encoding="utf-8")
    return Template(text).substitute(values)


def table_html(table):
    """Return a table as HTML.

    Parameters
    ----------
    table : TextTable
        Strings.

    Returns
    -------
    html : str
        The first column is aligned to the left, the others to the right.
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return (
        f"<div class='scroll'><table><caption>{escape(table.title)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _text(png):
    return base64.b64encode(png).decode()
