"""Moves orders through the state machine: guarded statement, one event, stock effects, all in one transaction.

Order of locks: orders by id, stock by product, allotments by sale and product, purchases (docs/locking.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from db import sales
from db.orders import identities
from db.orders.orders import Order, read_order
from db.orders.states import Status, sources_of
from db.products import stock
from db.query_files import load
from db.sales import Sale
from doorbuster.errors import IllegalTransitionError, NotFoundError

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("transitions")


class Moved(NamedTuple):
    """A transition as its transaction saw it: whoever tells others of it has to ask nothing more."""

    order: Order
    sale: Sale
    freed: dict[str, int]
    """What is in stock now of each product that got units back; empty: none did."""
    available: dict[str, int]
    """What the sale can still sell of each of its products, if units came back."""


async def transition(
    connection: Connection, order_id: UUID, to: Status, *, reason: str | None = None, restock: bool = False
) -> Moved:
    """Move one order to `to`, with its event and its effect on stock; `restock` counts for refunds alone.

    Raises:
        NotFoundError: there is no such order.
        IllegalTransitionError: the state machine has no such step from where it is.
    """
    async with connection.transaction():
        sources = [str(status) for status in sources_of(to)]
        moved = await connection.fetchrow(_SQL["move_if_allowed"], order_id, to, sources, reason)
        if moved is None:
            raise await _refusal(connection, order_id, to)
        await connection.execute(_SQL["tell"], order_id, moved["version"], to, moved["updated_at"], reason)
        if moved["was"] == Status.PENDING:
            await connection.execute(_SQL["end_hold"], order_id)
        if to is Status.CANCELLED:
            await _give_back(connection, [order_id])
        elif to is Status.SHIPPED or (to is Status.REFUNDED and restock):
            await connection.execute(_SQL["lock_stock_of"], [order_id])
            await connection.execute(_SQL["sell" if to is Status.SHIPPED else "restock"], [order_id])
        frees = to is Status.CANCELLED or (to is Status.REFUNDED and restock)
        return await _moved(connection, order_id, frees=frees)


async def _refusal(connection: Connection, order_id: UUID, to: Status) -> NotFoundError | IllegalTransitionError:
    status = await connection.fetchval(_SQL["status_of"], order_id)
    if status is None:
        return NotFoundError(f"there is no order {order_id}")
    return IllegalTransitionError(f"an order that is {status} cannot become {to}", status=status, to=str(to))


async def _moved(connection: Connection, order_id: UUID, *, frees: bool) -> Moved:
    order = await read_order(connection, order_id)
    assert order is not None
    sale = await sales.get_sale(connection, order.sale_id)
    assert sale is not None
    if not frees:
        return Moved(order, sale, {}, {})
    freed = await stock.left(connection, {line.product_id for line in order.lines})
    return Moved(order, sale, freed, await stock.available(connection, sale.number, sale.products))


async def confirm_many(connection: Connection, order_ids: Sequence[UUID]) -> list[UUID]:
    """Confirm those of the orders that are pending, in the caller's transaction; return which moved."""
    return [row["order_id"] for row in await connection.fetch(_SQL["confirm_if_pending"], order_ids)]


async def cancel_many(connection: Connection, order_ids: Sequence[UUID], *, reason: str) -> list[UUID]:
    """Cancel those of the orders that are pending and give their units back, in the caller's transaction.

    Returns which moved.
    """
    moved = [row["order_id"] for row in await connection.fetch(_SQL["cancel_if_pending"], order_ids, reason)]
    if moved:
        await _give_back(connection, moved)
    return moved


async def cancelled_of(connection: Connection, order_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of the orders that are cancelled."""
    return [row["order_id"] for row in await connection.fetch(_SQL["cancelled_of"], order_ids)]


async def _give_back(connection: Connection, order_ids: Sequence[UUID]) -> None:
    for statement in (
        "lock_stock_of",
        "lock_allotments_of",
        "give_back_stock",
        "give_back_allotments",
        "give_back_purchases",
    ):
        await connection.execute(_SQL[statement], order_ids)
    await identities.give_back(connection, order_ids)
