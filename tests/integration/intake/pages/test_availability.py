"""What pages say of the units left follows the drain; the price an order gets is the one its page showed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from redis.asyncio import Redis

from catalogue.prices import price_at
from db.products.catalogue import PriceWindow, set_prices
from db.sales import SaleProduct
from doorbuster import keys
from doorbuster.orderstore import entry
from doorbuster.redis_clients import plain_client
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.shop import Shop
from tests.fixtures.waiting import eventually
from workers.scheduler import Scheduler


async def _shows(http: httpx.AsyncClient, availability: str) -> bool:
    return str((await http.get("/products/lamp")).json()["availability"]) == availability


async def _lists(http: httpx.AsyncClient, availability: str) -> bool:
    return [str(one["availability"]) for one in (await http.get("/products")).json()["items"]] == [availability]


async def _units(shop: Shop) -> int | None:
    async with plain_client(shop.settings.cache_redis_url.get_secret_value()) as cache:
        told = await cache.hget(keys.UNITS, "lamp")
    return None if told is None else int(told)


async def test_pages_follow_the_drain(shop: Shop, serve: Serve) -> None:
    await shop.stock(lamp=12)
    await shop.open_sale("lamp")
    intake = await serve(catalogue_fresh_s=0.1)
    assert await _shows(intake.http, "in_stock")
    await shop.buy("a", "b", lamp=1)
    await shop.drain()
    await eventually(lambda: _shows(intake.http, "low"), within_s=2)
    await eventually(lambda: _lists(intake.http, "low"), within_s=2)
    await shop.buy("c", lamp=10)
    await shop.drain()
    await eventually(lambda: _shows(intake.http, "sold_out"), within_s=2)
    await eventually(lambda: _lists(intake.http, "sold_out"), within_s=2)
    (await intake.ops.post("/ops/products/lamp/stock", json={"receive": 30})).raise_for_status()
    await eventually(lambda: _shows(intake.http, "in_stock"), within_s=2)
    await eventually(lambda: _lists(intake.http, "in_stock"), within_s=2)


async def _by_hand(shop: Shop, intake: Intake, order: UUID) -> None:
    (await intake.http.post(f"/orders/{order}/cancel")).raise_for_status()


async def _by_refund(shop: Shop, intake: Intake, order: UUID) -> None:
    await shop.settle()
    for to in ("processing", "shipped", "delivered", "refunded"):
        body = {"to": to} | ({"restock": True} if to == "refunded" else {})
        (await intake.ops.post(f"/ops/orders/{order}/transitions", json=body)).raise_for_status()


async def _by_sweep(shop: Shop, intake: Intake, order: UUID) -> None:
    await shop.db.execute("update reservations set expires_at = now() - interval '1 h', attempts = 1")
    await shop.sweep()


async def _by_settling(shop: Shop, intake: Intake, order: UUID) -> None:
    await shop.db.execute("update reservations set payment_token = 'decline'")
    await shop.settle()


async def _by_adjusting(shop: Shop, intake: Intake, order: UUID) -> None:
    body = {"adjust": 1, "reason": "found one"}
    (await intake.ops.post("/ops/products/lamp/stock", json=body)).raise_for_status()


@pytest.mark.parametrize("give_back", [_by_hand, _by_refund, _by_sweep, _by_settling, _by_adjusting])
async def test_pages_hear_of_units_that_come_back(
    shop: Shop, serve: Serve, give_back: Callable[[Shop, Intake, UUID], Awaitable[None]]
) -> None:
    await shop.stock(lamp=1)
    await shop.open_sale("lamp")
    intake = await serve(catalogue_fresh_s=0.1)
    [order] = await shop.buy("a", lamp=1)
    await shop.drain()
    await eventually(lambda: _shows(intake.http, "sold_out"), within_s=2)
    await give_back(shop, intake, order)
    assert await _units(shop) == 1
    await eventually(lambda: _shows(intake.http, "low"), within_s=2)


async def test_what_was_told_late_is_corrected_while_a_sale_is_sold_out(shop: Shop) -> None:
    await shop.stock(lamp=1)
    await shop.open_sale("lamp")
    await shop.buy("a", lamp=1)
    await shop.drain()
    async with plain_client(shop.settings.cache_redis_url.get_secret_value()) as cache:
        await cache.hset(keys.UNITS, "lamp", "1")
    scheduler = Scheduler(shop.settings)
    try:
        await scheduler.tick()
    finally:
        await scheduler.close()
    assert await _units(shop) == 0


async def test_a_sales_allotment_is_not_the_products_stock(shop: Shop, serve: Serve, orders_redis: Redis) -> None:
    await shop.stock(lamp=1000)
    number = await shop.open_sale(SaleProduct(product_id="lamp", quantity=2))
    intake = await serve(catalogue_fresh_s=0.1)
    await shop.buy("a", "b", "c", lamp=1)
    await shop.drain()
    assert await orders_redis.smembers(keys.sold_out(number, 0)) == {b"lamp"}
    assert await _units(shop) == 998
    scheduler = Scheduler(shop.settings)
    try:
        await scheduler.tick()
    finally:
        await scheduler.close()
    assert await _units(shop) == 998
    assert await _shows(intake.http, "in_stock")


async def test_without_its_cache_the_drain_goes_on(shop: Shop) -> None:
    shop.settings = shop.settings.model_copy(update={"cache_redis_url": type(shop.settings.cache_redis_url)(
        "redis://127.0.0.1:1/0"
    )})  # fmt: skip
    await shop.stock(lamp=12)
    await shop.open_sale("lamp")
    ids = await shop.buy("a", "b", lamp=1)
    await shop.drain()
    assert await shop.statuses(ids) == ["pending", "pending"]


@pytest.mark.parametrize(("own_price", "expected"), [(None, [100, 60, 60, 100]), (80, [80, 80, 80, 80])])
async def test_an_order_gets_the_price_of_the_moment_it_was_accepted(
    shop: Shop, orders_redis: Redis, own_price: int | None, expected: list[int]
) -> None:
    """All in one batch, drained long after; a price of the sale's own goes before."""
    await shop.stock(lamp=12)
    starts = (await shop.db.fetchval("select date_trunc('milliseconds', clock_timestamp())")) - timedelta(minutes=1)
    ends = starts + timedelta(seconds=2)
    await set_prices(shop.db, "lamp", [PriceWindow(starts, ends, 60)])
    number = await shop.open_sale(SaleProduct(product_id="lamp", price=own_price))
    moments = [int(moment.timestamp() * 1000) for moment in (starts, ends)]
    accepted = [moments[0] - 1, moments[0], moments[1] - 1, moments[1]]
    for customer, moment in zip("abcd", accepted, strict=True):
        payload = entry.encode(shop.entry(customer, lamp=1))
        await orders_redis.xadd(keys.stream(number, 0), {entry.FIELD: payload}, id=f"{moment}-0")
    await orders_redis.hincrby(keys.gate(number, 0), "accepted", 4)
    await shop.drain()
    totals = await shop.db.fetch("select total from orders order by customer_id")
    assert [row["total"] for row in totals] == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (0, (100, 10)),
        (10, (60, 15)),
        (15, (50, 20)),
        (20, (60, 30)),
        (30, (100, 40)),
        (40, (70, None)),
        (99, (70, None)),
    ],
)
def test_which_price_holds_and_until_when(now: int, expected: tuple[int, int | None]) -> None:
    assert price_at(100, [(10, 30, 60), (15, 20, 50), (40, None, 70)], now) == expected
