"""What is written down while sales go on, for their reports. Owns those rows; judges nothing."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from db.query_files import load

if TYPE_CHECKING:
    from collections.abc import Collection

    from db.connections.pool import Connection

KEPT_DAYS = 90
"""For so long starts of processes are kept."""
_SQL = load("marks")


class PlanMark(NamedTuple):
    """An entry of a sale's timeline, by its moment."""

    sale_number: int
    at: datetime


class ProcessStart(NamedTuple):
    """A process that was started."""

    role: str
    name: str
    began_at: datetime


async def mark(connection: Connection, entries: Collection[PlanMark]) -> None:
    """Note that these entries are seen in force now, unless that was noted before."""
    await connection.execute(_SQL["mark"], *_columns(entries))


async def note_starts(connection: Connection, starts: Collection[ProcessStart]) -> None:
    """Note processes that were started, each once, and forget those of long ago."""
    await connection.execute(_SQL["note_starts"], *_columns(starts))
    await connection.execute(_SQL["forget_starts"], KEPT_DAYS)


def _columns(rows: Collection[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
