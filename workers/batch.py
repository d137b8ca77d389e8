"""Works off one batch of accepted orders in one Postgres transaction. Owns what a batch writes; never reads a stream.

Locked read, decision in memory, set-based writes: one hot product costs one row lock a batch, not one an order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from asyncpg.pgproto.pgproto import UUID as FastUUID  # noqa: N811

from db import batch, cursors
from doorbuster import entry as codec
from doorbuster.entry import OrderEntry, UnreadableEntryError
from workers.decide import Poison, Reason, Shelf, Verdict, decide

if TYPE_CHECKING:
    from db.pool import Connection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNLIMITED = 2**62


class Partition(NamedTuple):
    """One stream of a sale."""

    sale_number: int
    number: int


class Lease(NamedTuple):
    """The right to write for a partition."""

    name: str
    fence: int
    lease_s: float


class Claim(NamedTuple):
    """What a drain shift works on: the partition, its right to write there, and the last entry worked off."""

    partition: Partition
    lease: Lease
    cursor: str


class Entry(NamedTuple):
    """A stream entry as read: its id and the encoded order."""

    id: str
    payload: bytes


@dataclass(slots=True)
class Outcome:
    """What a committed batch changed."""

    cursor: str
    drained: int
    changed: list[bytes] = field(default_factory=list)
    """Ids of the orders that came to be."""
    sold_out: set[str] = field(default_factory=set)
    in_stock: set[str] = field(default_factory=set)
    units: dict[str, int] = field(default_factory=dict)
    """What is left in stock of each product the batch wanted, for its page: other sales may sell it."""
    buried: int = 0


@dataclass(slots=True)
class _Readable:
    """The batch's orders by acceptance, and the entries that were none."""

    orders: list[OrderEntry] = field(default_factory=list)
    places: dict[bytes, Entry] = field(default_factory=dict)
    letters: list[tuple[str, UUID | None, bytes, str, str]] = field(default_factory=list)

    def bury(self, order: OrderEntry, place: Entry, reason: Poison, detail: str) -> None:
        """Put a readable order's entry aside."""
        self.letters.append((place.id, UUID(bytes=order.order_id), place.payload, reason, detail))


async def drain_batch(connection: Connection, claim: Claim, entries: list[Entry]) -> Outcome:
    """Turn entries into orders, all in one transaction that also moves the cursor past them.

    Raises:
        LeaseLostError: another shift works on this partition; nothing was written.
        asyncpg.DataError, asyncpg.IntegrityConstraintViolationError: some row is broken; nothing was written.
    """
    partition, lease, cursor = claim
    readable = _read(entries)
    outcome = Outcome(entries[-1].id, 0)
    async with connection.transaction():
        now, hold = await batch.hold_shift(connection, partition.sale_number, **lease._asdict())
        await _leave_out_known(connection, readable)
        shelves = await _lock_shelves(connection, partition, readable.orders)
        purchases = await _lock_purchases(connection, partition, readable.orders, shelves)
        verdict = decide(readable.orders, shelves, purchases)
        for order, reason in verdict.poison:
            readable.bury(order, readable.places[order.order_id], reason, "the sale cannot sell these lines together")
        await _write(connection, partition, verdict, _Rows(partition, readable.places, shelves, now, hold))
        outcome.buried = await batch.bury(connection, *partition, readable.letters)
        repeated = len(entries) - len(verdict.decided) - outcome.buried
        step = cursors.Step(cursor, outcome.cursor, len(entries), repeated)
        outcome.drained = await cursors.advance(connection, *partition, step)
    outcome.changed = [order.order_id for order, _ in verdict.decided]
    outcome.sold_out = {product_id for product_id, shelf in shelves.items() if shelf.units <= 0}
    outcome.in_stock = shelves.keys() - outcome.sold_out
    outcome.units = {product_id: shelf.stock - verdict.taken[product_id] for product_id, shelf in shelves.items()}
    return outcome


async def bury_entry(connection: Connection, claim: Claim, entry: Entry, *, detail: str) -> Outcome:
    """Put one entry aside that the database would not take, and move the cursor past it."""
    partition, lease, cursor = claim
    readable = _read([entry])
    for order in readable.orders:
        readable.bury(order, entry, Poison.REJECTED, detail)
    async with connection.transaction():
        await batch.hold_shift(connection, partition.sale_number, **lease._asdict())
        buried = await batch.bury(connection, *partition, readable.letters)
        step = cursors.Step(cursor, entry.id, 1, 1 - buried)
        drained = await cursors.advance(connection, *partition, step)
    return Outcome(entry.id, drained, buried=buried)


def _read(entries: list[Entry]) -> _Readable:
    readable = _Readable()
    for place in entries:
        try:
            order = codec.decode(place.payload)
        except UnreadableEntryError as error:
            readable.letters.append((place.id, None, place.payload, Poison.UNREADABLE, str(error)))
            continue
        first = readable.places.setdefault(order.order_id, place)
        if first is place:
            readable.orders.append(order)
        elif order.fingerprint != codec.decode(first.payload).fingerprint:
            readable.bury(order, place, Poison.CONFLICT, "another order has this idempotency key")
    return readable


async def _leave_out_known(connection: Connection, readable: _Readable) -> None:
    """Leave out what exists: redelivered, duplicated or replayed entries change nothing."""
    known = await batch.known_orders(connection, [FastUUID(order.order_id) for order in readable.orders])
    if not known:
        return
    fresh = []
    for order in readable.orders:
        fingerprint = known.get(UUID(bytes=order.order_id))
        if fingerprint is None:
            fresh.append(order)
        elif order.fingerprint != fingerprint:
            readable.bury(
                order, readable.places[order.order_id], Poison.CONFLICT, "another order has this idempotency key"
            )
    readable.orders = fresh


async def _lock_shelves(connection: Connection, partition: Partition, orders: list[OrderEntry]) -> dict[str, Shelf]:
    wanted = {line.product_id for order in orders for line in order.lines}
    rows = await batch.lock_shelf(connection, partition.sale_number, wanted) if wanted else []
    return {
        row["product_id"]: Shelf(
            units=min(row["stock"], _UNLIMITED if row["allotment"] is None else row["allotment"]),
            price=row["price"],
            currency=row["currency"],
            active=row["active"],
            limit_per_customer=row["limit_per_customer"],
            windows=tuple(tuple(window) for window in row["windows"] or ()),
            stock=row["stock"],
        )
        for row in rows
    }


async def _lock_purchases(
    connection: Connection, partition: Partition, orders: list[OrderEntry], shelves: dict[str, Shelf]
) -> dict[tuple[str, str], int]:
    limited = {product_id for product_id, shelf in shelves.items() if shelf.limit_per_customer is not None}
    if not limited:
        return {}
    pairs = {
        (line.product_id, order.customer_id) for order in orders for line in order.lines if line.product_id in limited
    }
    return await batch.lock_purchases(connection, partition.sale_number, pairs)


class _Rows:
    """Builds the rows of a batch's orders."""

    def __init__(
        self,
        partition: Partition,
        places: dict[bytes, Entry],
        shelves: dict[str, Shelf],
        now: datetime,
        hold: timedelta,
    ) -> None:
        self._partition = partition
        self._places = places
        self._shelves = shelves
        self._now = now
        self._expires_at = now + hold
        self.orders: list[tuple[object, ...]] = []
        self.lines: list[tuple[object, ...]] = []
        self.reservations: list[tuple[object, ...]] = []
        self.events: list[tuple[object, ...]] = []

    def add(self, order: OrderEntry, reason: Reason | None) -> None:
        """Add the rows of one order; `reason` says why it is cancelled, None that it is reserved."""
        order_id = FastUUID(order.order_id)
        sale_number, partition = self._partition
        milliseconds, _, sequence = self._places[order.order_id].id.partition("-")
        status = "pending" if reason is None else "cancelled"
        currency = self._shelves[order.lines[0].product_id].currency
        total = 0
        for number, line in enumerate(order.lines, 1):
            price = self._shelves[line.product_id].price_at(int(milliseconds))
            total += price * line.quantity
            self.lines.append((order_id, number, line.quantity, price, line.product_id))
        self.orders.append(
            (
                order_id, sale_number, partition, int(sequence), 1, status,
                _EPOCH + timedelta(milliseconds=int(milliseconds)), self._now, total, currency, order.customer_id,
                reason, order.payment_token, order.fingerprint, order.metadata,
            )
        )  # fmt: skip
        self.events.append((order_id, 1, status, self._now, reason))
        if reason is None:
            self.reservations.append(
                (order_id, sale_number, partition, self._now, self._expires_at, total, currency, order.payment_token)
            )


async def _write(connection: Connection, partition: Partition, verdict: Verdict, rows: _Rows) -> None:
    if verdict.taken:
        await batch.take(connection, partition.sale_number, verdict.taken)
    if verdict.bought:
        await batch.count_purchases(connection, partition.sale_number, verdict.bought)
    for order, reason in verdict.decided:
        rows.add(order, reason)
    for table, records in (
        ("orders", rows.orders),
        ("order_lines", rows.lines),
        ("reservations", rows.reservations),
        ("order_events", rows.events),
    ):
        await batch.add_rows(connection, table, records)
