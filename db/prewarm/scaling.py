"""How far it is scaled out, one row an adapter. Owns who puts a wish in force, and what it was before any wish.

`before` is kept from the first wish until nobody has one: that is what it is scaled back to, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("scaling")


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an adapter's scale."""

    adapter: str
    before: dict[str, Any] | None = None
    wanted: dict[str, int] | None = None
    sales: list[int] = []
    """Whose wishes were put in force."""
    failures: int = 0
    error: str | None = None


async def state(connection: Connection, adapter: str) -> Scaling:
    """Return what is known of an adapter's scale."""
    row = await connection.fetchrow(_SQL["state"], adapter)
    return Scaling(adapter=adapter) if row is None else Scaling(**row)


async def take(connection: Connection, adapter: str, *, for_s: float) -> bool:
    """Take the adapter for so long; say whether nobody else has it."""
    return bool(await connection.fetchval(_SQL["take"], adapter, for_s))


async def keep_before(
    connection: Connection, adapter: str, before: dict[str, Any], *, anew: bool = False
) -> dict[str, Any]:
    """Keep what it was before the first wish, unless that is kept already and not to be kept anew; return what is."""
    kept: dict[str, Any] = await connection.fetchval(_SQL["keep_before"], adapter, before, anew)
    return kept


async def applied(
    connection: Connection, adapter: str, wanted: dict[str, int] | None, sales: Sequence[int], *, keeps_before: bool
) -> None:
    """Write down which wish is in force, and give the adapter back; without one it is as it was before.

    `keeps_before`: the platform scales out at a time that it was told, and what it is now is asked for no more.
    """
    await connection.execute(_SQL["applied"], adapter, wanted, list(sales), keeps_before)


async def any_reservation(connection: Connection, sale_number: int) -> bool:
    """Say whether a sale has orders whose payment is open."""
    return bool(await connection.fetchval(_SQL["any_reservation"], sale_number))


async def failed(connection: Connection, adapter: str, error: str, *, again_in_s: float) -> None:
    """Write down that the adapter failed; nobody tries it again before."""
    await connection.execute(_SQL["failed"], adapter, error, again_in_s)
