"""Orders as others read them. Owns reading; never changes a state."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import msgspec

from db.orders.states import Status
from db.query_files import load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from db.connections.pool import Connection

_SQL = load("orders")


class StoredLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line; `unit_price` in minor units."""

    product_id: str
    quantity: int
    unit_price: int


class OrderEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to an order, as its `seq`-th event: a transition, or else of a `kind` that leaves its status."""

    seq: int
    status: Status
    at: datetime
    reason: str | None = None
    kind: str | None = None
    """line_cancelled, shipment, refund or action_required; None: a transition."""


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
    lines: list[StoredLine]
    history: list[OrderEvent]


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders a list shows; `before` is (accepted_at, order_id) of the page before's last row."""

    sale_id: str | None = None
    customer_id: str | None = None
    status: Status | None = None
    before: tuple[datetime, UUID] | None = None


def _event(row: asyncpg.Record) -> OrderEvent:
    return OrderEvent(seq=row[0], status=Status(row[1]), at=row[2], reason=row[3], kind=row[4])


def _order_id(row: asyncpg.Record) -> UUID:
    return UUID(int=row["order_id"].int)


async def read_order(connection: Connection, order_id: UUID) -> Order | None:
    """Return an order with its lines and history."""
    row = await connection.fetchrow(_SQL["read_order"], order_id)
    if row is None:
        return None
    return Order(
        **dict(row)
        | {
            "order_id": _order_id(row),
            "status": Status(row["status"]),
            "lines": [StoredLine(product_id=line[0], quantity=line[1], unit_price=line[2]) for line in row["lines"]],
            "history": [_event(event) for event in row["history"]],
        }
    )


async def list_orders(connection: Connection, chosen: OrderFilter, *, limit: int = 50) -> list[OrderSummary]:
    """Return orders, newest first by acceptance."""
    accepted_at, order_id = chosen.before or (None, None)
    terms = (chosen.sale_id, chosen.status, accepted_at, order_id, limit)
    if chosen.customer_id is None:
        rows = await connection.fetch(_SQL["list_orders"], *terms)
    else:
        rows = await connection.fetch(_SQL["list_customers_orders"], *terms, chosen.customer_id)
    return [OrderSummary(**dict(row) | {"order_id": _order_id(row), "status": Status(row["status"])}) for row in rows]


async def events_of(connection: Connection, order_ids: Iterable[UUID]) -> dict[UUID, list[OrderEvent]]:
    """Return the events of several orders, of each in their order."""
    found: dict[UUID, list[OrderEvent]] = {}
    for row in await connection.fetch(_SQL["events_of"], list(order_ids)):
        found.setdefault(_order_id(row), []).append(_event(row))
    for events in found.values():
        events.sort(key=lambda event: event.seq)
    return found
