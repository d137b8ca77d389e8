"""`doorbuster audit` holds the order store against the database, and says so when an accepted entry is missing."""

from __future__ import annotations

import asyncio
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from db.products.products import Product, put_product
from db.sales import SaleProduct, SaleSpec, create_sale
from doorbuster import keys
from doorbuster.orderstore.spent import ENDED
from readiness import audited
from tests.fixtures.up import doorbuster
from tests.fixtures.visitors import Visitor, open_room

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from tests.fixtures.intake import Intake


@pytest.fixture
def urls(database_url: str, orders_redis_url: str, jobs_redis_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "ORDERS_REDIS_URL": orders_redis_url, "JOBS_REDIS_URL": jobs_redis_url}


async def _audit(urls: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(doorbuster, "audit", *arguments, env=urls)


async def _sale_with_three_accepted(db: Connection, orders: Redis) -> str:
    product = Product(product_id="lamp", name="Lamp", brand="Lux", category="Lighting", price=1999, currency="EUR")
    await put_product(db, product)
    sale = await create_sale(db, SaleSpec(sale_id="friday", products=[SaleProduct(product_id="lamp")], partitions=2))
    stream = keys.stream(sale.number, 1)
    for _ in range(3):
        await orders.xadd(stream, {"e": "an order"})
    await orders.hset(keys.gate(sale.number, 1), "accepted", "3")
    return stream


def _figure(report: dict[str, Any], what: str) -> tuple[int, int]:
    figure = next(figure for figure in report["figures"] if what in figure["what"])
    return figure["value"], figure["breaches"]


async def test_nothing_at_all_breaks_no_promise(urls: dict[str, str]) -> None:
    done = await _audit(urls)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("all promises hold\n")
    assert {line.split()[0] for line in done.stdout.splitlines()[:-1]} == {
        "P1",
        "P2",
        "P3",
        "P4",
        "P5",
        "P6",
        "P11",
        "P12",
    }


async def test_entries_that_wait_are_accounted_for(urls: dict[str, str], db: Connection, orders_redis: Redis) -> None:
    await _sale_with_three_accepted(db, orders_redis)
    done = await _audit(urls, "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["breaches"] == 0
    assert _figure(report, "order store accepted") == (3, 0)
    assert _figure(report, "waiting to be drained") == (3, 0)


async def test_a_missing_entry_is_a_breach(urls: dict[str, str], db: Connection, orders_redis: Redis) -> None:
    stream = await _sale_with_three_accepted(db, orders_redis)
    await orders_redis.xtrim(stream, maxlen=2, approximate=False)
    done = await _audit(urls, "--json")
    assert done.returncode == 1
    assert _figure(json.loads(done.stdout), "order store accepted") == (3, 1)


async def _room_with_two_orders(intake: Intake) -> int:
    """Make a sale whose orders all need an admission, and let two visitors order; return its number."""
    sale = await open_room(intake, partitions=2)
    for name in ("ann", "bob"):
        one = Visitor(intake, "sale", name, {"customer_id": name})
        await one.join()
        assert (await one.order(await one.admitted(), name, customer_id=name)).status_code == 202
        assert (await one.leave()).json() == {"orders": 1}
    return int(sale["sale_number"])


async def _placed(orders_redis: Redis, name: bytes) -> int:
    return int(await orders_redis.get(name) or 0) % ENDED


async def test_orders_are_held_against_admissions(urls: dict[str, str], roomy: Intake) -> None:
    await _room_with_two_orders(roomy)
    await roomy.open_sale("without-room")
    assert (await roomy.post("without-room")).status_code == 202
    report = json.loads((await _audit(urls, "--json")).stdout)
    assert _figure(report, "needed an admission") == (2, 0)


async def test_an_order_without_admission_is_a_breach(urls: dict[str, str], roomy: Intake, orders_redis: Redis) -> None:
    number = await _room_with_two_orders(roomy)
    noted = [name async for name in orders_redis.scan_iter(match="*spent*") if await _placed(orders_redis, name)]
    assert len(noted) == 2  # leaving ended both admissions in both partitions: two of the four keys count no order
    await orders_redis.delete(noted[0])
    done = await _audit(urls, "--json")
    assert done.returncode == 1
    assert _figure(json.loads(done.stdout), "needed an admission") == (2, 1)
    old = f"{'f' * 16}{1000}-0"
    await orders_redis.set(keys.accepted(number, 0, "0" * 32), old)
    assert _figure(json.loads((await _audit(urls, "--json")).stdout), "needed an admission") == (2, 1)
    (await roomy.ops.patch("/ops/sales/sale", json={"room": {"mode": "always"}})).raise_for_status()
    assert "needed an admission" not in (await _audit(urls, "--json")).stdout, "since when it asked all is not known"


async def test_what_it_finds_is_noted_for_metrics_and_go_or_no_go(
    urls: dict[str, str], db: Connection, orders_redis: Redis, jobs_redis: Redis
) -> None:
    stream = await _sale_with_three_accepted(db, orders_redis)
    assert await audited.read(jobs_redis) is None
    await orders_redis.xtrim(stream, maxlen=2, approximate=False)
    assert (await _audit(urls)).returncode == 1
    last = await audited.read(jobs_redis)
    assert last is not None
    assert last.breaches["P1"] == 1
    assert last.age_s < 100
    for away in (urls | {"JOBS_REDIS_URL": "redis://:secret@127.0.0.1:1/0"}, urls | {"JOBS_REDIS_URL": ""}):
        done = await _audit(away, "--json")
        assert (done.returncode, json.loads(done.stdout)["breaches"]) == (1, 1)
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("warning: ")
        assert "secret" not in done.stderr


async def test_a_store_that_is_not_there_ends_with_a_line(urls: dict[str, str]) -> None:
    done = await _audit(urls | {"ORDERS_REDIS_URL": "redis://127.0.0.1:1/0"})
    assert done.returncode == 1
    assert done.stderr.startswith("doorbuster: the order store (redis://127.0.0.1:1/0) does not answer")
    assert len(done.stderr.splitlines()) == 1
