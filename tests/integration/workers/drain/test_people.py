"""What a living drain remembers of people: what others count is heard, and what was rolled back is not remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import msgspec
import pytest

from db import sales
from db.orders import transitions
from db.work import people_counts
from doorbuster.orderstore import entry as codec
from tests.fixtures.draining import Draining, make_product
from workers.drain.batch import Claim, Entry, drain_batch
from workers.drain.people_memory import PeopleMemory

if TYPE_CHECKING:
    from uuid import UUID

    from db.connections.pool import Connection

CARD = b"c" * 16


class Buying:
    """A drain whose memory lives, and orders by one card."""

    def __init__(self, connection: Connection, draining: Draining) -> None:
        self._connection, self._draining = connection, draining
        self.memory = PeopleMemory()
        self._made = 0

    def entry(self, customer: str = "ada", *, card: bytes | None = CARD, **changes: object) -> Entry:
        self._made += 1
        plain = self._draining.entry(customer, {"lamp": 1}, f"key-{self._made}")
        assert plain.order is not None
        packed = None if card is None else b"\2" + card
        return Entry(plain.id, codec.encode(msgspec.structs.replace(plain.order, identities=packed, **changes)))

    async def drain(self, *entries: Entry) -> list[UUID]:
        """Drain entries as one batch; return which orders have units."""
        mine = self._draining
        claim = Claim(mine.partition, mine.lease, mine.cursor)
        outcome = await drain_batch(self._connection, claim, list(entries), memory=self.memory)
        mine.cursor = outcome.cursor
        ids = [one.order.order_id for one in entries if one.order is not None]
        rows = await self._connection.fetch(
            "select order_id from orders where order_id = any($1::uuid[]) and status = 'pending'",
            [str(codec_id.hex()) for codec_id in ids],
        )
        return [row["order_id"] for row in rows]


@pytest.fixture
async def buying(db: Connection) -> Buying:
    await make_product(db, "lamp", units=100)
    return Buying(db, await Draining.of(db, [sales.SaleProduct(product_id="lamp", limit_card=1)]))


async def test_what_was_given_back_may_be_had_again(buying: Buying, db: Connection) -> None:
    (first,) = await buying.drain(buying.entry())
    assert await buying.drain(buying.entry("bob")) == []
    async with db.transaction():
        await transitions.cancel_many(db, [first], reason="test")
    assert len(await buying.drain(buying.entry("cy"))) == 1
    assert await buying.drain(buying.entry("dee")) == []


async def test_what_others_count_is_heard(buying: Buying, db: Connection) -> None:
    await buying.drain(buying.entry(card=b"d" * 16))
    async with db.transaction():  # as somebody does who holds the product
        await people_counts.add(db, 1, {"lamp": {CARD: 1}})
    assert await buying.drain(buying.entry()) == []
    await db.execute("delete from people_counts where position($1 in identities) > 0", CARD)


async def test_what_was_rolled_back_is_not_remembered(buying: Buying) -> None:
    with pytest.raises(asyncpg.DataError):
        await buying.drain(buying.entry(), buying.entry("bob", card=None, payment_token="no\x00text"))
    assert len(await buying.drain(buying.entry())) == 1
    assert await buying.drain(buying.entry("cy")) == []


async def test_a_limit_that_changes_is_heard(buying: Buying, db: Connection) -> None:
    await buying.drain(buying.entry())
    for limit in (None, 2):
        terms = [sales.SaleProduct(product_id="lamp", limit_card=limit)]
        await sales.update_sale(db, "sale", {"products": terms})
        assert len(await buying.drain(buying.entry(f"with {limit}"))) == (limit is None)
    rows = await db.fetch("select quantity from identity_purchases")
    assert [row["quantity"] for row in rows] == [2]
