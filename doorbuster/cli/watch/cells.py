"""Text as a terminal lays it out: how many cells it takes, where it is cut, how it is marked. Pure; writes nothing."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

_MARKS = {"bold": "1", "dim": "2", "red": "1;31", "yellow": "33", "green": "32"}
_COLOURS = frozenset({"red", "yellow", "green"})


class Piece(NamedTuple):
    """A text, and how it is marked: no mark, or one of bold, dim, red, yellow, green."""

    text: str
    mark: str = ""


Line = list[Piece]


class Marks(NamedTuple):
    """What the terminal is sent: marks at all, and colours among them."""

    marks: bool = False
    colours: bool = False


def width_of(text: str) -> int:
    """Return how many cells a text takes."""
    return sum(map(_cells, text))


def fit(text: str, width: int) -> str:
    """Return a text in exactly so many cells: cut with a mark of the cut, or filled."""
    taken = width_of(text)
    if taken <= width:
        return text + " " * (width - taken)
    return f"{_first(text, width - 1)}~" if width > 0 else ""


def wrap(text: str, width: int, most: int) -> list[str]:
    """Return a text in lines between its words; what does not go into the last is cut."""
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if width_of(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    shown = lines[:most]
    if len(lines) > most:
        shown[-1] = f"{shown[-1]} {' '.join(lines[most:])}"
    return [fit(line, width).rstrip() for line in shown]


def written(line: Line, width: int, marks: Marks) -> str:
    """Return a line as the terminal is sent it, at most so wide."""
    left, told = width, ""
    for text, mark in line:
        shown = text if width_of(text) <= left else fit(text, left)
        left -= width_of(shown)
        said = marks.colours if mark in _COLOURS else marks.marks
        told += f"\x1b[{_MARKS[mark]}m{shown}\x1b[0m" if mark and said and shown else shown
    return told.rstrip()


def _first(text: str, width: int) -> str:
    shown, taken = "", 0
    for sign in text:
        taken += _cells(sign)
        if taken > width:
            break
        shown += sign
    return shown + " " * (width - width_of(shown))


def _cells(sign: str) -> int:
    if sign.isascii():
        return 1
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in ("W", "F") else 1
