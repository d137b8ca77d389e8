"""How far each partition's stream is drained.

The cursor moves in the batch's own transaction, so that an entry's effects and its being done are one fact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from db.query_files import load
from doorbuster.errors import LeaseLostError

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("drain_batch")


async def read(connection: Connection, sale_number: int, partition: int) -> tuple[str, int]:
    """Return the id of the last entry worked off (`0-0` at first) and how many were so far."""
    row = await connection.fetchrow(_SQL["read_cursor"], sale_number, partition)
    assert row is not None
    return row["entry_id"], row["drained"]


class CursorStep(NamedTuple):
    """One batch's move of a cursor: from entry to entry, how many entries, how many of them repeated an order."""

    before: str
    after: str
    entries: int
    repeated: int = 0


async def advance(connection: Connection, sale_number: int, partition: int, step: CursorStep) -> int:
    """Move the cursor; return how many entries have been worked off in all.

    Raises:
        LeaseLostError: the cursor is not at `step.before`: another has moved it.
    """
    drained: int | None = await connection.fetchval(_SQL["advance_cursor"], sale_number, partition, *step)
    if drained is None:
        raise LeaseLostError(f"the cursor of partition {sale_number}.{partition} is no longer at {step.before}")
    return drained


async def rewind(connection: Connection, sale_number: int, partition: int, *, to: str) -> None:
    """Read again what lies behind this id."""
    await connection.execute(_SQL["rewind_cursor"], sale_number, partition, to)
