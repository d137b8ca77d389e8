"""What there is to do, as the scheduler asks it, and where. Owns reading alone; a shift's own transaction decides."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("due_work")

Place: TypeAlias = tuple[int, int]
"""Sale number and partition."""


class Partition(NamedTuple):
    """One stream of a sale."""

    sale_number: int
    number: int


async def partitions(connection: Connection, *, shadows: bool = False) -> list[Place]:
    """Return every partition of every sale there ever was; `shadows` are for who does the work."""
    rows = await connection.fetch(_SQL["partitions"], shadows)
    return [(row["sale_number"], number) for row in rows for number in range(row["partitions"])]


async def cursors(connection: Connection, places: Collection[Place]) -> dict[Place, tuple[str, int]]:
    """Return the last entry drained in these partitions and how many were; a partition never drained is left out."""
    rows = await connection.fetch(_SQL["cursors"], [sale_number for sale_number, _ in places])
    return {(row["sale_number"], row["partition"]): (row["entry_id"], row["drained"]) for row in rows}


async def due(connection: Connection, places: Collection[Place]) -> list[Place]:
    """Return those of the partitions that have a payment to try now."""
    columns = [list(column) for column in zip(*places, strict=True)] or [[], []]
    return [(row["sale_number"], row["partition"]) for row in await connection.fetch(_SQL["due"], *columns)]


async def any_expired(connection: Connection, *, late_s: float) -> bool:
    """Say whether there is anything for the sweep: a hold that ended `late_s` ago where nobody settles."""
    return bool(await connection.fetchval(_SQL["any_expired"], late_s))
