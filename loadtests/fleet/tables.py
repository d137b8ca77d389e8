"""A table for people: on the screen, in Markdown, and its place in a document. Owns the form alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table as Screen

from loadtests.check.report import new_table


class Table(NamedTuple):
    """Title, names of columns, and rows of as many cells."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def screen(self) -> Screen:
        """Return it for the screen."""
        table = new_table(self.title, *self.head)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """Return it for a document."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        text = [f"| {' | '.join(cells)} |" for cells in lines]
        text[1] = text[1].replace(" ", "")
        return "\n".join(text)


def put(document: str, name: str, table: str) -> str:
    """Return a document with a table between the two marks of its name, in place of what is there.

    Raises:
        ValueError: the document has no place for it.
    """
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    before, found, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the document has no place for the table {name}")
    return before + begin + table + end + after
