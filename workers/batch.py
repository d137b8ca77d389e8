"""Works off one batch of accepted orders in one Postgres transaction. Owns what a batch writes; never reads a stream.

Locked read, decision in memory, set-based writes: one hot product costs one row lock a batch, not one an order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import asyncpg
from asyncpg.pgproto.pgproto import UUID as FastUUID  # noqa: N811

from db import batch, cursors
from db.rows import Batch, NewOrder
from doorbuster import entry as codec
from doorbuster.entry import OrderEntry, UnreadableEntryError
from workers.backlog import place_of
from workers.decide import Poison, Shelf, Verdict, decide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from db.pool import Connection

_UNLIMITED = 2**62
CONFLICTS = "another order has this idempotency key"


class Partition(NamedTuple):
    """One stream of a sale."""

    sale_number: int
    number: int


class Lease(NamedTuple):
    """The right to write for a partition."""

    name: str
    fence: int
    lease_s: float
    batch_max: int | None = None
    """What whoever takes the lease next begins with; None: as much as fits."""


class Claim(NamedTuple):
    """What a drain shift works on: the partition, its right to write there, and the last entry worked off."""

    partition: Partition
    lease: Lease
    cursor: str


@dataclass(slots=True)
class Entry:
    """A stream entry. It is decoded when it is made: while it is read ahead, Postgres is at work and Python is not."""

    id: str
    payload: bytes
    place: tuple[int, int] = field(init=False)
    """Milliseconds and sequence of the id."""
    order: OrderEntry | None = field(init=False, default=None)
    fault: str = field(init=False, default="")
    """Why there is no order."""

    def __post_init__(self) -> None:
        self.place = place_of(self.id)
        try:
            self.order = codec.decode(self.payload)
        except UnreadableEntryError as error:
            self.fault = str(error)


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


def _rest() -> None:
    """Do nothing meanwhile."""


async def drain_batch(
    connection: Connection, claim: Claim, entries: list[Entry], *, meanwhile: Callable[[], None] = _rest
) -> Outcome:
    """Turn entries into orders, all in one transaction that also moves the cursor past them.

    `meanwhile` is called when all rows are on their way and Postgres will be at work for a while.

    Raises:
        LeaseLostError: another shift works on this partition; nothing was written.
        asyncpg.DataError, asyncpg.IntegrityConstraintViolationError: some row is broken; nothing was written.
    """
    try:
        return await _drain(connection, claim, entries, meanwhile)
    except asyncpg.UniqueViolationError:
        # An order exists already, which is rare: its key says so, and only then is it worth looking which ones do.
        return await _drain(connection, claim, entries, meanwhile, look=True)


async def _drain(
    connection: Connection, claim: Claim, entries: list[Entry], meanwhile: Callable[[], None], *, look: bool = False
) -> Outcome:
    partition, lease, cursor = claim
    readable = _read(entries)
    outcome = Outcome(entries[-1].id, 0)
    async with connection.transaction():
        now, hold = await batch.hold_shift(connection, partition.sale_number, **lease._asdict())
        if look:
            readable.orders = await _unknown(connection, readable, readable.orders)
        shelves = await _lock_shelves(connection, partition, readable.orders)
        purchases = await _lock_purchases(connection, partition, readable.orders, shelves)
        verdict = decide(readable.orders, shelves, purchases)
        await _bury_poison(connection, readable, verdict)
        await _take(connection, partition, verdict)
        if verdict.decided:
            new = _new_orders(verdict, readable.places, shelves)
            await batch.add_orders(connection, new, Batch(*partition, now, now + hold), sent=meanwhile)
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
        order = place.order
        if order is None:
            readable.letters.append((place.id, None, place.payload, Poison.UNREADABLE, place.fault))
            continue
        first = readable.places.setdefault(order.order_id, place)
        if first is place:
            readable.orders.append(order)
        elif first.order is not None and order.fingerprint != first.order.fingerprint:
            readable.bury(order, place, Poison.CONFLICT, CONFLICTS)
    return readable


async def _unknown(connection: Connection, readable: _Readable, orders: list[OrderEntry]) -> list[OrderEntry]:
    """Return which of the orders do not exist: redelivered, duplicated or replayed entries change nothing."""
    known = await batch.known_orders(connection, [FastUUID(order.order_id) for order in orders])
    unknown = []
    for order in orders:
        fingerprint = known.get(UUID(bytes=order.order_id))
        if fingerprint is None:
            unknown.append(order)
        elif order.fingerprint != fingerprint:
            readable.bury(order, readable.places[order.order_id], Poison.CONFLICT, CONFLICTS)
    return unknown


async def _bury_poison(connection: Connection, readable: _Readable, verdict: Verdict) -> None:
    """Put aside what the sale cannot sell, unless it is an order that was made when the sale still could."""
    if not verdict.poison:
        return
    unknown = await _unknown(connection, readable, [order for order, _ in verdict.poison])
    reasons = {order.order_id: reason for order, reason in verdict.poison}
    for order in unknown:
        place = readable.places[order.order_id]
        readable.bury(order, place, reasons[order.order_id], "the sale cannot sell these lines together")


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


def _new_orders(verdict: Verdict, places: Mapping[bytes, Entry], shelves: Mapping[str, Shelf]) -> Iterator[NewOrder]:
    """Yield what was decided as orders to be added, at the prices of the moment each was accepted."""
    for order, reason in verdict.decided:
        place = places[order.order_id].place
        prices = [shelves[line.product_id].price_at(place[0]) for line in order.lines]
        yield NewOrder(order, place, reason, prices, shelves[order.lines[0].product_id].currency)


async def _take(connection: Connection, partition: Partition, verdict: Verdict) -> None:
    if verdict.taken:
        await batch.take(connection, partition.sale_number, verdict.taken)
    if verdict.bought:
        await batch.count_purchases(connection, partition.sale_number, verdict.bought)
