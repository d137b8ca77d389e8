"""Units come back while drains take and others wait: they go to who waits, in the order of acceptance, all of them."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest

from db.orders import standby, transitions
from db.orders.states import Status
from db.products import stock
from db.sales import SaleProduct
from doorbuster.errors import IllegalTransitionError
from tests.fixtures.waiting import eventually
from tests.races.test_overselling import _deadlocks

if TYPE_CHECKING:
    from db.connections.pool import Pool
    from tests.fixtures.shop import Shop

PARTITIONS = 3
ROUNDS = 25


async def _accept_mixed(shop: Shop, chance: random.Random, orders: int, *, products: tuple[str, ...]) -> None:
    """Orders of which most would wait, in all partitions."""
    for number in range(PARTITIONS):
        mine = []
        for n in range(orders):
            picked = chance.sample(products, chance.randint(1, len(products)))
            order = shop.entry(f"c{number}-{n}", **{one: chance.randint(1, 3) for one in picked})
            mine.append(msgspec.structs.replace(order, standby=chance.random() < 0.8 or None))
        await shop.accept(*mine, partition=number)


async def _cancel_some(shop: Shop, pool: Pool, chance: random.Random) -> None:
    """Take pending orders back, held and waiting ones, in batches and by hand, and bring in units.

    Begins when somebody waits: before that there is nothing to race for, and a late drain would find all of it over.
    """
    async with pool.acquire() as connection:
        somebody = "select exists (select from standby)"
        await eventually(lambda: connection.fetchval(somebody), within_s=60, what="somebody to wait")
    for _ in range(ROUNDS):
        async with pool.acquire() as connection:
            rows = await connection.fetch(
                "select order_id from orders where status = 'pending' order by random() limit 8"
            )
            ids = [row["order_id"] for row in rows]
            if chance.random() < 0.6:
                async with connection.transaction():
                    await transitions.cancel_many(connection, ids, reason="test")
            elif chance.random() < 0.7:
                for order_id in ids[:3]:
                    await _by_hand(connection, order_id)
            else:
                await stock.receive(connection, chance.choice(("lamp", "rug")), chance.randint(1, 4))
        await asyncio.sleep(0)


async def _by_hand(connection: Any, order_id: UUID) -> None:
    status = await connection.fetchval("select status::text from orders where order_id = $1", order_id)
    if status == "pending":
        try:
            await transitions.transition(connection, order_id, Status.CANCELLED, reason="test")
        except IllegalTransitionError:
            return  # somebody else cancelled it meanwhile


async def _were_served(shop: Shop) -> int:
    """Return how many orders that waited got their units, also of those that were cancelled after that."""
    count: int = await shop.db.fetchval("select count(distinct order_id) from standby where served is not null")
    return count


@pytest.mark.parametrize("seed", [1, 2])
async def test_give_back_drain_and_standby_at_once(shop: Shop, pool: Pool, seed: int) -> None:
    chance = random.Random(seed)
    await shop.stock(lamp=40, rug=40)
    await shop.open_sale(SaleProduct(product_id="lamp", quantity=60), "rug", partitions=PARTITIONS)
    await _accept_mixed(shop, chance, 80, products=("lamp", "rug"))
    await asyncio.gather(
        *(shop.drain(number, drain_batch_max=6) for number in range(PARTITIONS)),
        *(_cancel_some(shop, pool, random.Random(seed * 100 + n)) for n in range(3)),
    )
    await shop.standby()
    assert await _deadlocks(shop) == 0
    assert await standby.servable(shop.db, limit=10) == []
    assert await _were_served(shop) > 0
    # The fixture's audit: the ledger, the allotments, who was passed over.


async def test_nobody_overtakes_who_waits(shop: Shop, pool: Pool) -> None:
    """Single units come back one by one while newcomers are drained: every one of them goes to the list."""
    await shop.stock(lamp=30)
    await shop.open_sale("lamp")
    held = await shop.buy(*(f"h{n}" for n in range(30)), lamp=1)
    waiting = await shop.stand_by(*(f"w{n}" for n in range(30)), lamp=1)
    await shop.drain()
    newcomers = await shop.buy(*(f"n{n}" for n in range(300)), lamp=1)

    async def give_back() -> None:
        for order_id in held:
            async with pool.acquire() as connection, connection.transaction():
                await transitions.cancel_many(connection, [order_id], reason="test")

    await asyncio.gather(give_back(), shop.drain(drain_batch_max=5))
    assert await shop.statuses(waiting) == ["pending"] * 30
    assert set(await shop.statuses(newcomers)) == {"cancelled:sold_out"}
    served = await shop.db.fetch("select order_id from standby order by served")
    assert [row["order_id"] for row in served] == waiting


async def test_control_served_in_a_transaction_of_its_own_newcomers_overtake(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: with the list served after the commit, and not in it, a drain in between takes the unit."""
    await shop.stock(lamp=1)
    await shop.open_sale("lamp")
    (held,) = await shop.buy("ada", lamp=1)
    (waiting,) = await shop.stand_by("bob", lamp=1)
    await shop.drain()
    (newcomer,) = await shop.buy("cyd", lamp=1)

    async def nothing(*_: Any) -> list[UUID]:
        return []

    with monkeypatch.context() as without:
        without.setattr(standby, "serve", nothing)
        async with shop.db.transaction():
            await transitions.cancel_many(shop.db, [held], reason="test")
    await shop.drain()
    await shop.standby()
    assert await shop.statuses([waiting, newcomer]) == ["pending:standby", "pending"]


async def test_control_without_the_locks_units_are_given_twice(shop: Shop, pool: Pool) -> None:
    """Negative control: the same statements, with no stock locked: two who serve give one unit to two orders."""
    await shop.stock(lamp=0)
    await shop.open_sale("lamp")
    await shop.stand_by("ada", "bob", lamp=1)
    await shop.drain()
    await shop.db.execute("alter table stock drop constraint stock_not_oversold")
    await shop.db.execute("update stock set stock = 1, received = 1")
    both_read = asyncio.Barrier(2)

    async def naive() -> int:
        async with pool.acquire() as connection, connection.transaction():
            units = await connection.fetchval("select stock from stock")
            await both_read.wait()
            if not units:
                return 0
            served = await connection.fetch(
                "select order_id from standby where served is null order by accepted_at, entry_seq limit 1"
                " for update skip locked"
            )
            await both_read.wait()
            await connection.execute("update stock set stock = stock - 1, reserved = reserved + 1")
            return len(served)

    assert sum(await asyncio.gather(naive(), naive())) == 2
    assert await shop.db.fetchval("select stock from stock") == -1
    await shop.db.execute("update stock set stock = 0, reserved = 0, received = 0")  # the audit looks at every shop
