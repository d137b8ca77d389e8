"""An order costs what was in force at its acceptance, whatever ops change between that and its drain (P11)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from db import sales
from db.connections.pool import Connection
from db.products import catalogue
from tests.fixtures.draining import make_product
from tests.fixtures.shop import Shop

Change = Callable[[Connection], Awaitable[object]]


async def _own(db: Connection) -> None:
    await make_product(db, "lamp", price=150)


async def _of_the_sale(db: Connection) -> None:
    await sales.update_sale(db, "sale-1", {"products": [sales.SaleProduct(product_id="lamp", price=70)]})


async def _window(db: Connection) -> None:
    began = datetime.now(UTC) - timedelta(hours=1)
    await catalogue.set_prices(db, "lamp", [catalogue.PriceWindow(began, None, 80)])


async def _several(db: Connection) -> None:
    for change in (_own, _of_the_sale, _window, _own):
        await change(db)


@pytest.mark.parametrize(
    ("change", "then"), [(_own, 150), (_of_the_sale, 70), (_window, 80), (_several, 70)],
    ids=["the product's price", "the sale's", "a window", "several in turn"],
)  # fmt: skip
async def test_an_order_costs_what_held_when_it_was_accepted(
    shop: Shop, db: Connection, change: Change, then: int
) -> None:
    await shop.stock(lamp=10)
    await shop.open_sale("lamp")
    before = await shop.buy("ann", lamp=2)
    await _next_millisecond()
    await change(db)
    await _next_millisecond()
    after = await shop.buy("bob", lamp=2)
    await shop.drain()
    totals = dict(await db.fetch("select order_id, total from orders"))
    assert [totals[one] for one in (*before, *after)] == [200, 2 * then]


async def test_what_was_changed_back_and_forth_is_told_apart_by_the_time(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=10)
    await shop.open_sale("lamp")
    bought = []
    for price in (100, 110, 120, 100):
        await make_product(db, "lamp", price=price)
        await _next_millisecond()
        bought += await shop.buy(f"at {price}", key=str(len(bought)), lamp=1)
        await _next_millisecond()
    await shop.drain()
    totals = dict(await db.fetch("select order_id, total from orders"))
    assert [totals[one] for one in bought] == [100, 110, 120, 100]


async def test_of_products_whose_sales_are_over_nothing_is_kept(shop: Shop, db: Connection) -> None:
    """Orders may wait for a while after a sale is closed, and for longer where its report says so."""
    await shop.stock(lamp=1, sofa=1)
    await shop.open_sale("lamp")

    async def kept_of_a_change(price: int) -> int:
        for product in ("lamp", "sofa"):
            await make_product(db, product, price=price)
        kept: int = await db.fetchval("with d as (delete from former_prices returning 1) select count(*) from d")
        return kept

    await sales.set_phase(db, "sale-1", "closed")
    assert await kept_of_a_change(150) == 1, "what was accepted may not be drained yet"
    await db.execute("update sales set closed_at = closed_at - interval '9 days'")
    assert await kept_of_a_change(160) == 0
    await db.execute(
        "insert into sale_reports (sale_number, over_at, settled, report)"
        " select sale_number, now(), false, '{}' from sales"
    )
    assert await kept_of_a_change(170) == 1, "something is under way"
    await db.execute("update sale_reports set settled = true")
    assert await kept_of_a_change(180) == 0


async def _next_millisecond() -> None:
    """Entries know the time of their acceptance to the millisecond."""
    now_ms = time.time_ns() // 1_000_000
    await asyncio.sleep((now_ms + 2) / 1000 - time.time())
