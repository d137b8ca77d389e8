"""Stock: the ledger of units. Owns receiving and adjusting; reserving is the drain's, giving back the transitions'."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec

from db.orders import standby
from db.query_files import load
from doorbuster.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("stock")


class StockRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where every unit ever received of a product is: `stock + reserved + sold = received`."""

    product_id: str
    stock: int
    reserved: int
    sold: int
    received: int


async def get_stock(connection: Connection, product_id: str) -> StockRow | None:
    """Return a product's ledger row."""
    row = await connection.fetchrow(_SQL["get_stock"], product_id)
    return None if row is None else StockRow(**row)


async def receive(connection: Connection, product_id: str, units: int, *, served: list[UUID] | None = None) -> StockRow:
    """Add units that came in: those who wait for them are served first, and added to `served`.

    Raises:
        NotFoundError: there is no such product.
    """
    return await _move(connection, product_id, units, "receive", served)


async def adjust(
    connection: Connection, product_id: str, units: int, reason: str, *, served: list[UUID] | None = None
) -> StockRow:
    """Correct the count by `units`, up or down; what is more goes to those who wait first, as above.

    Raises:
        NotFoundError: there is no such product.
        ConflictError: fewer than that are free; reserved and sold units cannot be adjusted away.
    """
    return await _move(connection, product_id, units, reason, served)


async def _move(
    connection: Connection, product_id: str, units: int, reason: str, served: list[UUID] | None
) -> StockRow:
    async with connection.transaction():
        held = await standby.lock_beside(connection, [product_id]) if units > 0 else None
        row = await _count(connection, product_id, units, reason)
        changed = await standby.serve(connection, held) if held else []
        if not changed:
            return row
        if served is not None:
            served += changed
        counted = await get_stock(connection, product_id)
        assert counted is not None
        return counted


async def _count(connection: Connection, product_id: str, units: int, reason: str) -> StockRow:
    try:
        row = await connection.fetchrow(_SQL["move_stock"], product_id, units, reason)
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != "stock_not_oversold":
            raise
        raise ConflictError(f"the product {product_id!r} has fewer than {-units} units free") from error
    if row is None:
        raise NotFoundError(f"there is no product {product_id!r}")
    return StockRow(**row)


async def available(connection: Connection, sale_number: int, product_ids: Collection[str]) -> dict[str, int]:
    """Return what the sale can still sell of each product, as of now and without a promise."""
    rows = await connection.fetch(_SQL["available"], sale_number, list(product_ids))
    return {row["product_id"]: row["units"] for row in rows}


async def left(connection: Connection, product_ids: Collection[str]) -> dict[str, int]:
    """Return what is in stock of each product now, whatever a sale may sell of it."""
    rows = await connection.fetch(_SQL["left"], list(product_ids))
    return {row["product_id"]: row["stock"] for row in rows}


async def left_of_orders(connection: Connection, order_ids: Collection[UUID]) -> dict[str, int]:
    """Return what is in stock now of each product of these orders."""
    rows = await connection.fetch(_SQL["left_of_orders"], list(order_ids))
    return {row["product_id"]: row["stock"] for row in rows}
