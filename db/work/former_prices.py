"""Prices that held before ops changed them, once no order needs them. Owns these statements; decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.query_files import load

if TYPE_CHECKING:
    from datetime import datetime

    from db.connections.pool import Connection

_SQL = load("former_prices")


async def aged(connection: Connection, *, older_than_s: float) -> dict[int, int]:
    """Return the sales with older ones, and how many partitions each has."""
    rows = await connection.fetch(_SQL["aged"], older_than_s)
    return {row["sale_number"]: row["partitions"] for row in rows if row["partitions"] is not None}


async def forget(connection: Connection, sale_number: int, *, before: datetime) -> int:
    """Forget what held in a sale until a time before this one; return how many prices."""
    done = await connection.execute(_SQL["forget"], sale_number, before)
    return int(done.rpartition(" ")[2])
