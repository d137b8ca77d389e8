"""Finds orders and shows them as the contract says. Owns the look-up before and after the drain; changes nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from db.orders.dead_letters import dead_letter_of
from db.orders.orders import read_order, version_of
from db.orders.view import links_of, show
from db.sales import get_sale_by_number
from doorbuster.contract.orders import OrderLine, OrderPayment, OrderView, Step
from doorbuster.orderstore import accepted, entry
from doorbuster.orderstore.ids import MAX_PARTITIONS, route_of
from doorbuster.orderstore.partition import fields_of
from doorbuster.values.timestamps import rfc3339_ms
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.orders.dead_letters import DeadLetter
    from db.orders.orders import Order
    from intake.database import Database

_ID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")


def parse_order_id(text: str) -> UUID | None:
    """Return the order id, or None if the text is none; capitals count as small letters (RFC 9562 section 4)."""
    return UUID(text) if _ID.fullmatch(text) else None


class OrderReader:
    """Looks orders up, in Postgres first, then in the stream."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._database = database
        self._redis = redis

    async def drained(self, order_id: UUID) -> Order | None:
        """Return the order if the drain has seen it."""
        async with self._database.reading("orders") as connection:
            return await read_order(connection, order_id)

    async def find(self, order_id: UUID) -> OrderView | None:
        """Return the order, also while it is only accepted."""
        order = await self.drained(order_id)
        if order is not None:
            return show(order)
        waiting = await self._only_accepted(order_id)
        if waiting is None:
            return None
        # Between the first look and the second the drain may have come by: what it wrote is what counts.
        order = await self.drained(order_id)
        return waiting if order is None else show(order)

    async def version_of(self, order_id: UUID) -> int:
        """Return how many events the order has; none before the drain has seen it."""
        async with self._database.reading("orders") as connection:
            return await version_of(connection, order_id) or 0

    async def is_accepted(self, order_id: UUID) -> bool:
        """Say whether the order store still knows that it accepted the order; asks nothing else."""
        return await accepted.is_accepted(self._redis, order_id)

    async def _only_accepted(self, order_id: UUID) -> OrderView | None:
        number, partition = route_of(order_id)
        if partition >= MAX_PARTITIONS:
            return None
        entry_id = await accepted.entry_id_of(self._redis, order_id)
        async with self._database.reading("orders") as connection:
            sale = await get_sale_by_number(connection, number)
            letter = await dead_letter_of(connection, order_id)
        if sale is None or (entry_id is None and letter is None):
            return None
        if letter is not None:
            return _buried(letter, order_id)
        assert entry_id is not None
        fields = await fields_of(self._redis, (number, partition), entry_id)
        order = None if fields is None else readable(fields.get(entry.FIELD, b""))
        return _accepted(order_id, sale.sale_id, entry_id, order)


def _accepted(order_id: UUID, sale_id: str, entry_id: str, order: entry.OrderEntry | None) -> OrderView:
    """Return an order that the drain has not seen, as far as its entry can be read."""
    metadata = metadata_of(order) if order else None
    return OrderView(
        order_id=str(order_id),
        sale_id=sale_id,
        customer_id=order.customer_id if order else "",
        status="accepted",
        accepted_at=rfc3339_ms(int(entry_id.partition("-")[0])),
        lines=[] if order is None else _lines(order),
        total=None,
        currency=None,
        payment=OrderPayment("none"),
        shipments=[],
        refunds=[],
        metadata=UNSET if metadata is None else metadata,
        history=[],
        links=links_of(order_id),
    )


def _lines(order: entry.OrderEntry) -> list[OrderLine]:
    return [
        OrderLine(
            line=number, product_id=line.product_id, quantity=line.quantity, cancelled=0, shipped=0, refunded=0,
            metadata=UNSET if metadata is None else metadata,
        )
        for number, (line, metadata) in enumerate(zip(order.lines, lines_metadata_of(order), strict=True), 1)
    ]  # fmt: skip


def _buried(letter: DeadLetter, order_id: UUID) -> OrderView:
    """Return the order of a dead letter: it waits for a person, or was given up."""
    view = _accepted(order_id, letter.sale_id, letter.entry_id, readable(letter.payload))
    view.reason = letter.reason
    if letter.discarded_at is not None:
        view.status, view.reason = "cancelled", letter.discard_reason or letter.reason
        view.history = [Step("cancelled", letter.discarded_at)]
    return view


def readable(payload: bytes) -> entry.OrderEntry | None:
    """Return the order of an entry's bytes, None where there is none."""
    try:
        return entry.decode(payload)
    except entry.LaterEntryError as error:
        return error.order
    except entry.UnreadableEntryError:
        return None


def metadata_of(order: entry.OrderEntry) -> msgspec.Raw | None:
    """Return an order's metadata as JSON, None where there is none that can be read."""
    try:
        msgspec.json.decode(order.metadata or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return msgspec.Raw(order.metadata or b"")


def lines_metadata_of(order: entry.OrderEntry) -> list[Any]:
    """Return what each line carries along, None where there is nothing that can be read."""
    try:
        found = msgspec.json.decode(order.lines_metadata or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    return found if isinstance(found, list) and len(found) == len(order.lines) else [None] * len(order.lines)


def order_id_of(text: str) -> UUID:
    """Return the order id of a path.

    Raises:
        RefusedError: `order_not_found`, also when the text is no order id.
    """
    order_id = parse_order_id(text)
    if order_id is None:
        raise not_found(text)
    return order_id


def not_found(order: object) -> RefusedError:
    """Return the refusal of an order that is not there."""
    return RefusedError("order_not_found", f"There is no order {str(order)[:64]!r}")
