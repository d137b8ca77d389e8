"""What ops watch while a sale goes on. Owns those questions; changes nothing and judges nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("live")

PRODUCTS_MAX = 200
EVENTS_MAX = 200_000
"""Events that one look counts; beyond it nobody knows."""


class ProductRow(NamedTuple):
    """A product of a sale: its ledger and what the sale can still sell; None: it was never received."""

    product_id: str
    name: str
    received: int | None
    reserved: int | None
    sold: int | None
    units: int | None


class PaymentCounts(NamedTuple):
    """Payments of a sale that are due, and that were asked for and never answered."""

    due: int
    failing: int


async def products(connection: Connection, sale_number: int) -> list[ProductRow]:
    """Return the first products of a sale, in its order."""
    rows = await connection.fetch(_SQL["products"], sale_number, PRODUCTS_MAX)
    return [ProductRow(*row.values()) for row in rows]


async def payments(connection: Connection, sale_number: int, partitions: int) -> PaymentCounts:
    """Return how the sale's payments are."""
    row = await connection.fetchrow(_SQL["payments"], sale_number, list(range(partitions)))
    assert row is not None
    return PaymentCounts(*row.values())


async def snapshot(connection: Connection) -> str:
    """Return the transaction below which all are over, as text: a place in the order of events."""
    below: str = await connection.fetchval(_SQL["snapshot"])
    return below


async def confirmed(connection: Connection, sale_number: int, since: str, until: str) -> int | None:
    """Return how many orders of a sale were confirmed between two snapshots; None: more happened than is counted."""
    first, last = UUID(int=sale_number << 104), UUID(int=(sale_number + 1 << 104) - 1)
    row = await connection.fetchrow(_SQL["confirmed"], since, until, first, last)
    assert row is not None
    return None if row["events"] >= EVENTS_MAX else row["confirmed"]


async def failed_operations(connection: Connection) -> int:
    """Return how many operations the payment provider refused for good, of whatever sale."""
    failed: int = await connection.fetchval(_SQL["failed_operations"])
    return failed
