"""Takes units of an order off before they leave: all that are open, or some. Owns that decision and what follows of it.

Units go back to stock, sale and customer; money that was taken for them is refunded, money that is only held is let go
with the last of them. What has left is never taken off: it is refunded (`refunds.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.orders import money
from db.orders.fulfilment import refunds
from db.orders.fulfilment.locked_order import each_once, lock
from db.orders.states import TAKES, OrderCall, Status
from doorbuster.contract.orders import LineUnits, RefundLine
from doorbuster.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from db.connections.pool import Connection
    from db.orders.fulfilment.locked_order import LockedOrder, Moved

PAYMENT_S = 60.0
"""Longest that asking for a payment may take, unless a caller knows better."""


async def cancel(
    connection: Connection,
    order_id: UUID,
    *,
    lines: Sequence[LineUnits] | None = None,
    reason: str | None = None,
    payment_s: float = PAYMENT_S,
) -> Moved:
    """Take off what is named of an order, or all that is open.

    An order with nothing left of it is cancelled; one of which parcels have left is shipped. `payment_s` is how long a
    payment that is being asked for may still be under way: only then is it let go.

    Raises:
        NotFoundError: there is no such order.
        IllegalTransitionError: it has shipped, or is over, or what is named has left already.
        InvalidError: a line is not the order's, stands twice, or never had so many units.
    """
    async with connection.transaction():
        order = await lock(connection, order_id)
        await cancel_locked(connection, order, lines=lines, reason=reason, payment_s=payment_s)
        return await order.moved(connection)


async def cancel_locked(
    connection: Connection,
    order: LockedOrder,
    *,
    lines: Sequence[LineUnits] | None = None,
    reason: str | None = None,
    payment_s: float = PAYMENT_S,
) -> None:
    """Do the same with an order that is locked already; nothing else may have been decided of it."""
    if order.status not in TAKES[OrderCall.CANCEL]:
        raise order.refusal("be cancelled")
    wanted = _wanted(order, lines)
    was_pending, may_hold_money = order.status is Status.PENDING, order.may_hold_money
    for part in wanted:
        order.take_off(order.lines[part.line], part.quantity)
    seq = _tell(order, wanted, reason)
    await order.write(connection)
    if order.status is Status.CANCELLED and order.refundable:
        lines_back = [RefundLine(part.line, part.quantity, restock=True) for part in wanted]
        made = refunds.NewRefund(order.refundable, lines_back, reason or refunds.CANCELLED)
        await refunds.give_back(connection, order, seq, made)
    elif order.status is Status.CANCELLED:
        if may_hold_money:
            await money.queue_voids(connection, [order.order_id], after_s=payment_s if was_pending else 0.0)
    elif was_pending:
        if order.is_held:
            await order.mark_hold(connection)
    elif order.at_shipping:
        if not order.is_open and not order.is_capturing:
            await money.queue_voids(connection, [order.order_id])  # what was taken stays taken, the rest is let go
    else:
        await refunds.give_back(connection, order, seq, refunds.part_of(order, wanted, reason))


def _wanted(order: LockedOrder, lines: Sequence[LineUnits] | None) -> list[LineUnits]:
    """Return what is to be taken off, all of which is open."""
    if lines is None:
        return [LineUnits(line.line, line.open) for line in order.lines.values() if line.open]
    each_once(lines)
    for place, part in enumerate(lines):
        line = order.named(part.line, f"lines[{place}].line")
        if part.quantity > line.quantity:
            raise InvalidError.naming([(f"lines[{place}].quantity", f"the line has {line.quantity} units")])
        if part.quantity > line.open:
            raise order.refusal(f"have {part.quantity} units of line {line.line} cancelled: {line.open} are open")
    return [LineUnits(part.line, part.quantity) for part in lines]


def _tell(order: LockedOrder, wanted: Sequence[LineUnits], reason: str | None) -> int:
    """Move the order as far as what was taken off does; return the number of the event that tells of it."""
    if order.is_open:
        return order.happened("line_cancelled", reason, wanted)
    if not order.any_shipped:
        return order.step(Status.CANCELLED, reason)
    seq = order.happened("line_cancelled", reason, wanted)
    order.leave()
    order.arrive()
    return seq
