"""Leases of shifts: who may work on what, with a fencing token. Time is the database's clock alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from db.query_files import load
from doorbuster.errors import LeaseLostError

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("shifts")


class Lease(NamedTuple):
    """The right to write for a partition."""

    name: str
    fence: int
    lease_s: float
    batch_max: int | None = None
    """What whoever takes the lease next begins with; None: as much as fits."""


class Taken(NamedTuple):
    """A lease that was taken."""

    fence: int
    batch_max: int | None
    """How much its last holder took at a time; None: as much as fits."""
    not_given_back: bool
    """Whether the last holder was ended, killed or too slow, and did not give it back itself."""


async def take(connection: Connection, name: str, *, holder: str, lease_s: float) -> Taken | None:
    """Take the lease if nobody holds it."""
    row = await connection.fetchrow(_SQL["acquire_if_free"], name, holder, lease_s)
    return None if row is None else Taken(*row.values())


async def acquire(connection: Connection, name: str, *, holder: str, lease_s: float) -> int | None:
    """Take the lease if nobody holds it; return its new fence, or None."""
    taken = await take(connection, name, holder=holder, lease_s=lease_s)
    return None if taken is None else taken.fence


async def end_overdue(connection: Connection, name: str, *, application: str, lease_s: float) -> int:
    """End the sessions of this application whose transaction outlived the lease; return how many there were."""
    ended: int = await connection.fetchval(_SQL["end_overdue"], name, application, lease_s)
    return ended


async def renew(connection: Connection, name: str, fence: int, *, lease_s: float, batch_max: int | None = None) -> None:
    """Renew the lease, inside the transaction whose writes it covers: the row stays locked until that ends.

    `batch_max` is kept for whoever takes the lease next.

    Raises:
        LeaseLostError: another holder came after; nothing may be written.
    """
    if await connection.fetchval(_SQL["renew_if_mine"], name, fence, lease_s, batch_max) is None:
        raise LeaseLostError(f"the lease {name} with fence {fence} is held by another")


async def is_mine(connection: Connection, name: str, fence: int, *, holder: str) -> bool:
    """Say whether nobody took the lease since this holder did."""
    return bool(await connection.fetchval(_SQL["is_mine"], name, fence, holder))


async def release(connection: Connection, name: str, fence: int) -> None:
    """Give the lease back; says nothing if it is another's by now."""
    await connection.execute(_SQL["release_if_mine"], name, fence)


async def live(connection: Connection) -> set[str]:
    """Return the names of all leases that are held now."""
    return {record["name"] for record in await connection.fetch(_SQL["live"])}


Pause: TypeAlias = Literal["down", "rate_limited"]
"""Why a payment provider is asked for nothing now."""


async def note_payments(
    connection: Connection,
    name: str,
    fence: int,
    *,
    payments_per_s: float | None,
    paused: tuple[Pause | None, float] = (None, 0.0),
) -> None:
    """Write down how many payments a second a shift's gateway takes; None: not known, or it answers at once.

    `paused` says why the provider is left alone, or was and is asked carefully, and for how many seconds still.
    """
    await connection.execute(_SQL["note_payments"], name, fence, payments_per_s, *paused)


async def payments_paused(connection: Connection, name: str) -> tuple[Pause | None, float]:
    """Return why the shift of this name left its payment provider alone, and for how many seconds still."""
    row = await connection.fetchrow(_SQL["payments_paused"], name)
    return (None, 0.0) if row is None else (row["payments_paused"], max(row["seconds"] or 0.0, 0.0))
