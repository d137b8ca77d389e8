"""Questions of whoever watches the running system. Owns no row; never changes anything."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

DOUBTFUL_MAX = 1_000
LETTERS_MAX = 10_000
"""So many of the newest dead letters are looked at when they are counted."""
STANDBY_MAX = 10_000
_SQL = load("status")


class DoubtfulProduct(msgspec.Struct, frozen=True, kw_only=True):
    """A product that its sale cannot sell as it says; `allotted` is what is left of its allotment, if it has one."""

    product_id: str
    active: bool
    stock: int
    allotted: int | None


async def server_age_s(connection: Connection) -> float:
    """Return how long the server has been up."""
    age: float = await connection.fetchval(_SQL["server_age"])
    return age


async def server_clock(connection: Connection) -> datetime:
    """Return the server's clock."""
    now: datetime = await connection.fetchval(_SQL["server_clock"])
    return now


async def doubtful_products(connection: Connection, sale_number: int) -> list[DoubtfulProduct]:
    """Return the products of a sale that are switched off, without units, or allotted more than there are."""
    return [
        DoubtfulProduct(**row) for row in await connection.fetch(_SQL["doubtful_products"], sale_number, DOUBTFUL_MAX)
    ]


async def ledger_breaches(connection: Connection) -> int:
    """Return how many products of sales that are not closed have units that do not add up, or are sold beyond them."""
    count: int = await connection.fetchval(_SQL["ledger_breaches"])
    return count


async def open_dead_letters(connection: Connection) -> int:
    """Return how many accepted orders were put aside and wait for a person."""
    count: int = await connection.fetchval(_SQL["open_dead_letters"], LETTERS_MAX)
    return count


async def standing_by(connection: Connection) -> int:
    """Return how many orders stand by for units, counted to `STANDBY_MAX` products that they wait for."""
    count: int = await connection.fetchval(_SQL["standing_by"], STANDBY_MAX)
    return count
