"""What happens to sales and products is told, each once, whoever and however many see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db import sales
from db.products.products import Product, put_product
from db.webhooks import world_events
from tests.fixtures.receivers import Hooks
from workers.publish.catalogue import catalogue_relay
from workers.scheduler import Scheduler
from workers.webhooks.sales import SaleEvents


async def look(hooks: Hooks, *schedulers: SaleEvents) -> None:
    numbers = [row["sale_number"] for row in await hooks.shop.db.fetch("select sale_number from sales")]
    for scheduler in schedulers or (SaleEvents(),):
        await scheduler.look(hooks.shop.db, numbers)


async def make_sale(hooks: Hooks, sale_id: str, starts_in_s: float, **more: object) -> sales.Sale:
    starts_at = datetime.now(UTC) + timedelta(seconds=starts_in_s)
    spec = sales.SaleSpec(sale_id=sale_id, products=[sales.SaleProduct(product_id="lamp")], starts_at=starts_at, **more)  # type: ignore[arg-type]
    return await sales.create_sale(hooks.shop.db, spec)


@pytest.fixture
async def stocked(hooks: Hooks) -> Hooks:
    await hooks.shop.stock(lamp=2)
    return hooks


async def test_a_sale_opens_and_closes_once(stocked: Hooks) -> None:
    receiver = await stocked.receiver("sale.opened", "sale.closed")
    sale = await make_sale(stocked, "spring.1", 600)
    one, other = SaleEvents(), SaleEvents()
    await look(stocked, one, other)
    await stocked.tell()
    assert receiver.got == [], "too early for anything"
    db = stocked.shop.db
    await db.execute("update sales set starts_at = now() - interval '1 s'")
    await look(stocked, one, other, SaleEvents())
    await sales.set_phase(db, sale.sale_id, "closed")
    await look(stocked, one, other, SaleEvents())
    await stocked.tell()
    assert receiver.types == ["sale.opened", "sale.closed"]
    assert receiver.ids == [f"sale:spring%2E1:{what}" for what in ("opened", "closed")]
    data = receiver.got[-1].body["data"]
    assert (data["sale_id"], data["phase"]) == ("spring.1", "closed")
    assert set(data) == {"sale_id", "name", "starts_at", "ends_at", "phase"}


async def test_a_sale_that_ends_by_its_window_is_closed(stocked: Hooks) -> None:
    receiver = await stocked.receiver()
    await make_sale(stocked, "spring", -100, ends_at=datetime.now(UTC) - timedelta(seconds=50))
    await make_sale(stocked, "never", 100)
    await sales.set_phase(stocked.shop.db, "never", "closed")
    await look(stocked)
    await stocked.tell()
    assert sorted(receiver.ids) == ["sale:never:closed", "sale:spring:closed", "sale:spring:opened"]


async def test_a_sale_on_hold_has_not_opened(stocked: Hooks) -> None:
    receiver = await stocked.receiver()
    await make_sale(stocked, "spring", -1)
    await sales.set_phase(stocked.shop.db, "spring", "hold")
    await look(stocked)
    await stocked.tell()
    assert receiver.got == []
    await sales.set_phase(stocked.shop.db, "spring", "open")
    await look(stocked)
    await stocked.tell()
    assert receiver.types == ["sale.opened"]


async def test_the_scheduler_tells_of_the_sale_and_of_what_is_sold_out(stocked: Hooks) -> None:
    receiver = await stocked.receiver("sale.opened", "sale.sold_out")
    await stocked.shop.open_sale("lamp")
    await stocked.shop.buy("ada", "bob", lamp=1)
    await stocked.shop.drain()
    for _ in range(2):
        scheduler = Scheduler(stocked.shop.settings)
        await scheduler.tick()
        await scheduler.close()
    await stocked.tell()
    assert receiver.types.count("sale.opened") == 1
    (gone,) = [one for one in receiver.got if one.type == "sale.sold_out"]
    assert gone.body["data"]["product_id"] == "lamp"
    assert gone.id == "sale:sale-1:sold_out:lamp"


async def test_changes_of_products_are_told_to_who_asks_for_them(stocked: Hooks) -> None:
    db = stocked.shop.db
    await stocked.receiver("order.pending")
    await stocked.shop.run("catalogue", catalogue_relay)
    assert await db.fetchval("select count(*) from world_events") == 0, "nobody asks"
    receiver = await stocked.receiver("product.changed")
    for price in (300, 400):
        await put_product(
            db, Product(product_id="Crème:1.5", name="Crème", brand="b", category="c", price=price, currency="EUR")
        )
    await stocked.shop.run("catalogue", catalogue_relay)
    await stocked.tell()
    assert receiver.ids == ["product:Cr%C3%A8me%3A1%2E5:1", "product:Cr%C3%A8me%3A1%2E5:2"]
    data = receiver.got[-1].body["data"]
    assert (data["product_id"], data["version"], data["price"]) == ("Crème:1.5", 2, 400)


def test_ids_of_events_tell_parts_apart() -> None:
    ids = {
        world_events.event_id(*parts)
        for parts in [("sale", "a:b", "c"), ("sale", "a", "b:c"), ("sale", "a.b", "c"), ("sale", "a%2Eb", "c")]
    }
    assert len(ids) == 4
    assert all(one.isascii() and "." not in one for one in ids)
