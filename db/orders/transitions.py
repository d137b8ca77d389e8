"""Moves orders through the state machine: guarded statement, one event, stock effects, all in one transaction.

Order of locks: orders by id, stock by product, allotments by sale and product, purchases (docs/locking.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from db.orders.states import Status, sources_of
from db.query_files import load
from doorbuster.errors import IllegalTransitionError, NotFoundError

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("transitions")


async def transition(
    connection: Connection, order_id: UUID, to: Status, *, reason: str | None = None, restock: bool = False
) -> None:
    """Move one order to `to`, with its event and its effect on stock; `restock` counts for refunds alone.

    Raises:
        NotFoundError: there is no such order.
        IllegalTransitionError: the state machine has no such step from where it is.
    """
    async with connection.transaction():
        sources = [str(status) for status in sources_of(to)]
        moved = await connection.fetchrow(_SQL["move_if_allowed"], order_id, to, sources, reason)
        if moved is None:
            await _refuse(connection, order_id, to)
            return
        await connection.execute(_SQL["tell"], order_id, moved["version"], to, moved["updated_at"], reason)
        if moved["was"] == Status.PENDING:
            await connection.execute(_SQL["end_hold"], order_id)
        if to is Status.CANCELLED:
            await _give_back(connection, [order_id])
        elif to is Status.SHIPPED or (to is Status.REFUNDED and restock):
            await connection.execute(_SQL["lock_stock_of"], [order_id])
            await connection.execute(_SQL["sell" if to is Status.SHIPPED else "restock"], [order_id])


async def _refuse(connection: Connection, order_id: UUID, to: Status) -> None:
    status = await connection.fetchval(_SQL["status_of"], order_id)
    if status is None:
        raise NotFoundError(f"there is no order {order_id}")
    raise IllegalTransitionError(f"an order that is {status} cannot become {to}", status=status, to=str(to))


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
