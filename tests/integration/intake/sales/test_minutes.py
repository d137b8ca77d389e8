"""Counts by minute: each way a post of an order is refused, several processes, lost replies, the copy in Postgres."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from redis.asyncio import Redis

from db.connections.pool import Connection
from db.sale_minutes import of_sale
from doorbuster import keys
from doorbuster.settings import Settings
from intake.sales.minute_counts import MinuteCounts
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.visitors import Browser, Visitor
from tests.fixtures.waiting import eventually
from waitingroom.records import minutes
from waitingroom.records.minutes import Batch
from workers.publish.sale_minutes import copy

SALE = 7


async def counted(redis: Redis, number: int) -> minutes.Minute:
    """Return what was counted of a sale in this minute and the one before."""
    now = int(time.time() // 60)
    found = [await minutes.read(redis, number, minute) for minute in (now - 1, now)]
    refused = {
        code: sum(one.refused.get(code, 0) for one in found) for code in found[0].refused.keys() | found[1].refused
    }
    return minutes.Minute(*(sum(column) for column in list(zip(*found, strict=True))[:3]), refused, 0)


async def told(redis: Redis, number: int, offered: int) -> minutes.Minute:
    async def all_told() -> minutes.Minute | None:
        seen = await counted(redis, number)
        return seen if seen.offered >= offered else None

    seen = await eventually(all_told, what=f"{offered} posts to be told of")
    assert seen is not None
    return seen


async def test_every_way_to_refuse_is_counted_by_every_process(serve: Serve, jobs_redis: Redis) -> None:
    here, there = await serve(), await serve()
    sale = await here.open_sale("sale", "hot")
    await there.http.get("/sales/sale")
    assert (await here.post("sale", key="k-1")).status_code == 202
    assert (await here.post("sale", key="k-1")).headers["Idempotency-Replayed"] == "true"
    assert (await there.post("sale", customer_id="other", key="k-1")).status_code == 202
    path = "/sales/sale/orders"
    key = {"Idempotency-Key": "k-2", "Content-Type": "application/json"}
    refused = [
        (await here.http.post(path, content=b"{", headers=key)).json()["code"],
        (await here.http.post(path, content=b"x" * 20_000, headers=key)).json()["code"],
        (await there.http.post(path, content=b"{}", headers=key | {"Content-Type": "text/plain"})).json()["code"],
        (await there.http.post(path, json={})).json()["code"],
        (await there.post("sale", lines=[{"product_id": "none", "quantity": 1}])).json()["code"],
        (await here.post("sale", headers={"Prefer": "wait=1"}, lines=[])).json()["code"],
        (await here.post("sale", key="k-1", lines=[{"product_id": "hot", "quantity": 2}])).json()["code"],
    ]
    assert set(refused) == {"idempotency_conflict", "invalid", "malformed", "too_large", "unsupported_media_type"}
    full = await serve()
    full.guard.in_flight += 10_000
    await full.http.post(path, json={}, headers=key)  # of a sale that this process does not know
    full.guard.in_flight -= 10_000
    async with Browser(here) as browser:
        form = await browser.http.post("/shop/sale", data={"product_id": "hot", "key": "", "quantity": "1"})
        assert form.status_code == 200  # without cookies it is no order
        await browser.http.get("/shop/sale")
        form = await browser.http.post("/shop/sale", data={"product_id": "hot", "key": "", "quantity": "1"})
        assert form.status_code == 400
    seen = await told(jobs_redis, sale["sale_number"], 12)
    assert seen == (12, 0, 0, dict(Counter([*refused, "overloaded", "malformed"])), 0)
    lately = await minutes.refused_lately(jobs_redis, sale["sale_number"], time.time())
    assert lately == seen.refused
    assert await minutes.refused_lately(jobs_redis, sale["sale_number"], time.time() + 80) == {}


async def test_visitors_are_counted_once(intake: Intake, jobs_redis: Redis) -> None:
    sale = await intake.open_sale("sale", room={"mode": "always", "rate_per_s": 100, "burst": 100})
    visitors = [Visitor(intake, "sale", f"v-{number}") for number in range(3)]
    for visitor in visitors:
        await visitor.join()
        await visitor.join()
    for visitor in visitors[:2]:
        await visitor.admitted()
        await visitor.claim()
    assert (await intake.post("sale")).json()["code"] == "admission_required"
    seen = await told(jobs_redis, sale["sale_number"], 1)
    assert seen == (1, 2, 3, {"admission_required": 1}, 0)


async def test_a_batch_whose_answer_was_lost_counts_once(jobs_redis: Redis) -> None:
    first = Batch(SALE, 600, "here", 1, {"offered": 2, "sold_out": 1})
    assert await minutes.add(jobs_redis, first)
    assert not await minutes.add(jobs_redis, first)
    assert await minutes.add(jobs_redis, first._replace(sequence=2))
    assert await minutes.add(jobs_redis, first._replace(writer="there"))
    assert await minutes.read(jobs_redis, SALE, 100) == (6, 0, 0, {"sold_out": 3}, 3)


async def test_a_process_tells_again_what_the_store_may_not_have_heard(
    serve: Serve, settings: Settings, jobs_redis: Redis
) -> None:
    with Proxy(settings.room_redis_url.get_secret_value()) as network:
        intake = await serve(room_redis_url=network.url, store_timeout_s=1)
        sale = await intake.open_sale("sale")
        trap = network.lose_reply_to(b"{%d}:minute" % sale["sale_number"])
        await intake.post("sale")
        await asyncio.to_thread(trap.wait)
        await intake.post("sale")
        seen = await told(jobs_redis, sale["sale_number"], 2)
        assert seen.offered == 2


async def test_a_process_tells_its_last_second_when_it_ends(serve: Serve, jobs_redis: Redis) -> None:
    intake = await serve()
    sale = await intake.open_sale("sale")
    await intake.post("sale")
    intake.stop()
    assert (await told(jobs_redis, sale["sale_number"], 1)).offered == 1


async def test_minutes_are_copied_once_and_again_when_something_comes_late(
    intake: Intake, jobs_redis: Redis, db: Connection
) -> None:
    number = (await intake.open_sale("sale"))["sale_number"]
    minute = int(time.time() // 60) - 5
    batch = Batch(number, minute * 6, "here", 1, {"offered": 3, "joined": 2, "admitted": 1, "sold_out": 2})
    await minutes.add(jobs_redis, batch)
    now_s = (minute + 1) * 60 + 30
    assert await copy(jobs_redis, db, [number], now_s - 60) == 0  # it is not over
    assert await copy(jobs_redis, db, [number], now_s) == 1
    assert await copy(jobs_redis, db, [number], now_s) == 0
    [row] = await of_sale(db, number)
    assert (row.minute.timestamp(), row[1:]) == (minute * 60, (3, 1, 2, {"sold_out": 2}))
    await minutes.add(jobs_redis, batch._replace(sequence=2, counts={"offered": 1, "invalid": 1}))
    assert await copy(jobs_redis, db, [number], now_s) == 1
    [row] = await of_sale(db, number)
    assert row[1:] == (4, 1, 2, {"sold_out": 2, "invalid": 1})


async def test_what_comes_between_reading_and_striking_off_is_copied_too(jobs_redis: Redis) -> None:
    batch = Batch(SALE, 600, "here", 1, {"offered": 1})
    await minutes.add(jobs_redis, batch)
    seen = await minutes.read(jobs_redis, SALE, 100)
    await minutes.add(jobs_redis, batch._replace(sequence=2))
    assert not await minutes.note_copied(jobs_redis, SALE, 100, seen)
    assert await minutes.to_copy(jobs_redis, [SALE], 101) == [(SALE, 100)]
    assert await jobs_redis.ttl(keys.sale_minute(SALE, 100)) > 29 * 86_400
    assert await minutes.note_copied(jobs_redis, SALE, 100, await minutes.read(jobs_redis, SALE, 100))
    assert 0 < await jobs_redis.ttl(keys.sale_minute(SALE, 100)) <= 86_400
    assert await minutes.to_copy(jobs_redis, [SALE], 101) == []


async def test_a_store_that_was_replaced_takes_nothing_back(intake: Intake, jobs_redis: Redis, db: Connection) -> None:
    number = (await intake.open_sale("sale"))["sale_number"]
    batch = Batch(number, 600, "here", 1, {"offered": 9})
    await minutes.add(jobs_redis, batch)
    await copy(jobs_redis, db, [number])
    await jobs_redis.delete(keys.sale_minute(number, 100))
    await minutes.add(jobs_redis, batch._replace(counts={"offered": 1}))
    await copy(jobs_redis, db, [number])
    [row] = await of_sale(db, number)
    assert row.offered == 9


async def test_a_sale_that_leaves_no_trace(jobs_redis: Redis) -> None:
    for tens in (600, 700):
        await minutes.add(jobs_redis, Batch(SALE, tens, "here", tens, {"offered": 1}))
    await minutes.forget(jobs_redis, SALE)
    assert await jobs_redis.dbsize() == 0


def test_sales_that_nobody_knows_are_bounded() -> None:
    counts = MinuteCounts()
    for number in range(1_000):
        counts.refused("POST", f"/sales/s-{number}/orders", "sale_not_found")
        counts.refused("POST", f"/sales/{'x' * 100}/orders", "sale_not_found")
        counts.refused("GET", "/sales/a/orders", "method_not_allowed")
    assert len(counts.not_at_hand()) == 100
    counts.settle("s-1", 5)
    counts.settle("s-2", None)
    assert counts.take() == {5: {"offered": 0, "sale_not_found": 1}}
    assert counts.take() == {}
