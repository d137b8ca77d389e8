"""What people have of limited products, whatever accounts they order by. Owns giving back, and a card named late.

Taking is decided where stock is: by the drain, and by who reserves anew. Everyone who counts holds the product's row of
`sale_products` (docs/locking.md). What stands here for a person is a hash, `doorbuster/values/identities.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from db.query_files import load
from db.work import drain_batch, people_counts
from doorbuster.values.identities import KINDS, hashed, unpack

if TYPE_CHECKING:
    from db.connections.pool import Connection

CARD = KINDS.index("card") + 1

_SQL = load("identities")


class Buyer(NamedTuple):
    """Who orders, and who is behind it."""

    customer_id: str
    identities: bytes | None


class OverLimit(NamedTuple):
    """Which limit an order is over, and what is had in other orders."""

    product_id: str
    by: str
    limit: int
    had: int


class CardRefusal(NamedTuple):
    """Which limit the card of an order is over, and for which of its lines."""

    line: int
    over: OverLimit


class LimitCounts:
    """What buyers have of a sale's limited products, read, compared and counted up for many orders at once.

    `terms` are the sale's products, locked by the caller: rows with `limit_per_customer`, `limit_email` and so on.
    """

    def __init__(self, sale_number: int, terms: Mapping[str, Any]) -> None:
        self._sale_number, self._terms = sale_number, terms
        self._customers: dict[tuple[str, str], int] = {}
        self._people: people_counts.UnitsByPerson = {}
        self._new_customers: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._new_people: people_counts.UnitsByPerson = {}

    async def read(self, connection: Connection, orders: Iterable[tuple[Buyer, Mapping[str, int]]]) -> None:
        """Read what the buyers of orders of so many units by product have."""
        customers: set[tuple[str, str]] = set()
        people: set[bytes] = set()
        for buyer, wanted in orders:
            customers |= {(one, buyer.customer_id) for one in wanted if self._customer_limit(one) is not None}
            people |= {identity for _, _, _, identity in self._limited(buyer, wanted)}
        if customers:
            self._customers |= await drain_batch.lock_purchases(connection, self._sale_number, customers)
        if people:
            for product_id, counts in (await people_counts.read(connection, self._sale_number, people)).items():
                self._people.setdefault(product_id, {}).update(counts)

    def over(self, buyer: Buyer, wanted: Mapping[str, int]) -> OverLimit | None:
        """Return the first limit that so many units more would be over, None if all is allowed."""
        for product_id, units in wanted.items():
            limit, pair = self._customer_limit(product_id), (product_id, buyer.customer_id)
            had = self._customers.get(pair, 0) + self._new_customers.get(pair, 0)
            if limit is not None and had + units > limit:
                return OverLimit(product_id, "customer", limit, had)
        for product_id, kind, limit, identity in self._limited(buyer, wanted):
            had = sum(counts.get(product_id, {}).get(identity, 0) for counts in (self._people, self._new_people))
            if had + wanted[product_id] > limit:
                return OverLimit(product_id, kind, limit, had)
        return None

    def take(self, buyer: Buyer, wanted: Mapping[str, int]) -> None:
        """Count so many units more."""
        for product_id, units in wanted.items():
            if self._customer_limit(product_id) is not None:
                self._new_customers[product_id, buyer.customer_id] += units
        for product_id, _, _, identity in self._limited(buyer, wanted):
            counts = self._new_people.setdefault(product_id, {})
            counts[identity] = counts.get(identity, 0) + wanted[product_id]

    async def write(self, connection: Connection) -> None:
        """Write what was counted."""
        if self._new_customers:
            await drain_batch.count_purchases(connection, self._sale_number, self._new_customers)
        if self._new_people:
            await people_counts.add(connection, self._sale_number, self._new_people)

    def _customer_limit(self, product_id: str) -> int | None:
        limit: int | None = self._terms[product_id]["limit_per_customer"]
        return limit

    def _limited(self, buyer: Buyer, wanted: Iterable[str]) -> Iterator[tuple[str, str, int, bytes]]:
        """Yield (product, kind, limit, identity) of each limit on people that an order meets."""
        for number, identity in unpack(buyer.identities or b""):
            kind = KINDS[number - 1]
            for product_id in wanted:
                if (limit := self._terms[product_id][f"limit_{kind}"]) is not None:
                    yield product_id, kind, limit, identity


async def give_back(connection: Connection, order_ids: Sequence[UUID]) -> None:
    """Count whole orders no longer; what was taken off them before is given back already."""
    await connection.execute(_SQL["give_back"], order_ids)


async def return_units(connection: Connection, order_id: UUID, units: Mapping[str, int]) -> None:
    """Count some units of an order no longer, by product: lines that were cancelled one by one."""
    await connection.execute(_SQL["return_units"], order_id, list(units), list(units.values()))


async def count_card(connection: Connection, order_id: UUID, fingerprint: str) -> CardRefusal | None:
    """Count an order for a card that its payment provider names late; return the limit it is over, if nothing changed.

    In a transaction of the caller's. An order that named a card itself is counted by that already; asked again with the
    same card, nothing is counted twice.
    """
    row = await connection.fetchrow(_SQL["lock_buyer"], order_id)
    if row is None or any(kind == CARD for kind, _ in unpack(row["identities"] or b"")):
        return None
    wanted: defaultdict[str, int] = defaultdict(int)
    first_line: dict[str, int] = {}
    for product_id, units, line in row["lines"]:
        wanted[product_id] += units
        first_line.setdefault(product_id, line)
    card = hashed(row["key"], "card", fingerprint)
    found = await connection.fetch(_SQL["lock_card_limits"], row["sale_number"], list(wanted))
    limits = {one["product_id"]: one["limit_card"] for one in found if one["limit_card"] is not None}
    if limits:
        counted = await people_counts.read(connection, row["sale_number"], [card])
        for product_id, limit in limits.items():
            had = counted.get(product_id, {}).get(card, 0)
            if had + wanted[product_id] > limit:
                return CardRefusal(first_line[product_id], OverLimit(product_id, "card", limit, had))
        new = {one: {card: wanted[one]} for one in limits}
        await people_counts.add(connection, row["sale_number"], new)
    await connection.execute(_SQL["note_card"], order_id, bytes((CARD,)) + card)
    return None


async def note_refusal(connection: Connection, order_id: UUID, refusal: CardRefusal) -> None:
    """Say of an order that was cancelled for its card which limit that was."""
    told = {"line": refusal.line, **refusal.over._asdict()}
    await connection.execute(_SQL["note_refusal"], order_id, told)
