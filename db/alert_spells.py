"""Alerts that fired, from when to when. Owns the table; judges nothing, and wakes nobody."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("alert_spells")


class Firing(NamedTuple):
    """An alert that was seen firing."""

    name: str
    severity: str
    summary: str
    began_at: datetime
    seen_at: datetime


async def note(connection: Connection, firing: Collection[Firing]) -> None:
    """Write down what fires, and that what nobody sees firing any more has ended. Again changes nothing."""
    async with connection.transaction():
        await connection.execute(_SQL["end_silent"])
        if firing:
            in_order = sorted(firing)  # as every process locks their rows
            await connection.execute(_SQL["note"], *(list(column) for column in zip(*in_order, strict=True)))
