"""What a preset is: which columns of a shop system's export are which fields. Owns finding columns; reads no file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

_ESCAPED = ("'=", "'+", "'-", "'@")
"""How exports keep spreadsheets from taking a cell for a formula."""


class Skipped(NamedTuple):
    """Rows that stand for no product, by what they are."""

    rows: str


def normal(name: str) -> str:
    """Return a column's name without what exports write differently."""
    return " ".join(name.replace("_", " ").split()).casefold()


class Preset(ABC):
    """Reads one file of a shop system; it may remember rows, so each reading has its own."""

    name: ClassVar[str]
    sources: ClassVar[Mapping[str, tuple[str, ...]]]
    """Ours -> theirs, of which the first that has something counts."""
    currency_in_price: ClassVar[bool] = False

    def __init__(self) -> None:
        self.record: dict[str, str] = {}
        """The present row, by normal names."""

    @abstractmethod
    def read(self, record: Mapping[str, str]) -> dict[str, Any] | Skipped:
        """Return the fields of the product that a row stands for."""

    def missing(self, header: Iterable[str]) -> dict[str, str]:
        """Return the fields that a header has no column for, with the column that would be it."""
        there = {normal(name) for name in header}
        return {
            ours: theirs[0] for ours, theirs in self.sources.items() if not any(normal(one) in there for one in theirs)
        }

    def take(self, record: Mapping[str, str]) -> None:
        """Make a row the present one."""
        self.record = {normal(name): _plain(cell) for name, cell in record.items()}

    def filled(self, record: Mapping[str, str]) -> dict[str, str]:
        """Return the present row as it was read, with what earlier rows said of it."""
        return {name: cell or self.record.get(normal(name), "") for name, cell in record.items()}

    def get(self, *names: str) -> str:
        """Return the first cell of the present row that has something, of these columns."""
        return next((cell for name in names if (cell := self.record.get(normal(name), ""))), "")

    def has(self, *names: str) -> bool:
        """Tell whether the file has one of these columns."""
        return any(normal(name) in self.record for name in names)

    def common(self) -> dict[str, Any]:
        """Return what the sources alone tell; brand and category may be empty, a description is emptied."""
        value: dict[str, Any] = {"brand": "", "category": ""}
        for ours, theirs in self.sources.items():
            if cell := self.get(*theirs):
                value[ours] = cell
            elif ours == "description" and self.has(*theirs):
                value[ours] = None
        return value


def _plain(cell: str) -> str:
    bare = cell.strip()
    return bare[1:] if bare.startswith(_ESCAPED) else bare


def pairs_of(**named: str) -> dict[str, str]:
    """Return the attributes that have something."""
    return {name: text for name, text in named.items() if text}
