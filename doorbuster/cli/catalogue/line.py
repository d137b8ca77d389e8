"""A line of a catalogue file, or several that are one record. Owns its form and its bounds; reads nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

LINE_MAX = 2**20
"""Bytes of a line, or of all lines of one CSV record."""


class FileLine(NamedTuple):
    """A line's number and its record, or what is wrong with it."""

    number: int
    record: dict[str, Any] | None
    problem: str | None = None
    last: int | None = None
    """The last line of a record that has several."""
    raw: str = ""
    """What stands there, cut short, if there is no record."""
    cells: bool = False
    """The record's values are cells, texts all of them; an empty one says nothing."""

    @property
    def lines(self) -> int:
        """How many lines it has."""
        return (self.last or self.number) - self.number + 1


def too_long(what: str) -> str:
    """Say that something has too many bytes."""
    return f"is a {what} longer than {LINE_MAX} bytes" if what != "line" else f"is longer than {LINE_MAX} bytes"
