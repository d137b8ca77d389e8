"""The standby: orders that wait for units to come back. Owns their list and who of them is served; gives nothing back.

Whoever gives units back serves the list in the same transaction, so that a drain finds only what nobody waits for:

    held = await standby.lock_for(connection, order_ids)   # or `lock_beside`
    ...                                                    # give back
    served = await standby.serve(connection, held)

Orders are served in the order of their acceptance. One that wants more than there is stays, and later ones that fit are
served, as in the drain. What slips through (an order that somebody held just then, or that wants products which were
not locked) the standby shift serves.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from uuid import UUID

from db.orders.identities import Buyer, LimitCounts
from db.query_files import load
from db.work import drain_batch

if TYPE_CHECKING:
    import asyncpg

    from db.connections.pool import Connection

ENDED = "standby_ended"
"""Reason of an order whose sale ended while it waited."""
FIRST = 50
"""Waiting orders of a product that are looked at for what else is to be locked; of all products a thousand."""
PAGE = 500
"""Waiting orders that are read at a time, of all lists together, but of each at least `LEAST`."""
LEAST = 10

Pair: TypeAlias = tuple[int, str]
"""Sale number and product."""

_BEGINNING = (datetime.min.replace(tzinfo=UTC), 0, 0, UUID(int=0))

_SQL = load("standby")


class HeldPairs(NamedTuple):
    """What a transaction has locked: the stock of products, and their rows in sales."""

    pairs: frozenset[Pair]

    @property
    def products(self) -> list[str]:
        """The products, in order."""
        return sorted({product_id for _, product_id in self.pairs})


async def lock_for(connection: Connection, order_ids: Collection[UUID]) -> HeldPairs:
    """Lock what orders have that are to give it back, and what those want who wait for it and come first."""
    rows = await connection.fetch(_SQL["pairs_of_orders"], list(order_ids), FIRST)
    return await _lock(connection, {(row["sale_number"], row["product_id"]) for row in rows})


async def lock_beside(connection: Connection, product_ids: Collection[str], *, own: Iterable[Pair] = ()) -> HeldPairs:
    """Lock the stock of products, `own` rows of theirs in sales, and what those want who wait for them first."""
    rows = await connection.fetch(_SQL["pairs_beside"], list(product_ids), FIRST)
    pairs = {(row["sale_number"], row["product_id"]) for row in rows}
    return await _lock(connection, pairs | set(own), also=product_ids)


async def _lock(connection: Connection, pairs: Collection[Pair], *, also: Collection[str] = ()) -> HeldPairs:
    """Lock stock by product, then rows of sales by sale and product (docs/locking.md)."""
    await connection.execute(_SQL["lock_stock"], [*also, *{product_id for _, product_id in pairs}])
    await connection.execute(_SQL["lock_pairs"], *_columns(pairs))
    return HeldPairs(frozenset(pairs))


def _columns(pairs: Collection[Pair]) -> tuple[list[int], list[str]]:
    return [number for number, _ in pairs], [product_id for _, product_id in pairs]


async def leave(connection: Connection, order_ids: Sequence[UUID]) -> None:
    """Take orders off the list that were cancelled while they waited."""
    await connection.execute(_SQL["leave"], order_ids)


async def want_less(connection: Connection, order_id: UUID, units: Mapping[str, int]) -> None:
    """Note at a waiting order how many units by product were taken off it; who has locked it says so."""
    await connection.execute(_SQL["want_less"], order_id, list(units), list(units.values()))


async def end_waiting(connection: Connection, *, limit: int) -> list[UUID]:
    """Cancel orders that wait in sales that are over; return which."""
    rows = await connection.fetch(_SQL["of_ended_sales"], limit)
    ids = list({row["order_id"] for row in rows})
    return [row["order_id"] for row in await connection.fetch(_SQL["end_waiting"], ids, ENDED)] if ids else []


async def waited_for(connection: Connection, product_ids: Collection[str]) -> list[str]:
    """Return those of the products that somebody waits for."""
    return [row["product_id"] for row in await connection.fetch(_SQL["waited_for"], list(product_ids))]


async def servable(connection: Connection, *, limit: int) -> list[str]:
    """Return products that somebody waits for who could have all of what is wanted now."""
    return [row["product_id"] for row in await connection.fetch(_SQL["servable"], limit)]


async def any_ended(connection: Connection) -> bool:
    """Say whether an order waits in a sale that is over."""
    return bool(await connection.fetch(_SQL["of_ended_sales"], 1))


async def serve(connection: Connection, held: HeldPairs) -> list[UUID]:
    """Reserve what is free of the locked products for those who wait for it; return the orders that changed.

    Their hold begins now; where the sale takes no money they are confirmed. One over a limit by now is cancelled.
    """
    wanted = await waited_for(connection, held.products)
    if not wanted:
        return []
    rows = await connection.fetch(_SQL["terms"], *_columns(held.pairs))
    serving = _Serving(connection, {(row["sale_number"], row["product_id"]): row for row in rows})
    await serving.go_through(frozenset(wanted))
    await serving.finish()
    return serving.changed


class _Waiting(NamedTuple):
    """A waiting order, locked."""

    order_id: UUID
    sale_number: int
    buyer: Buyer
    wanted: dict[str, int]
    """Units by product, without those cancelled meanwhile."""
    first_line: dict[str, int]
    total: int


class _Serving:
    """Goes through the list of products whose stock is locked, counting in memory what is left of them."""

    def __init__(self, connection: Connection, terms: Mapping[Pair, asyncpg.Record]) -> None:
        self._connection, self._terms = connection, terms
        self._stock = {product_id: row["stock"] for (_, product_id), row in terms.items()}
        self._allotment = {pair: row["allotment"] for pair, row in terms.items()}
        self._taken: defaultdict[int, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._counts: dict[int, LimitCounts] = {}
        self.changed: list[UUID] = []

    async def go_through(self, product_ids: Collection[str]) -> None:
        """Serve those who wait for the products, in the order of acceptance, as far as there are units."""
        after: tuple[Any, ...] | None = _BEGINNING
        while after is not None:
            free = [(*pair, self._left(pair)) for pair in self._terms if pair[1] in product_ids]
            if not (free := [one for one in free if one[2] > 0]):
                return
            most = max(PAGE // len(free), LEAST)
            rows = await self._connection.fetch(_SQL["candidates"], *zip(*free, strict=True), *after, most)
            order_ids, after = _up_to_horizon(rows, most)
            if order_ids:
                await self._serve(order_ids)

    def _left(self, pair: Pair) -> int:
        terms = self._terms.get(pair)
        if terms is None or not terms["active"]:
            return 0
        stock: int = self._stock[pair[1]]
        return stock if self._allotment[pair] is None else min(stock, self._allotment[pair])

    async def _serve(self, order_ids: list[UUID]) -> None:
        orders = [_waiting(row) for row in await self._connection.fetch(_SQL["lock_waiting"], order_ids)]
        known = [one for one in orders if one.wanted and all((one.sale_number, p) in self._terms for p in one.wanted)]
        await self._read_limits(known)
        served: list[_Waiting] = []
        refused: list[tuple[UUID, dict[str, Any]]] = []
        for order in known:
            counts = self._counts[order.sale_number]
            if any(self._left((order.sale_number, one)) < units for one, units in order.wanted.items()):
                continue
            if over := counts.over(order.buyer, order.wanted):
                refused.append((order.order_id, {"line": order.first_line[over.product_id], **over._asdict()}))
                continue
            counts.take(order.buyer, order.wanted)
            self._take(order)
            served.append(order)
        await self._write(served, refused)

    async def _read_limits(self, orders: list[_Waiting]) -> None:
        for number in {order.sale_number for order in orders}:
            terms = {product_id: row for (sale, product_id), row in self._terms.items() if sale == number}
            counts = self._counts.setdefault(number, LimitCounts(number, terms))
            await counts.read(
                self._connection, [(one.buyer, one.wanted) for one in orders if one.sale_number == number]
            )

    def _take(self, order: _Waiting) -> None:
        for product_id, units in order.wanted.items():
            self._stock[product_id] -= units
            pair = order.sale_number, product_id
            if self._allotment[pair] is not None:
                self._allotment[pair] -= units
            self._taken[order.sale_number][product_id] += units

    async def _write(self, served: list[_Waiting], refused: list[tuple[UUID, dict[str, Any]]]) -> None:
        if served:
            turns = [row[0] for row in await self._connection.fetch(_SQL["turns"], len(served))]
            await self._connection.execute(
                _SQL["serve"],
                [one.order_id for one in served],
                [one.sale_number for one in served],
                [one.total for one in served],
                turns,
            )
        if refused:
            await self._connection.execute(_SQL["refuse"], [one for one, _ in refused], [why for _, why in refused])
        self.changed += [*(one.order_id for one in served), *(one for one, _ in refused)]

    async def finish(self) -> None:
        """Write what was taken: of stock, of allotments, and what buyers have."""
        for number, taken in sorted(self._taken.items()):
            await drain_batch.take(self._connection, number, taken)
        for _, counts in sorted(self._counts.items()):
            await counts.write(self._connection)


def _up_to_horizon(rows: Sequence[asyncpg.Record], most: int) -> tuple[list[UUID], tuple[Any, ...] | None]:
    """Return the orders of several lists' beginnings that are all there is up to a place, and that place.

    A list of which `most` were read may go on behind its last: nothing behind the first such place may be served yet.
    None: every list was read to its end.
    """
    lengths, ends = Counter(row["list"] for row in rows), {row["list"]: tuple(row.values())[:4] for row in rows}
    horizon = min((ends[one] for one, length in lengths.items() if length >= most), default=None)
    seen = [row["order_id"] for row in rows if horizon is None or tuple(row.values())[:4] <= horizon]
    return list(dict.fromkeys(seen)), horizon


def _waiting(row: asyncpg.Record) -> _Waiting:
    wanted: defaultdict[str, int] = defaultdict(int)
    first_line: dict[str, int] = {}
    total = 0
    for product_id, units, price, line in row["lines"]:
        if units:
            wanted[product_id] += units
            first_line.setdefault(product_id, line)
            total += units * price
    buyer = Buyer(row["customer_id"], row["identities"])
    return _Waiting(UUID(int=row["order_id"].int), row["sale_number"], buyer, dict(wanted), first_line, total)
