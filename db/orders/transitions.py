"""Moves orders through the state machine: guarded statement, one event, stock effects, all in one transaction.

By hand one at a time, on the order that is locked (`fulfilment/`); those that wait for their payment in batches.
Order of locks: orders by id, stock by product, allotments by sale and product, purchases (docs/locking.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from db.orders import holds, identities, money, standby
from db.orders.fulfilment import line_cancels, refunds, shipments
from db.orders.fulfilment.line_cancels import PAYMENT_S
from db.orders.fulfilment.locked_order import lock
from db.orders.fulfilment.shipments import Label
from db.orders.states import ALLOWED, Status
from db.query_files import load
from doorbuster.contract.orders import LineUnits
from doorbuster.errors import InvalidError, PaymentOpenError

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.orders.fulfilment.locked_order import LockedOrder, Moved

UNPAID = frozenset({"requires_action", "failed", "voided"})
"""Payments that came to nothing so far: who confirms such an order by hand says how it is paid."""

_SQL = load("transitions")


class HandTerms(NamedTuple):
    """What else is said of a transition by hand."""

    restock: bool = False
    """Of a refund: what comes back is in stock again."""
    label: Label = Label()
    """Of what is shipped."""
    paid_elsewhere: bool = False
    """Of what is confirmed: it is paid in another way than by the sale's payment provider."""
    payment_s: float = PAYMENT_S
    """Of what is cancelled or paid elsewhere: how long a payment that is being asked for may still be under way."""


async def transition(
    connection: Connection,
    order_id: UUID,
    to: Status,
    *,
    reason: str | None = None,
    terms: HandTerms = HandTerms(),  # noqa: B008 - frozen
) -> Moved:
    """Move one order to `to`, with what that means for its units and its money.

    `shipped` sends all that is open as one parcel, `cancelled` takes all that is open off (an order of which parcels
    have left is shipped then), `refunded` gives all money back that was taken.

    Raises:
        NotFoundError: there is no such order.
        IllegalTransitionError: the state machine has no such step from where it is, or nothing is reserved for it.
        PaymentOpenError: it would be confirmed although its payment came to nothing so far.
    """
    async with connection.transaction():
        order = await lock(connection, order_id)
        if to not in ALLOWED[order.status] or not (order.has_units or to is Status.CANCELLED):
            raise order.refusal(f"become {to}")
        await _MOVES.get(to, _step)(connection, order, to, reason, terms)
        return await order.moved(connection)


async def _confirm(
    connection: Connection, order: LockedOrder, to: Status, reason: str | None, terms: HandTerms
) -> None:
    """Confirm a pending order whose money is there, was not asked for, or is paid elsewhere."""
    if terms.paid_elsewhere and not order.takes_money:
        raise InvalidError.naming([("paid_elsewhere", "the order has nothing to pay")])
    if order.takes_money and not terms.paid_elsewhere and order.payment in UNPAID:
        detail = f"its payment is {order.payment}: say paid_elsewhere, and a reason, if it is paid in another way"
        raise PaymentOpenError(detail, payment=order.payment)
    order.step(to, reason)
    await order.write(connection)
    if terms.paid_elsewhere:
        await order.mark_paid_elsewhere(connection)
        await money.queue_voids(connection, [order.order_id], after_s=terms.payment_s)
    elif order.was_asked:
        await money.queue_look_ups(connection, [order.order_id], after_s=terms.payment_s)


async def _step(connection: Connection, order: LockedOrder, to: Status, reason: str | None, _terms: HandTerms) -> None:
    order.step(to, reason)
    await order.write(connection)


async def _cancel(
    connection: Connection, order: LockedOrder, _to: Status, reason: str | None, terms: HandTerms
) -> None:
    await line_cancels.cancel_locked(connection, order, reason=reason, payment_s=terms.payment_s)


async def _ship(connection: Connection, order: LockedOrder, _to: Status, reason: str | None, terms: HandTerms) -> None:
    await shipments.ship_locked(connection, order, label=terms.label, reason=reason)


async def _deliver(
    connection: Connection, order: LockedOrder, _to: Status, reason: str | None, _terms: HandTerms
) -> None:
    await shipments.deliver_all(connection, order, reason=reason)


async def _refund(
    connection: Connection, order: LockedOrder, _to: Status, reason: str | None, terms: HandTerms
) -> None:
    await refunds.refund_all(connection, order, reason=reason, restock=terms.restock)


_MOVES = {
    Status.CONFIRMED: _confirm,
    Status.CANCELLED: _cancel,
    Status.SHIPPED: _ship,
    Status.DELIVERED: _deliver,
    Status.REFUNDED: _refund,
}


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
    if not paid:
        return []
    rows = await connection.fetch(_SQL["confirm_paid"], *(list(column) for column in zip(*paid, strict=True)))
    for row in rows:
        if row["lines_cancelled"]:
            await refund_cancelled(connection, UUID(int=row["order_id"].int))
    return [row["order_id"] for row in rows]


async def refund_cancelled(connection: Connection, order_id: UUID) -> None:
    """Give back what was taken for units that were taken off while the payment was asked for.

    Called once, by whoever confirms the order, in the same transaction. Units that were taken off before it was asked
    for cost nothing then: only what was taken beyond the kept lines' cost goes back.
    """
    order = await lock(connection, order_id)
    beyond = order.refundable - sum(
        line.unit_price * (line.quantity - line.cancelled - line.returned) for line in order.lines.values()
    )
    taken_off = []
    for line in order.lines.values():
        units = min(line.cancelled, max(beyond, 0) // line.unit_price) if line.unit_price else 0
        if units:
            taken_off.append(LineUnits(line.line, units))
            beyond -= units * line.unit_price
    made = refunds.part_of(order, taken_off, None)
    if made.amount:
        seq = order.happened("refund", refunds.CANCELLED)
        await order.write(connection)
        await refunds.give_back(connection, order, seq, made)


async def cancel_many(
    connection: Connection,
    order_ids: Sequence[UUID],
    *,
    reason: str,
    payment: str | None = None,
    served: list[UUID] | None = None,
) -> list[UUID]:
    """Cancel those of the orders that are pending and give back the units that are held for them.

    In the caller's transaction; `payment` is how their payment stands, None: as it is noted. Those who wait for the
    units are served first, and added to `served`. Returns which moved.
    """
    # By a statement of its own: the next one sees the hold of an order that was served from the standby meanwhile.
    await money.lock_orders(connection, order_ids)
    moved = await connection.fetch(_SQL["cancel_if_pending"], order_ids, reason, payment)
    if waiting := [row["order_id"] for row in moved if not row["held"]]:
        await standby.leave(connection, waiting)
    if held := [row["order_id"] for row in moved if row["held"]]:
        await _give_back(connection, held, served)
    return [row["order_id"] for row in moved]


async def release_many(
    connection: Connection, order_ids: Sequence[UUID], *, void_after_s: float, served: list[UUID] | None = None
) -> list[UUID]:
    """Give back the units of those of the orders whose hold has ended, and have their payment let go.

    They stay pending until the provider has said what it has of them. In the caller's transaction; those who wait for
    the units are served first, and added to `served`. Returns which were released.
    """
    released = await holds.end_overdue(connection, order_ids)
    if released:
        await _give_back(connection, released, served)
        await money.queue_voids(connection, released, after_s=void_after_s)
    return released


async def cancelled_of(connection: Connection, order_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of the orders that are cancelled."""
    return [row["order_id"] for row in await connection.fetch(_SQL["cancelled_of"], order_ids)]


async def _give_back(connection: Connection, order_ids: Sequence[UUID], served: list[UUID] | None) -> None:
    """Give back what orders have, to those who wait for it first; those of them that changed are added to `served`."""
    held = await standby.lock_for(connection, order_ids)
    for statement in ("give_back_stock", "give_back_allotments", "give_back_purchases"):
        await connection.execute(_SQL[statement], order_ids)
    await identities.give_back(connection, order_ids)
    changed = await standby.serve(connection, held)
    if served is not None:
        served += changed
