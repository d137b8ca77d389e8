"""Gives money back that was taken: for units of lines, or as an amount. Owns the rows of `refunds` as they are made.

A refund is written down with the operation that carries it out, in one transaction; the money shift does it, and the
row says what became of it. Never more is given back than was taken, what is on its way back counted.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from db.orders import money
from db.orders.fulfilment.locked_order import each_once, lock
from db.orders.states import FINAL, TAKES, OrderCall, Status
from db.query_files import load
from doorbuster.contract.orders import LineUnits, RefundLine
from doorbuster.errors import InvalidError, RefundTooLargeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.connections.pool import Connection
    from db.orders.fulfilment.locked_order import LockedOrder, Moved

CANCELLED, REFUNDED = "cancelled", "refunded"
"""Reasons of refunds that nobody gave a reason for."""

_SQL = load("refunds")


class RefundKey(NamedTuple):
    """By which a call is known again, and the digest of what it asked for."""

    key: str
    fingerprint: bytes


class NewRefund(NamedTuple):
    """What is to be given back, in minor units; without lines: for no line in particular."""

    amount: int
    lines: Sequence[RefundLine] | None
    reason: str
    key: RefundKey | None = None


class Refunded(NamedTuple):
    """A refund that was asked for, now or by the same call before."""

    moved: Moved
    refund_id: UUID
    is_replay: bool


class OtherRefundError(InvalidError):
    """The key was used for another refund of the order."""

    code = "idempotency_conflict"


async def refund(
    connection: Connection,
    order_id: UUID,
    *,
    lines: Sequence[RefundLine] | None,
    amount: int | None,
    reason: str,
    key: RefundKey,
) -> Refunded:
    """Give money back; again with the same key: return what was done then.

    Without `amount` the lines' own cost. Units that are still here are taken off, those that left count as returned.
    An order that loses all of its units by it before any has left is cancelled, one that was delivered and gets all of
    its money back is refunded.

    Raises:
        NotFoundError: there is no such order.
        IllegalTransitionError: its payment is not settled.
        RefundTooLargeError: that is more than was taken.
        OtherRefundError: the key was used for something else.
        InvalidError: a line is not the order's, stands twice, or has fewer units to refund.
    """
    async with connection.transaction():
        order = await lock(connection, order_id)
        if known := await connection.fetchrow(_SQL["refund_of_key"], order_id, key.key):
            if known["fingerprint"] != key.fingerprint:
                raise OtherRefundError("the Idempotency-Key was used for another refund of this order")
            return Refunded(await order.moved(connection), UUID(int=known["refund_id"].int), is_replay=True)
        if order.status in FINAL:
            raise RefundTooLargeError(f"an order that is {order.status} has nothing to give back", refundable=0)
        if order.status not in TAKES[OrderCall.REFUND]:
            raise order.refusal("be refunded")
        wanted = _amount(order, lines or (), amount)
        taken_off = _take(order, lines or ())
        order.refundable -= wanted
        seq = _tell(order, reason, taken_off)
        order.refundable += wanted
        await order.write(connection)
        made = NewRefund(wanted, lines, reason, key)
        refund_id = await give_back(connection, order, seq, made)
        assert refund_id is not None
        return Refunded(await order.moved(connection), refund_id, is_replay=False)


def _amount(order: LockedOrder, lines: Sequence[RefundLine], amount: int | None) -> int:
    """Return what is to be given back, after a look at the lines.

    Units that are still here are paid for only where money is taken when an order is confirmed.
    """
    each_once(lines)
    cost = 0
    for place, part in enumerate(lines):
        line = order.named(part.line, f"lines[{place}].line")
        left = line.shipped - line.returned + line.open
        if part.quantity > left:
            problem = f"the line has {left} units whose money can be given back"
            raise InvalidError.naming([(f"lines[{place}].quantity", problem)])
        if order.at_shipping and part.quantity > left - line.open:
            detail = f"{line.open} units of line {line.line} have not been paid for: cancel them"
            raise RefundTooLargeError(detail, refundable=order.refundable)
        cost += line.unit_price * part.quantity
    wanted = cost if amount is None else amount
    if not 0 < wanted <= order.refundable:
        raise RefundTooLargeError(
            f"{wanted} is not between 1 and the {order.refundable} that can be given back", refundable=order.refundable
        )
    return wanted


def _split(order: LockedOrder, part: LineUnits) -> tuple[int, int]:
    """Return how many units of those named are still here, and how many have left."""
    here = 0 if order.at_shipping else min(order.lines[part.line].open, part.quantity)
    return here, part.quantity - here


def _take(order: LockedOrder, lines: Sequence[RefundLine]) -> list[LineUnits]:
    """Take off what is still here, count the rest as returned; return what was taken off."""
    taken_off = []
    for part in lines:
        here, away = _split(order, part)
        if here:
            order.take_off(order.lines[part.line], here)
            taken_off.append(LineUnits(part.line, here))
        if away:
            order.give_back(order.lines[part.line], away, restock=part.restock)
    return taken_off


def _tell(order: LockedOrder, reason: str, taken_off: Sequence[LineUnits]) -> int:
    """Move the order as far as the refund does; return the number of the event that tells of it."""
    seq = order.happened("refund", reason, taken_off)
    if taken_off and not order.is_open:
        if order.any_shipped:
            order.leave()
        else:
            order.step(Status.CANCELLED, reason)
    order.arrive(reason)
    return seq


def part_of(order: LockedOrder, taken_off: Sequence[LineUnits], reason: str | None) -> NewRefund:
    """Return the refund of units that were taken off, as far as money was taken for them."""
    cost = 0 if order.at_shipping else sum(order.lines[p.line].unit_price * p.quantity for p in taken_off)
    lines = [RefundLine(part.line, part.quantity, restock=True) for part in taken_off]
    return NewRefund(min(cost, order.refundable), lines, reason or CANCELLED)


async def give_back(connection: Connection, order: LockedOrder, seq: int, made: NewRefund) -> UUID | None:
    """Write a refund down, and the operation that carries it out; return its id, None: there is nothing to give."""
    if made.amount <= 0:
        return None
    refund_id = UUID(bytes=secrets.token_bytes(16), version=4)
    key, fingerprint = made.key or (None, None)
    lines = list(made.lines) if made.lines else None
    await connection.execute(
        _SQL["add_refund"], refund_id, order.order_id, seq, made.amount, lines, made.reason, key, fingerprint
    )
    await money.queue_refund(connection, order.order_id, made.amount, refund_id=refund_id)
    order.refundable -= made.amount
    return refund_id


async def refund_all(connection: Connection, order: LockedOrder, *, reason: str | None, restock: bool) -> None:
    """Refund a delivered order: all that was taken goes back, and what was lost on the way is not restocked."""
    lines = []
    for line in order.lines.values():
        back, lost = line.shipped - line.returned, line.missing
        if back > lost:
            lines.append(RefundLine(line.line, back, restock))
            order.give_back(line, back - lost, restock=restock)
        elif back:
            lines.append(RefundLine(line.line, back))
        order.give_back(line, lost, restock=False)
    seq = order.step(Status.REFUNDED, reason)
    await order.write(connection)
    await give_back(connection, order, seq, NewRefund(order.refundable, lines, reason or REFUNDED))
