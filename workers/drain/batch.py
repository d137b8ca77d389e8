"""Works off one batch of accepted orders in one Postgres transaction. Owns what a batch writes; never reads a stream.

Locked read, decision in memory, set-based writes: one hot product costs one row lock a batch, not one an order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from asyncpg.pgproto.pgproto import UUID as FastUUID  # noqa: N811

from db.work import cursors
from db.work import drain_batch as batch_statements
from db.work.copy_rows import NewOrder, OrderRows
from db.work.due_work import Partition
from db.work.shifts import Lease
from doorbuster.contract.fields import TOTAL_MAX, is_total_sure
from doorbuster.orderstore import entry as codec
from doorbuster.orderstore.entry import LaterEntryError, OrderEntry, UnreadableEntryError
from doorbuster.orderstore.partition import place_of
from doorbuster.values.identities import KINDS
from workers.drain import people_reading
from workers.drain.at_once import AtOnce
from workers.drain.decide import Cause, FormerPrice, Poison, Purchases, Reason, SellableUnits, Verdict, decide
from workers.drain.people import PeopleLimits, people_of, repeated, strictest
from workers.drain.people_memory import PeopleMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from catalogue.prices import Window
    from db.connections.pool import Connection
    from db.work import people_counts
    from workers.payments.gateway import Gateway

_UNLIMITED = 2**62
_NOBODY = (None,) * len(KINDS)
_CARD = KINDS.index("card")
_UNPRICED = frozenset({Reason.UNAVAILABLE, Reason.MIXED_CURRENCY})
NO_CURRENCY = "XXX"
"""ISO 4217 for none: of an order of products that do not exist."""
CONFLICTS = "another order has this idempotency key"


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
    total: bytes = b""
    """Bytes of all entries of the stream up to the end of this one; empty: who wrote it did not count."""
    place: tuple[int, int] = field(init=False)
    """Milliseconds and sequence of the id."""
    order: OrderEntry | None = field(init=False, default=None)
    fault: str = field(init=False, default="")
    """Why there is no order."""
    later: OrderEntry | None = field(init=False, default=None)
    """What is known of one that only a later version can serve."""

    def __post_init__(self) -> None:
        self.place = place_of(self.id)
        try:
            self.order = codec.decode(self.payload)
        except LaterEntryError as error:
            self.fault, self.later = str(error), error.order
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
    dead_lettered: int = 0


@dataclass(slots=True)
class _Readable:
    """The batch's orders by acceptance, and the entries that were none."""

    orders: list[OrderEntry] = field(default_factory=list)
    places: dict[bytes, Entry] = field(default_factory=dict)
    letters: list[batch_statements.Letter] = field(default_factory=list)

    def dead_letter(self, order: OrderEntry, place: Entry, reason: Poison, detail: str) -> None:
        """Put a readable order's entry aside."""
        customer = None if "\x00" in order.customer_id else order.customer_id  # Postgres' text has no place for it
        order_id = UUID(bytes=order.order_id)
        self.letters.append(batch_statements.Letter(place.id, order_id, customer, place.payload, reason, detail))


def _rest() -> None:
    """Do nothing meanwhile."""


async def drain_batch(
    connection: Connection,
    claim: Claim,
    entries: list[Entry],
    *,
    gateway: Gateway | None = None,
    meanwhile: Callable[[], None] = _rest,
    memory: PeopleMemory | None = None,
) -> Outcome:
    """Turn entries into orders, all in one transaction that also moves the cursor past them.

    What `gateway` says at once about an order's money confirms it; None: all payments are to be asked for later.
    `meanwhile` is called when all rows are on their way and Postgres will be at work for a while. `memory` is of the
    batches before, of the same sale.

    Raises:
        LeaseLostError: another shift works on this partition; nothing was written.
        asyncpg.DataError, asyncpg.IntegrityConstraintViolationError: some row is broken; nothing was written.
    """
    job, look = _Job(claim, entries, gateway, meanwhile, PeopleMemory() if memory is None else memory), False
    while True:
        try:
            return await _drain(connection, job, look=look)
        except people_reading.FarBehindError as error:
            await people_reading.read_on(connection, claim.partition.sale_number, job.memory, error.numbers)
        except asyncpg.UniqueViolationError:
            # An order exists already, which is rare: its key says so, and only then is it worth looking which ones do.
            if look:
                raise
            look = True


class _Job(NamedTuple):
    """One batch, as it is asked for."""

    claim: Claim
    entries: list[Entry]
    gateway: Gateway | None
    meanwhile: Callable[[], None]
    memory: PeopleMemory


async def _drain(connection: Connection, job: _Job, *, look: bool) -> Outcome:
    (partition, lease, cursor), entries, gateway, meanwhile, memory = job
    readable = _read(entries)
    outcome = Outcome(entries[-1].id, 0)
    async with connection.transaction():
        now, hold = await batch_statements.renew_lease(connection, partition.sale_number, **lease._asdict())
        if look:
            readable.orders = await _unknown(connection, readable, readable.orders)
        room = 0
        if any(order.standby for order in readable.orders):
            room = await batch_statements.lock_standby(connection, partition.sale_number)
        sellable, mode = await _lock_sellable(connection, partition, readable)
        purchases = await _read_purchases(connection, partition, readable.orders, sellable, memory)
        verdict = decide(readable.orders, sellable, purchases, _judged(readable, sellable), room)
        numbers = await _take(connection, partition, verdict)
        if verdict.decided:
            known = sellable | await _strays(connection, verdict, sellable)
            new = _new_orders(verdict, readable.places, known)
            pay = AtOnce(gateway, mode, card_limited=_is_card_limited(sellable))
            rows = OrderRows(*partition, now, now + hold, pay=pay)
            people = people_reading.rows_of(partition.sale_number, verdict, numbers)
            await batch_statements.add_orders(connection, new, rows, people=people, sent=meanwhile)
        outcome.dead_lettered = await batch_statements.dead_letter(connection, *partition, readable.letters)
        repeated = len(entries) - len(verdict.decided) - outcome.dead_lettered
        step = cursors.CursorStep(cursor, outcome.cursor, len(entries), repeated)
        outcome.drained = await cursors.advance(connection, *partition, step)
    people_reading.remember(memory, verdict, numbers)
    outcome.changed = [order.order_id for order, _ in verdict.decided]
    outcome.sold_out = {product_id for product_id, product in sellable.items() if product.units <= 0}
    outcome.in_stock = sellable.keys() - outcome.sold_out
    outcome.units = {product_id: product.stock - verdict.taken[product_id] for product_id, product in sellable.items()}
    return outcome


async def dead_letter_entry(connection: Connection, claim: Claim, entry: Entry, *, detail: str) -> Outcome:
    """Put one entry aside that the database would not take, and move the cursor past it."""
    partition, lease, cursor = claim
    readable = _read([entry])
    for order in readable.orders:
        readable.dead_letter(order, entry, Poison.REJECTED, detail)
    async with connection.transaction():
        await batch_statements.renew_lease(connection, partition.sale_number, **lease._asdict())
        dead_lettered = await batch_statements.dead_letter(connection, *partition, readable.letters)
        step = cursors.CursorStep(cursor, entry.id, 1, 1 - dead_lettered)
        drained = await cursors.advance(connection, *partition, step)
    return Outcome(entry.id, drained, dead_lettered=dead_lettered)


def _read(entries: list[Entry]) -> _Readable:
    readable = _Readable()
    for place in entries:
        order = place.order
        if place.later is not None:
            readable.dead_letter(place.later, place, Poison.UNREADABLE, place.fault)
            continue
        if order is None:
            unreadable = batch_statements.Letter(place.id, None, None, place.payload, Poison.UNREADABLE, place.fault)
            readable.letters.append(unreadable)
            continue
        first = readable.places.setdefault(order.order_id, place)
        if first is place:
            readable.orders.append(order)
        elif first.order is not None and order.fingerprint != first.order.fingerprint:
            readable.dead_letter(order, place, Poison.CONFLICT, CONFLICTS)
    return readable


async def _unknown(connection: Connection, readable: _Readable, orders: list[OrderEntry]) -> list[OrderEntry]:
    """Return which of the orders do not exist: redelivered, duplicated or replayed entries change nothing."""
    known = await batch_statements.known_orders(connection, [FastUUID(order.order_id) for order in orders])
    unknown = []
    for order in orders:
        fingerprint = known.get(UUID(bytes=order.order_id))
        if fingerprint is None:
            unknown.append(order)
        elif order.fingerprint != fingerprint:
            readable.dead_letter(order, readable.places[order.order_id], Poison.CONFLICT, CONFLICTS)
    return unknown


async def _lock_sellable(
    connection: Connection, partition: Partition, readable: _Readable
) -> tuple[dict[str, SellableUnits], str]:
    """Return what the orders' products have, and how the sale takes money."""
    if not readable.orders:
        return {}, ""
    wanted = {line.product_id for order in readable.orders for line in order.lines}
    since = datetime.fromtimestamp(readable.places[readable.orders[0].order_id].place[0] / 1000, UTC)
    rows = await batch_statements.lock_sellable(connection, partition.sale_number, wanted, since=since)
    limits: dict[tuple[int | None, ...], PeopleLimits] = {}
    found = {
        row["product_id"]: SellableUnits(
            units=min(row["stock"], _UNLIMITED if row["allotment"] is None else row["allotment"]),
            price=row["own_price"] if row["sale_price"] is None else row["sale_price"],
            currency=row["currency"],
            active=row["active"],
            limit_per_customer=row["limit_per_customer"],
            people=_people_limits(row, limits),
            people_number=row["people_number"],
            windows=_windows(row["windows"]) if row["sale_price"] is None else (),
            stock=row["stock"],
            former=tuple(FormerPrice(until, sale, own, _windows(w)) for until, sale, own, w in row["former"] or ()),
        )
        for row in rows
    }
    return found, rows[0]["payment"] if rows else ""


def _windows(rows: list[list[int]] | None) -> tuple[Window, ...]:
    return tuple((starts, ends, price) for starts, ends, price in rows or ())


async def _strays(
    connection: Connection, verdict: Verdict, sellable: dict[str, SellableUnits]
) -> dict[str, SellableUnits]:
    """Return what products cost that orders want and the sale has no more: for the cancelled orders' rows alone."""
    cancelled = (order for order, reason in verdict.decided if reason is not None)
    missing = {line.product_id for order in cancelled for line in order.lines if line.product_id not in sellable}
    if not missing:
        return {}
    found = {one: SellableUnits(0, 0, NO_CURRENCY, active=False, limit_per_customer=None) for one in missing}
    for row in await batch_statements.read_strays(connection, missing):
        found[row["product_id"]] = SellableUnits(
            0, row["price"], row["currency"], active=False, limit_per_customer=None
        )
    return found


def _is_card_limited(sellable: Mapping[str, SellableUnits]) -> bool:
    """Say whether cards are counted: then the provider is to name each before money is taken."""
    return any(one.people is not None and one.people.most[_CARD] is not None for one in sellable.values())


def _people_limits(row: asyncpg.Record, known: dict[tuple[int | None, ...], PeopleLimits]) -> PeopleLimits | None:
    """Return a product's limits on people; products with the same ones share them, and what is read by them."""
    limits = tuple(row[f"limit_{kind}"] for kind in KINDS)
    return None if limits == _NOBODY else known.setdefault(limits, PeopleLimits(limits))


async def _read_purchases(
    connection: Connection,
    partition: Partition,
    orders: list[OrderEntry],
    sellable: dict[str, SellableUnits],
    memory: PeopleMemory,
) -> Purchases:
    """Return what customers and whoever is behind them have of the limited products."""
    limited = {product_id for product_id, product in sellable.items() if product.limit_per_customer is not None}
    customers: dict[tuple[str, str], int] = {}
    people: people_counts.UnitsByPerson = {}
    if limited:
        pairs = {
            (line.product_id, order.customer_id)
            for order in orders
            for line in order.lines
            if line.product_id in limited
        }
        customers = await batch_statements.lock_purchases(connection, partition.sale_number, pairs)
    by_people = {one: product for one, product in sellable.items() if product.people is not None}
    limits = strictest({product.people for product in by_people.values() if product.people is not None})
    names = [] if limits is None else people_of(orders, limits)
    contested = repeated(names)
    if names:
        numbers = {one: product.people_number for one, product in by_people.items()}
        await people_reading.hear(connection, partition.sale_number, memory, numbers)
        people = memory.find(names)
        contested.update(*people.values())
    return Purchases(customers, people, frozenset(contested))


def _new_orders(
    verdict: Verdict, places: Mapping[bytes, Entry], sellable: Mapping[str, SellableUnits]
) -> Iterator[NewOrder]:
    """Yield what was decided as orders to be added, at the prices of the moment each was accepted."""
    for order, reason in verdict.decided:
        place = places[order.order_id].place
        prices = [sellable[line.product_id].price_at(place[0]) for line in order.lines]
        currency = sellable[order.lines[0].product_id].currency
        if reason in _UNPRICED:
            # A total of two currencies would be none.
            prices = [
                price if sellable[line.product_id].currency == currency else 0
                for line, price in zip(order.lines, prices, strict=True)
            ]
        known = None if reason is None else verdict.causes.get(order.order_id)
        cause = None if known is None else _told(known)
        yield NewOrder(order, place, reason, prices, currency, cause)


def _judged(readable: _Readable, sellable: Mapping[str, SellableUnits]) -> dict[bytes, Reason]:
    """Return the orders that cost something else than is expected, or more than any may."""
    found = {}
    for order in readable.orders:
        if order.expected_total is None and is_total_sure(order.lines):
            continue
        if any(line.product_id not in sellable for line in order.lines):
            continue
        at = readable.places[order.order_id].place[0]
        total = sum(line.quantity * sellable[line.product_id].price_at(at) for line in order.lines)
        if total > TOTAL_MAX:
            found[order.order_id] = Reason.TOTAL
        elif order.expected_total not in (None, total):
            found[order.order_id] = Reason.PRICE_CHANGED
    return found


@lru_cache(maxsize=1024)
def _told(cause: Cause) -> bytes:
    """Return a cause as JSON: when a product has sold out, thousands of orders have the same."""
    return msgspec.json.encode({name: value for name, value in cause._asdict().items() if value is not None})


async def _take(connection: Connection, partition: Partition, verdict: Verdict) -> dict[str, int]:
    """Count what is taken; return the new numbers of products of which people take some."""
    if verdict.taken:
        await batch_statements.take(connection, partition.sale_number, verdict.taken)
    if verdict.bought:
        await batch_statements.count_purchases(connection, partition.sale_number, verdict.bought)
    return await people_reading.number(connection, partition.sale_number, verdict)
