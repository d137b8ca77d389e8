"""What the clock asks for ahead of a sale, each step once: rows decide. Owns who has a step and that it is done.

A step is taken for a while; whoever took it and died leaves it to the next. A start that is moved has steps of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("prewarm_steps")


async def done(connection: Connection, sale_number: int, starts_at: datetime) -> frozenset[str]:
    """Return the steps of a sale with this start that are done or passed over."""
    return frozenset(row["step"] for row in await connection.fetch(_SQL["done"], sale_number, starts_at))


async def take(connection: Connection, sale_number: int, starts_at: datetime, step: str, *, for_s: float) -> bool:
    """Take a step for so long; say whether nobody else has it, and it is not done."""
    return bool(await connection.fetchval(_SQL["take"], sale_number, starts_at, step, for_s))


async def put_off(connection: Connection, sale_number: int, starts_at: datetime, step: str, *, for_s: float) -> None:
    """Give a step back that is not to be done yet; nobody takes it before."""
    await connection.execute(_SQL["put_off"], sale_number, starts_at, step, for_s)


async def finish(
    connection: Connection, sale_number: int, starts_at: datetime, step: str, result: dict[str, Any]
) -> bool:
    """Write down that a step is done; say whether it was not done before."""
    return bool(await connection.fetchval(_SQL["finish"], sale_number, starts_at, step, result))


async def pass_over(connection: Connection, sale_number: int, starts_at: datetime, steps: Sequence[str]) -> None:
    """Write down that steps came too late: a later one does what they were for."""
    await connection.execute(_SQL["pass_over"], sale_number, starts_at, list(steps))


async def near(connection: Connection) -> list[str]:
    """Return the sales that begin within their lead."""
    return [row["sale_id"] for row in await connection.fetch(_SQL["near"])]
