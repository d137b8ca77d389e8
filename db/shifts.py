"""Leases of shifts: who may work on what, with a fencing token. Time is the database's clock alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.sql import load
from doorbuster.errors import LeaseLostError

if TYPE_CHECKING:
    from db.pool import Connection

_SQL = load("shifts")


async def acquire(connection: Connection, name: str, *, holder: str, lease_s: float) -> int | None:
    """Take the lease if nobody holds it; return its new fence, or None."""
    fence: int | None = await connection.fetchval(_SQL["acquire_if_free"], name, holder, lease_s)
    return fence


async def end_overdue(connection: Connection, name: str, *, application: str, lease_s: float) -> int:
    """End the sessions of this application whose transaction outlived the lease; return how many there were."""
    ended: int = await connection.fetchval(_SQL["end_overdue"], name, application, lease_s)
    return ended


async def hold(connection: Connection, name: str, fence: int, *, lease_s: float) -> None:
    """Renew the lease, inside the transaction whose writes it covers: the row stays locked until that ends.

    Raises:
        LeaseLostError: another holder came after; nothing may be written.
    """
    if await connection.fetchval(_SQL["hold_if_mine"], name, fence, lease_s) is None:
        raise LeaseLostError(f"the lease {name} with fence {fence} is held by another")


async def release(connection: Connection, name: str, fence: int) -> None:
    """Give the lease back; says nothing if it is another's by now."""
    await connection.execute(_SQL["release_if_mine"], name, fence)


async def live(connection: Connection) -> set[str]:
    """Return the names of all leases that are held now."""
    return {record["name"] for record in await connection.fetch(_SQL["live"])}
