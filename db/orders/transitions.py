"""Moves orders through the state machine: guarded statement, one event, stock effects, all in one transaction.

Order of locks: orders by id, stock by product, allotments by sale and product, purchases (docs/locking.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from db import sales
from db.orders import holds, money
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
    connection: Connection,
    order_id: UUID,
    to: Status,
    *,
    reason: str | None = None,
    restock: bool = False,
    void_after_s: float = money.AUTHORISATION_MAX_S,
) -> Moved:
    """Move one order to `to`, with its event and its effect on stock; `restock` counts for refunds alone.

    What its payment may have held is let go after a cancellation, `void_after_s` later: by then no authorisation is
    under way any more.

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
        held = moved["was"] != Status.PENDING or await _end_hold(connection, order_id, to, void_after_s=void_after_s)
        if to is Status.CANCELLED:
            if held:
                await _give_back(connection, [order_id])
        elif to is Status.SHIPPED or (to is Status.REFUNDED and restock):
            await connection.execute(_SQL["lock_stock_of"], [order_id])
            await connection.execute(_SQL["sell" if to is Status.SHIPPED else "restock"], [order_id])
        frees = to is Status.CANCELLED or (to is Status.REFUNDED and restock)
        return await _moved(connection, order_id, frees=frees)


async def _end_hold(connection: Connection, order_id: UUID, to: Status, *, void_after_s: float) -> bool:
    """End a pending order's hold; say whether units are reserved for it.

    Raises:
        IllegalTransitionError: it is to be confirmed, and its units were given to others.
    """
    held = await connection.fetchval(_SQL["end_hold"], order_id) is not None
    if to is Status.CANCELLED:
        await money.queue_void_if_asked(connection, order_id, held=held, after_s=void_after_s)
    elif held:
        return True
    elif await holds.take_units(connection, order_id):
        await money.keep_payment(connection, order_id)
    else:
        raise IllegalTransitionError(
            "its hold ended, and not all of its units are left", status=str(Status.PENDING), to=str(to)
        )
    return held


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


class PaidOrder(NamedTuple):
    """An order and what the provider has of its money, in minor units."""

    order_id: UUID
    payment: str
    authorised: int | None
    """Held, to be taken at shipping; None: taken at once."""
    captured: int | None
    reference: str | None


async def confirm_paid(connection: Connection, paid: Sequence[PaidOrder]) -> list[UUID]:
    """Confirm those of the orders that are pending and whose units are held, and note their money.

    In the caller's transaction; returns which moved.
    """
    columns = [list(column) for column in zip(*paid, strict=True)]
    return [row["order_id"] for row in await connection.fetch(_SQL["confirm_paid"], *columns)] if paid else []


async def cancel_many(
    connection: Connection, order_ids: Sequence[UUID], *, reason: str, payment: str | None = None
) -> list[UUID]:
    """Cancel those of the orders that are pending and give back the units that are held for them.

    In the caller's transaction; `payment` is how their payment stands, None: as it is noted. Returns which moved.
    """
    moved = await connection.fetch(_SQL["cancel_if_pending"], order_ids, reason, payment)
    if held := [row["order_id"] for row in moved if row["held"]]:
        await _give_back(connection, held)
    return [row["order_id"] for row in moved]


async def release_many(connection: Connection, order_ids: Sequence[UUID], *, void_after_s: float) -> list[UUID]:
    """Give back the units of those of the orders whose hold has ended, and have their payment let go.

    They stay pending until the provider has said what it has of them. In the caller's transaction; returns which.
    """
    released = await holds.end_overdue(connection, order_ids)
    if released:
        await _give_back(connection, released)
        await money.queue_voids(connection, released, after_s=void_after_s)
    return released


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
