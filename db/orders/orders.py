"""Orders as others read them. Owns reading; never changes a state."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import asyncpg
import msgspec

from db.orders.states import Status
from db.query_files import load
from doorbuster.contract.fields import EARLIEST, LATEST
from doorbuster.contract.orders import LineUnits, RefundLine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from db.connections.pool import Connection

_SQL = load("orders")


class StoredLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line, counted from 1; `unit_price` in minor units, the rest in units."""

    line: int
    product_id: str
    quantity: int
    unit_price: int
    cancelled: int
    """Taken off before they left, one by one: of an order that is cancelled all are."""
    shipped: int
    """Left, those lost on the way too."""
    returned: int
    """Of the shipped: their money was given back."""
    metadata: dict[str, Any] | None = None
    """As its sender gave it."""

    @property
    def open(self) -> int:
        """Units that have neither left nor been taken off."""
        return self.quantity - self.cancelled - self.shipped


class StoredPayment(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an order's money, in minor units; None: nothing."""

    mode: Literal["capture", "authorise", "none"]
    """How its sale takes money."""
    status: str | None
    authorised: int | None
    captured: int | None
    refunded: int | None
    next_action: Any
    paid_elsewhere: bool = False
    """Ops confirmed it, and it is paid in another way."""


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel: sent with the order's `seq`-th event, in its state since the `status_seq`-th."""

    shipment_id: UUID
    seq: int
    carrier: str | None
    tracking: str | None
    status: Literal["shipped", "delivered", "lost"]
    status_seq: int | None
    """None: since it was sent."""
    at: datetime
    lines: list[LineUnits]


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Money given back by the order's `seq`-th event; `amount` in minor units."""

    refund_id: UUID
    seq: int
    amount: int
    lines: list[RefundLine] | None
    """None: for no line in particular."""
    reason: str
    status: Literal["pending", "succeeded", "failed"]
    at: datetime


class OrderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to an order, as its `seq`-th event: a transition, or else of a `kind` that leaves its status."""

    seq: int
    status: Status
    at: datetime
    reason: str | None = None
    kind: str | None = None
    """line_cancelled, shipment, refund, action_required or served; None: a transition."""
    lines: list[LineUnits] = []
    """Units that it took off before they left, if not all."""


class OrderSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An order as lists show it."""

    order_id: UUID
    sale_id: str
    customer_id: str
    status: Status
    reason: str | None
    accepted_at: datetime
    updated_at: datetime
    total: int
    currency: str


class Order(OrderSummary, frozen=True, kw_only=True):
    """An order with all there is to it; `version` counts its events."""

    version: int
    metadata: dict[str, Any] | None
    refusal: dict[str, Any] | None
    """What it was refused for at its turn: line, product and figures."""
    reservation_expires_at: datetime | None
    payment: StoredPayment
    lines: list[StoredLine]
    shipments: list[Shipment]
    refunds: list[Refund]
    history: list[OrderEvent]


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders a list shows; `before` is (accepted_at, order_id) of the page before's last row."""

    sale_id: str | None = None
    customer_id: str | None = None
    status: Status | None = None
    reason: str | None = None
    since: datetime | None = None
    """Accepted then or later."""
    until: datetime | None = None
    """Accepted before."""
    before: tuple[datetime, UUID] | None = None


_PAYMENT = ("mode", "status", "authorised", "captured", "refunded", "next_action", "paid_elsewhere")


def _event(row: asyncpg.Record) -> OrderEvent:
    lines = [] if row[5] is None else msgspec.convert(row[5], list[LineUnits])
    return OrderEvent(seq=row[0], status=Status(row[1]), at=row[2], reason=row[3], kind=row[4], lines=lines)


def _line(row: asyncpg.Record) -> StoredLine:
    line, product_id, quantity, unit_price, cancelled, shipped, returned, metadata = row
    return StoredLine(
        line=line, product_id=product_id, quantity=quantity, unit_price=unit_price,
        cancelled=cancelled or 0, shipped=shipped or 0, returned=returned or 0,
        metadata=metadata,
    )  # fmt: skip


def _shipment(row: asyncpg.Record) -> Shipment:
    shipment_id, seq, carrier, tracking, status, status_seq, at, lines = row
    return Shipment(
        shipment_id=UUID(int=shipment_id.int), seq=seq, carrier=carrier, tracking=tracking, status=status,
        status_seq=status_seq, at=at, lines=[LineUnits(*line) for line in lines],
    )  # fmt: skip


def _refund(row: asyncpg.Record) -> Refund:
    refund_id, seq, amount, lines, reason, status, at = row
    return Refund(
        refund_id=UUID(int=refund_id.int), seq=seq, amount=amount, reason=reason, status=status, at=at,
        lines=None if lines is None else msgspec.convert(lines, list[RefundLine]),
    )  # fmt: skip


def _order_id(row: asyncpg.Record) -> UUID:
    return UUID(int=row["order_id"].int)


async def read_order(connection: Connection, order_id: UUID) -> Order | None:
    """Return an order with all there is to it."""
    row = await connection.fetchrow(_SQL["read_orders"], [order_id])
    return None if row is None else _order(row)


async def read_orders(connection: Connection, order_ids: Sequence[UUID]) -> list[Order]:
    """Return orders with all there is to them, in the order of their ids; those that are none are left out."""
    found = {order.order_id: order for order in map(_order, await connection.fetch(_SQL["read_orders"], order_ids))}
    return [found[order_id] for order_id in order_ids if order_id in found]


def _order(row: asyncpg.Record) -> Order:
    values = dict(row)
    payment = StoredPayment(**dict(zip(_PAYMENT, values.pop("payment"), strict=True)))
    return Order(
        **values
        | {
            "order_id": _order_id(row),
            "status": Status(row["status"]),
            "payment": payment,
            "lines": [_line(line) for line in row["lines"]],
            "shipments": [_shipment(one) for one in row["shipments"]],
            "refunds": [_refund(one) for one in row["refunds"]],
            "history": [_event(event) for event in row["history"]],
        }
    )


async def list_orders(connection: Connection, chosen: OrderFilter, *, limit: int = 50) -> list[OrderSummary]:
    """Return orders, newest first by acceptance."""
    accepted_at, order_id = chosen.before or (None, None)
    since, until = chosen.since or EARLIEST, chosen.until or LATEST
    terms = (chosen.sale_id, chosen.status, accepted_at, order_id, limit, since, until)
    if chosen.customer_id is not None:
        rows = await connection.fetch(_SQL["list_customers_orders"], *terms, chosen.reason, chosen.customer_id)
    elif chosen.reason is not None:
        rows = await connection.fetch(_SQL["list_orders_by_reason"], *terms, chosen.reason)
    else:
        rows = await connection.fetch(_SQL["list_orders"], *terms)
    return [OrderSummary(**dict(row) | {"order_id": _order_id(row), "status": Status(row["status"])}) for row in rows]


async def events_behind(connection: Connection, known: Mapping[UUID, int]) -> dict[UUID, list[OrderEvent]]:
    """Return the events of several orders, in their order, behind the one that is known of each."""
    found: dict[UUID, list[OrderEvent]] = {}
    for row in await connection.fetch(_SQL["events_behind"], list(known), list(known.values())):
        found.setdefault(_order_id(row), []).append(_event(row))
    return found


async def version_of(connection: Connection, order_id: UUID) -> int | None:
    """Return how many events an order has, None if there is no such order."""
    version: int | None = await connection.fetchval(_SQL["version_of"], order_id)
    return version
