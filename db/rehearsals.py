"""Rehearsals: the shadow of a sale is made, kept by a lease, and removed without a trace. Owns their rows.

What a shadow leaves is found by what every row says of itself: the number in its order's id, its sale's number, its
product. A table that comes later is found in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from db.query_files import load
from doorbuster.errors import ConflictError

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.sales import Sale

_SQL = load("rehearsals")
LEASE_S = 30.0
"""How long a rehearsal lives without a sign of who drives it."""
LASTS_MAX_S = 3_600.0
"""No lease is renewed after that long."""
FORGOTTEN_S = 5.0
"""When every process has dropped its copies of a closed shadow, whether it heard of the closing or not: a copy of the
sale lives for a second, and its room is not ticked 2 s after the last visitor."""
SALES_MAX = 5
"""Sales that are named, and watched, at most."""
NEAR_S = 900.0
"""A sale that opens within this is as good as on."""


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """A rehearsal as it is stored."""

    rehearsal_id: int
    sale_number: int
    """Of the sale itself."""
    shadow_number: int
    shadow_id: str
    partitions: int
    started_at: datetime
    lease_expires_at: datetime
    lease_over: bool
    closed_at: datetime | None
    remove_at: datetime | None
    removed_at: datetime | None
    finished_at: datetime | None
    result: dict[str, Any] | None


class OverRehearsal(NamedTuple):
    """One whose shadow is to go."""

    rehearsal_id: int
    shadow_number: int
    shadow_id: str
    partitions: int
    closed: bool


class ShadowTrace(NamedTuple):
    """A table with rows of shadows, and the column by which they are found."""

    table: str
    column: str


async def create(
    connection: Connection, sale: Sale, *, room: Mapping[str, Any], units: int, beside_live: bool
) -> Rehearsal:
    """Make a shadow of a sale, open now, with so many units of each product; in the caller's transaction.

    Raises:
        ConflictError: another rehearsal stands, or a sale is on and `beside_live` does not say that this may be.
    """
    await connection.execute(_SQL["one_at_a_time"])
    if (standing := await connection.fetchrow(_SQL["standing"])) is not None:
        raise ConflictError(
            f"rehearsal {standing['rehearsal_id']} of the sale {standing['sale_id']!r} is there still: one at a time"
        )
    on = await sales_on(connection)
    if on and not beside_live:
        named = ", ".join(repr(one) for one in on)
        raise ConflictError(f"a sale is on or opens within {NEAR_S / 60:g} minutes ({named}): beside_live allows it")
    shadow = await connection.fetchrow(_SQL["make_shadow"], sale.number, dict(room))
    assert shadow is not None
    number = shadow["sale_number"]
    for statement in ("copy_products", "copy_prices", "copy_sale_products"):
        await connection.execute(_SQL[statement], sale.number, number)
    await connection.execute(_SQL["stock_shadows"], number, units)
    made = await connection.fetchval(_SQL["add"], sale.number, number, shadow["sale_id"], shadow["partitions"], LEASE_S)
    found = await get(connection, sale.number, made)
    assert found is not None
    return found


async def sales_on(connection: Connection) -> list[str]:
    """Return sales whose window is open now, or opens soon; a few of them."""
    return [row["sale_id"] for row in await connection.fetch(_SQL["sales_on"], NEAR_S, SALES_MAX)]


async def get(connection: Connection, sale_number: int, rehearsal_id: int) -> Rehearsal | None:
    """Return a sale's rehearsal of this number."""
    row = await connection.fetchrow(_SQL["read"], sale_number, rehearsal_id)
    return None if row is None else Rehearsal(**row)


async def of_sale(
    connection: Connection, sale_number: int, *, before: int | None = None, limit: int = 50
) -> list[Rehearsal]:
    """Return a sale's rehearsals, newest first."""
    return [Rehearsal(**row) for row in await connection.fetch(_SQL["list"], sale_number, before, limit)]


async def renew(connection: Connection, rehearsal_id: int) -> bool:
    """Renew a rehearsal's lease; False: it is over."""
    return await connection.fetchval(_SQL["renew"], rehearsal_id, LEASE_S, LASTS_MAX_S) is not None


async def finish(connection: Connection, rehearsal_id: int, result: Mapping[str, Any]) -> bool:
    """Keep a rehearsal's result; False: it has one already."""
    return await connection.fetchval(_SQL["finish"], rehearsal_id, dict(result)) is not None


async def close(connection: Connection, rehearsal_id: int) -> None:
    """Close the shadow; what it left may be removed when every copy of it is old."""
    await connection.execute(_SQL["close"], rehearsal_id, FORGOTTEN_S)


async def remove_within(connection: Connection, rehearsal_id: int, seconds: float) -> None:
    """Let what a closed shadow left be removed sooner: every process has heard of its closing."""
    await connection.execute(_SQL["sooner"], rehearsal_id, seconds)


async def any_over(connection: Connection) -> bool:
    """Say whether a rehearsal's shadow is to go."""
    return bool(await connection.fetchval(_SQL["any_over"]))


async def over(connection: Connection) -> OverRehearsal | None:
    """Return a rehearsal whose shadow is to go."""
    row = await connection.fetchrow(_SQL["over"])
    return None if row is None else OverRehearsal(*row.values())


async def traces(connection: Connection) -> list[ShadowTrace]:
    """Return where shadows may have left rows, in the order in which these are to be removed."""
    return [ShadowTrace(*row.values()) for row in await connection.fetch(_SQL["traces"])]


async def remove_some(connection: Connection, trace: ShadowTrace, shadow_number: int, *, most: int) -> int:
    """Remove some of a shadow's rows from a table; return how many."""
    removed: int = await connection.fetchval(_SQL["remove_some"], trace.table, trace.column, shadow_number, most)
    return removed


async def end_shifts(connection: Connection, shadow_number: int) -> None:
    """Take the leases of who works on a closed shadow: nothing of theirs is committed any more."""
    await connection.execute(_SQL["end_shifts"], shadow_number)


async def removed(connection: Connection, rehearsal_id: int) -> None:
    """Note that no trace of a rehearsal's shadow is left."""
    await connection.execute(_SQL["removed"], rehearsal_id)
