"""An order as the contract shows it, now or as it stood at one of its events. Pure: asks and changes nothing.

What an order is shown as over HTTP and what the world is told of it are the same, made here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from msgspec import UNSET, UnsetType

from db.orders.states import Status
from doorbuster.contract.orders import (
    Links,
    OrderLine,
    OrderPayment,
    OrderView,
    RefundView,
    Refusal,
    ShipmentView,
    Step,
)
from doorbuster.values.timestamps import rfc3339_of

if TYPE_CHECKING:
    from uuid import UUID

    from db.orders.orders import Order, OrderEvent, Refund, Shipment, StoredLine
    from doorbuster.contract.fields import PaymentStatus


def links_of(order_id: UUID) -> Links:
    """Return where to go on with an order."""
    return Links(self=f"/orders/{order_id}", events=f"/orders/{order_id}/events")


def show(order: Order, at_seq: int | None = None) -> OrderView:
    """Return an order as the contract shows it; with `at_seq` as it stood when that event of it had happened.

    Status, reason, history, parcels, refunds and lines are those of then; what is known of its money is as of now.
    """
    seq = order.version if at_seq is None else at_seq
    events = [event for event in order.history if event.seq <= seq]
    steps = [event for event in events if event.kind is None]
    status = steps[-1].status if steps else order.status
    reason = order.reason if seq >= order.version else _reason_of(events)
    shipments = [one for one in order.shipments if one.seq <= seq]
    refunds = [one for one in order.refunds if one.seq <= seq]
    held_until = order.reservation_expires_at if status is Status.PENDING else None
    return OrderView(
        order_id=str(order.order_id),
        sale_id=order.sale_id,
        customer_id=order.customer_id,
        status=status.value,
        reason=reason or UNSET,
        accepted_at=rfc3339_of(order.accepted_at),
        lines=[_line(line, status, events, refunds, _units_sent(line, order, seq)) for line in order.lines],
        total=order.total,
        currency=order.currency,
        payment=_payment(order, status),
        shipments=[_shipment(one, seq) for one in shipments],
        refunds=[_refund(one) for one in refunds],
        refusal=UNSET if order.refusal is None else Refusal(**order.refusal),
        reservation_expires_at=held_until or UNSET,
        metadata=UNSET if order.metadata is None else order.metadata,
        history=[Step(event.status.value, event.at) for event in steps],
        links=links_of(order.order_id),
    )


def _reason_of(events: list[OrderEvent]) -> str | None:
    """Return why an order was as it was when these events had happened."""
    for event in reversed(events):
        if event.kind == "served":
            return None  # it stands by no more
        if event.kind is None and event.reason:
            return event.reason
    return None


def _units_sent(line: StoredLine, order: Order, seq: int) -> int:
    """Return the units of a line that had left; those sent once more for lost ones count once."""
    sent = sum(
        part.quantity for one in order.shipments if one.seq <= seq for part in one.lines if part.line == line.line
    )
    return min(sent, line.shipped)


def _line(line: StoredLine, status: Status, events: list[OrderEvent], refunds: list[Refund], shipped: int) -> OrderLine:
    taken_off = sum(part.quantity for event in events for part in event.lines if part.line == line.line)
    refunded = sum(part.quantity for one in refunds for part in one.lines or () if part.line == line.line)
    return OrderLine(
        line=line.line,
        product_id=line.product_id,
        quantity=line.quantity,
        unit_price=line.unit_price,
        cancelled=line.quantity if status is Status.CANCELLED else taken_off,
        shipped=shipped,
        refunded=refunded,
        metadata=UNSET if line.metadata is None else line.metadata,
    )


def _payment(order: Order, status: Status) -> OrderPayment:
    known = order.payment
    is_due = status is Status.PENDING and known.mode != "none" and order.total > 0
    return OrderPayment(
        status=cast("PaymentStatus", known.status or ("due" if is_due else "none")),
        authorised=_given(known.authorised),
        captured=_given(known.captured),
        refunded=_given(known.refunded),
        next_action=UNSET if known.next_action is None else known.next_action,
        paid_elsewhere=known.paid_elsewhere or UNSET,
    )


def _given(amount: int | None) -> int | UnsetType:
    return UNSET if amount is None else amount


def _shipment(one: Shipment, seq: int) -> ShipmentView:
    has_its_status = one.status_seq is None or one.status_seq <= seq
    return ShipmentView(
        shipment_id=str(one.shipment_id),
        carrier=one.carrier or UNSET,
        tracking=one.tracking or UNSET,
        status=one.status if has_its_status else "shipped",
        lines=one.lines,
        at=one.at,
    )


def _refund(one: Refund) -> RefundView:
    return RefundView(
        refund_id=str(one.refund_id),
        amount=one.amount,
        lines=one.lines or UNSET,
        reason=one.reason,
        status=one.status,
        at=one.at,
    )
