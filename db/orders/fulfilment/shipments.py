"""Sends parcels, and hears what became of them. Owns the rows of `shipments` and `shipment_lines`.

A parcel takes open units of lines; reserved units become sold ones. Units that were lost on the way are sent again from
stock, or refunded (`refunds.py`). Where money is taken at shipping, what a parcel costs is taken with it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal, NamedTuple
from uuid import UUID

from db.orders import money
from db.orders.fulfilment.locked_order import Parcel, each_once, lock
from db.orders.states import TAKES, OrderCall, Status
from db.query_files import load
from doorbuster.contract.orders import LineUnits
from doorbuster.errors import IllegalTransitionError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.connections.pool import Connection
    from db.orders.fulfilment.locked_order import LockedLine, LockedOrder, Moved

IN_THE_HOUSE = frozenset({Status.CONFIRMED, Status.PROCESSING})
_SQL = load("shipments")


class Label(NamedTuple):
    """Who brings a parcel, and under which number."""

    carrier: str | None = None
    tracking: str | None = None


class Shipped(NamedTuple):
    """A parcel that was sent or changed, and its order."""

    moved: Moved
    shipment_id: UUID


class ShipmentNotFoundError(NotFoundError):
    """The order has no such parcel."""


class _Part(NamedTuple):
    """Units of a line that go into a parcel: open ones, and some in place of lost ones."""

    line: LockedLine
    open: int
    again: int


async def ship(
    connection: Connection,
    order_id: UUID,
    *,
    lines: Sequence[LineUnits] | None = None,
    label: Label = Label(),  # noqa: B008 - frozen
    reason: str | None = None,
) -> Shipped:
    """Send a parcel of what is named, or of all that is open; where nothing is open, of what was lost.

    With the last open unit the order is shipped, by way of processing.

    Raises:
        NotFoundError: there is no such order.
        IllegalTransitionError: its state has no shipping, or what is named has left already.
        SoldOutError: there are no units in place of lost ones.
        InvalidError: a line is not the order's, stands twice, or never had so many units.
    """
    async with connection.transaction():
        order = await lock(connection, order_id)
        shipment_id = await ship_locked(connection, order, lines=lines, label=label, reason=reason)
        return Shipped(await order.moved(connection), shipment_id)


async def ship_locked(
    connection: Connection,
    order: LockedOrder,
    *,
    lines: Sequence[LineUnits] | None = None,
    label: Label = Label(),  # noqa: B008 - frozen
    reason: str | None = None,
) -> UUID:
    """Do the same with an order that is locked already; return the parcel's id."""
    if order.status not in TAKES[OrderCall.SHIP]:
        raise order.refusal("be shipped")
    parts = _all_parts(order) if lines is None else _named_parts(order, lines)
    if not parts:
        raise order.refusal("be shipped: nothing of it is left to send")
    for part in parts:
        order.send(part.line, part.open)
        order.send_again(part.line, part.again)
    shipment_id = UUID(bytes=secrets.token_bytes(16), version=4)
    order.parcels.append(
        Parcel(shipment_id, "shipped", [LineUnits(part.line.line, part.open + part.again) for part in parts])
    )
    is_last = order.status in IN_THE_HOUSE and not order.is_open
    seq = order.happened("shipment", reason)
    if is_last:
        order.leave(reason)
    await order.write(connection)
    await connection.execute(_SQL["add_shipment"], shipment_id, order.order_id, seq, *label)
    await connection.executemany(
        _SQL["add_shipment_line"], [(shipment_id, part.line.line, part.open + part.again, part.again) for part in parts]
    )
    cost = sum(part.line.unit_price * part.open for part in parts)
    if order.at_shipping and order.authorised is not None and cost:
        await money.queue_capture(connection, order.order_id, cost, shipment_id=shipment_id)
    return shipment_id


def _all_parts(order: LockedOrder) -> list[_Part]:
    found = [_Part(line, line.open, 0) for line in order.lines.values() if line.open]
    return found or [_Part(line, 0, line.missing) for line in order.lines.values() if line.missing]


def _named_parts(order: LockedOrder, lines: Sequence[LineUnits]) -> list[_Part]:
    each_once(lines)
    parts = []
    for place, named in enumerate(lines):
        line = order.named(named.line, f"lines[{place}].line")
        if named.quantity > line.quantity:
            raise InvalidError.naming([(f"lines[{place}].quantity", f"the line has {line.quantity} units")])
        if named.quantity > line.open + line.missing:
            left = f"{line.open} are open, {line.missing} were lost"
            raise order.refusal(f"have {named.quantity} units of line {line.line} shipped: {left}")
        own = min(line.open, named.quantity)
        parts.append(_Part(line, own, named.quantity - own))
    return parts


async def change_shipment(
    connection: Connection,
    order_id: UUID,
    shipment_id: UUID,
    *,
    status: Literal["delivered", "lost"] | None = None,
    label: Label = Label(),  # noqa: B008 - frozen
    reason: str | None = None,
) -> Shipped:
    """Note what became of a parcel, or correct who brings it; what is so already changes nothing.

    The order is delivered when nothing of it is on its way and nothing is missing.

    Raises:
        NotFoundError: there is no such order.
        ShipmentNotFoundError: it has no such parcel.
        IllegalTransitionError: the parcel arrived or was lost already.
    """
    async with connection.transaction():
        order = await lock(connection, order_id)
        parcel = next((one for one in order.parcels if one.shipment_id == shipment_id), None)
        if parcel is None:
            raise ShipmentNotFoundError(f"the order {order_id} has no shipment {shipment_id}")
        known = await connection.fetchrow(_SQL["label_of"], shipment_id)
        assert known is not None
        is_new_label = any(new is not None and new != old for new, old in zip(label, known, strict=True))
        seq = None
        if status is not None and status != parcel.status:
            if parcel.status != "shipped" or order.status not in TAKES[OrderCall.PARCEL]:
                detail = f"a shipment that is {parcel.status} cannot become {status}"
                raise IllegalTransitionError(detail, status=parcel.status, allowed=[])
            seq = _note(order, parcel, status, reason)
        elif is_new_label:
            order.happened("shipment", reason)
        await order.write(connection)
        await connection.execute(_SQL["change_shipment"], shipment_id, parcel.status, seq, *label)
        return Shipped(await order.moved(connection), shipment_id)


def _note(order: LockedOrder, parcel: Parcel, status: Literal["delivered", "lost"], reason: str | None) -> int:
    """Note what became of a parcel; return the number of the event that tells of it."""
    parcel.status = status
    if status == "lost":
        order.count_lost(parcel)
    seq = order.happened("shipment", reason)
    order.arrive()
    return seq


async def deliver_all(connection: Connection, order: LockedOrder, *, reason: str | None) -> None:
    """Note that an order was delivered, with every parcel of it that is on its way."""
    seq = order.step(Status.DELIVERED, reason)
    under_way = [parcel for parcel in order.parcels if parcel.status == "shipped"]
    for parcel in under_way:
        parcel.status = "delivered"
    order.arrive()
    await order.write(connection)
    await connection.executemany(
        _SQL["change_shipment"], [(parcel.shipment_id, "delivered", seq, None, None) for parcel in under_way]
    )
