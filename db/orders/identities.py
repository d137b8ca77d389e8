"""What people have of limited products, whatever accounts they order by. Owns giving back, and a card named late.

Taking is decided where stock is: by the drain, and by who reserves anew. Everyone who counts holds the product's row of
`sale_products` (docs/locking.md). What stands here for a person is a hash, `doorbuster/values/identities.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from db.query_files import load
from db.work import drain_batch
from doorbuster.values.identities import KINDS, hashed, unpack

if TYPE_CHECKING:
    from db.connections.pool import Connection

CARD = KINDS.index("card") + 1

_SQL = load("identities")


class Buyer(NamedTuple):
    """Who orders, and who is behind it."""

    sale_number: int
    customer_id: str
    identities: bytes | None


class OverLimit(NamedTuple):
    """Which limit an order is over, and what is had in other orders."""

    product_id: str
    by: str
    limit: int
    had: int


async def over_limit(
    connection: Connection, buyer: Buyer, wanted: Mapping[str, int], terms: Mapping[str, Any]
) -> OverLimit | None:
    """Return the first limit that so many units by product would be over, None if all is allowed.

    `terms` are the rows of the sale's products, locked by the caller: `limit_per_customer`, `limit_email` and so on.
    """
    limited = [(one, buyer.customer_id) for one in wanted if terms[one]["limit_per_customer"] is not None]
    customers = await drain_batch.lock_purchases(connection, buyer.sale_number, limited) if limited else {}
    people = _limited_people(buyer, wanted, terms)
    counted: Mapping[tuple[str, bytes], int] = {}
    if people:
        hashes = {identity for _, _, identity in people}
        counted = await drain_batch.read_identities(connection, buyer.sale_number, hashes)
    for product_id, _ in limited:
        had, limit = customers.get((product_id, buyer.customer_id), 0), terms[product_id]["limit_per_customer"]
        if had + wanted[product_id] > limit:
            return OverLimit(product_id, "customer", limit, had)
    for product_id, kind, identity in people:
        had, limit = counted.get((product_id, identity), 0), terms[product_id][f"limit_{kind}"]
        if had + wanted[product_id] > limit:
            return OverLimit(product_id, kind, limit, had)
    return None


async def count(connection: Connection, buyer: Buyer, wanted: Mapping[str, int], terms: Mapping[str, Any]) -> None:
    """Count so many units by product for the customer and the people behind, where there are limits; locks as above."""
    limited = {
        (one, buyer.customer_id): units for one, units in wanted.items() if terms[one]["limit_per_customer"] is not None
    }
    if limited:
        await drain_batch.count_purchases(connection, buyer.sale_number, limited)
    people = {(one, identity): wanted[one] for one, _, identity in _limited_people(buyer, wanted, terms)}
    if people:
        await drain_batch.count_identities(connection, buyer.sale_number, people)


def _limited_people(buyer: Buyer, wanted: Mapping[str, int], terms: Mapping[str, Any]) -> list[tuple[str, str, bytes]]:
    """Return (product, kind, identity) of each limit on people that an order meets."""
    named = [(KINDS[kind - 1], identity) for kind, identity in unpack(buyer.identities or b"")]
    return [
        (product_id, kind, identity)
        for product_id in wanted
        for kind, identity in named
        if terms[product_id][f"limit_{kind}"] is not None
    ]


async def give_back(connection: Connection, order_ids: Sequence[UUID]) -> None:
    """Count whole orders no longer; what was taken off them before is given back already."""
    await connection.execute(_SQL["give_back"], order_ids)


async def return_units(connection: Connection, order_id: UUID, units: Mapping[str, int]) -> None:
    """Count some units of an order no longer, by product: lines that were cancelled one by one."""
    await connection.execute(_SQL["return_units"], order_id, list(units), list(units.values()))


async def count_card(connection: Connection, order_id: UUID, fingerprint: str) -> bool:
    """Count an order for a card that its payment provider names late; False: it is over a limit, and nothing changed.

    In a transaction of the caller's. An order that named a card itself is counted by that already; asked again with the
    same card, nothing is counted twice.
    """
    row = await connection.fetchrow(_SQL["lock_buyer"], order_id)
    if row is None or any(kind == CARD for kind, _ in unpack(row["identities"] or b"")):
        return True
    wanted: defaultdict[str, int] = defaultdict(int)
    for product_id, units in row["lines"]:
        wanted[product_id] += units
    card = hashed(row["key"], "card", fingerprint)
    found = await connection.fetch(_SQL["lock_card_limits"], row["sale_number"], list(wanted))
    limits = {one["product_id"]: one["limit_card"] for one in found if one["limit_card"] is not None}
    if limits:
        counted = await drain_batch.read_identities(connection, row["sale_number"], [card])
        if any(counted.get((one, card), 0) + wanted[one] > limit for one, limit in limits.items()):
            return False
        new = {(one, card): wanted[one] for one in limits}
        await drain_batch.count_identities(connection, row["sale_number"], new)
    await connection.execute(_SQL["note_card"], order_id, bytes((CARD,)) + card)
    return True
