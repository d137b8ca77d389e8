"""Many buyers, few units: the drain sells exactly what there is, and without its lock and guard it would not."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from db.sales import SaleProduct
from db.work import cursors, shifts
from db.work.due_work import Partition
from doorbuster.orderstore import ids
from workers.drain.shift import Drain
from workers.runtime.shift import EndReason, Shift, Work

if TYPE_CHECKING:
    from db.connections.pool import Pool
    from tests.fixtures.shop import Shop

BUYERS, UNITS = 2_000, 100


async def _drain_all(shop: Shop, partitions: int, **settings: object) -> None:
    """Run the drain shifts of all partitions at once."""
    ended = await asyncio.gather(*(shop.drain(number, **settings) for number in range(partitions)))
    assert set(ended) == {EndReason.IDLE}


async def _buy_spread(shop: Shop, partitions: int, customers: list[str], **lines: int) -> None:
    for number in range(partitions):
        mine = [shop.entry(one, **lines) for one in customers if ids.partition_of(one, partitions) == number]
        await shop.accept(*mine, partition=number)


async def _deadlocks(shop: Shop) -> int:
    """Return how many deadlocks the server has broken in this test's database: shifts retry, and would hide them."""
    await shop.db.execute("select pg_stat_force_next_flush()")
    await shop.db.execute("select pg_stat_clear_snapshot()")
    count: int = await shop.db.fetchval("select deadlocks from pg_stat_database where datname = current_database()")
    return count


@pytest.mark.parametrize("partitions", [1, 4])
@pytest.mark.parametrize("batch", [7, 1000])
async def test_two_thousand_buyers_a_hundred_units(shop: Shop, partitions: int, batch: int) -> None:
    await shop.stock(lamp=UNITS)
    await shop.open_sale("lamp", partitions=partitions)
    await _buy_spread(shop, partitions, [f"c{n}" for n in range(BUYERS)], lamp=1)
    await _drain_all(shop, partitions, drain_batch_max=batch)
    counts = await shop.db.fetch("select status::text as status, count(*) as n from orders group by 1")
    assert {row["status"]: row["n"] for row in counts} == {"pending": UNITS, "cancelled": BUYERS - UNITS}
    assert await shop.ledger("lamp") == (0, UNITS, 0)


async def test_an_allotment_is_no_more_oversold_than_stock(shop: Shop) -> None:
    await shop.stock(lamp=10 * UNITS)
    await shop.open_sale(SaleProduct(product_id="lamp", quantity=UNITS), partitions=4)
    await _buy_spread(shop, 4, [f"c{n}" for n in range(600)], lamp=1)
    await _drain_all(shop, 4, drain_batch_max=5)
    assert await shop.ledger("lamp") == (9 * UNITS, UNITS, 0)


async def test_control_without_lock_and_guard_it_oversells(shop: Shop, pool: Pool) -> None:
    """The same race, read first and written later: if this sold right, the tests above would prove nothing."""
    await shop.stock(lamp=UNITS)
    await shop.db.execute("alter table stock drop constraint stock_not_oversold")
    all_read = asyncio.Barrier(4)

    async def naive_batch(buyers: int) -> int:
        async with pool.acquire() as connection, connection.transaction():
            units = await connection.fetchval("select stock from stock where product_id = 'lamp'")
            sold = min(units, buyers)
            await all_read.wait()
            await connection.execute(
                "update stock set stock = stock - $1, reserved = reserved + $1 where product_id = 'lamp'", sold
            )
            return sold

    sold = sum(await asyncio.gather(*(naive_batch(BUYERS // 4) for _ in range(4))))
    assert sold > UNITS
    stock, _, _ = await shop.ledger("lamp")
    assert stock < 0
    await shop.db.execute("update stock set stock = received, reserved = 0")  # the audit looks at every shop


async def test_orders_over_overlapping_products_in_opposite_order_do_not_deadlock(
    shop: Shop,
) -> None:
    """Four partitions with baskets in every order: locks are taken in product order, so nobody ever waits in a ring."""
    products = [f"p{n}" for n in range(12)]
    await shop.stock(**dict.fromkeys(products, 10_000))
    await shop.open_sale(*products, partitions=4)
    chance = random.Random(7)
    for number in range(4):
        baskets = [chance.sample(products, 4) for _ in range(250)]
        orders = [shop.entry(f"c{number}-{n}", **dict.fromkeys(one, 1)) for n, one in enumerate(baskets)]
        await shop.accept(*orders, partition=number)
    await _drain_all(shop, 4, drain_batch_max=10)
    assert await _deadlocks(shop) == 0
    assert await shop.db.fetchval("select sum(reserved) from stock") == 4 * 250 * 4


async def test_cancelling_while_draining_does_not_deadlock(shop: Shop) -> None:
    """Payments decline, giving units back in one transaction, while the drain takes others of the same products."""
    products = [f"p{n}" for n in range(6)]
    await shop.stock(**dict.fromkeys(products, 500))
    await shop.open_sale(*products)
    chance = random.Random(11)
    for part in range(4):
        orders = [
            shop.entry(f"c{part}-{n}", token="decline", **dict.fromkeys(chance.sample(products, 3), 1))
            for n in range(200)
        ]
        await shop.accept(*orders)
        await asyncio.gather(shop.drain(drain_batch_max=20), shop.settle())
    await shop.settle()
    assert await _deadlocks(shop) == 0
    assert await shop.db.fetchval("select sum(stock) from stock") == 3000
    assert await shop.db.fetchval("select count(*) from orders where status = 'cancelled'") == 800


async def test_a_customers_limit_holds_between_partitions_and_orders(shop: Shop) -> None:
    """One customer's orders in four partitions at once: only a forged stream does that, and the limit still holds."""
    await shop.stock(lamp=1000)
    await shop.open_sale(SaleProduct(product_id="lamp", limit_per_customer=3), partitions=4)
    for number in range(4):
        orders = [shop.entry(customer, key=f"{number}-{n}", lamp=1) for n in range(20) for customer in ("ada", "bob")]
        await shop.accept(*orders, partition=number)
    await _drain_all(shop, 4, drain_batch_max=3)
    bought = await shop.db.fetch(
        "select customer_id, count(*) as n from orders where status = 'pending' group by 1 order by 1"
    )
    assert [(row["customer_id"], row["n"]) for row in bought] == [("ada", 3), ("bob", 3)]


async def test_two_shifts_of_one_partition_never_write_together(shop: Shop) -> None:
    """A lease is taken away again and again while its holder works: every entry is still worked off exactly once."""
    await shop.stock(lamp=5_000)
    await shop.open_sale("lamp")
    order_ids = await shop.buy(*(f"c{n}" for n in range(3_000)), lamp=1)
    name = f"drain:{shop.sale_number}:0"

    class Robbed(Drain):
        async def step(self) -> int:
            done = await super().step()
            await shop.db.execute("update shifts set lease_expires_at = now() where name = $1 and fence < 8", name)
            return done

    def make(mine: Shift) -> Work:
        return Robbed(mine, Partition(shop.sale_number, 0))

    async def keep_trying() -> list[EndReason]:
        ended = [await shop.run(name, make, drain_batch_max=50)]
        while ended[-1] != EndReason.IDLE:
            ended.append(await shop.run(name, make, drain_batch_max=50))
        return ended

    endings = [one for some in await asyncio.gather(*(keep_trying() for _ in range(3))) for one in some]
    assert EndReason.LEASE_LOST in endings
    assert (await cursors.read(shop.db, shop.sale_number, 0))[1] == len(order_ids)
    assert await shop.ledger("lamp") == (2_000, 3_000, 0)
    assert name not in await shifts.live(shop.db)
