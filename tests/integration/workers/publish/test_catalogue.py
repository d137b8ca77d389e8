"""The catalogue's relay: tells every change to every target, whatever order commits come in and whatever is away."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from catalogue.cache.shared import SharedCache
from db.connections import pool as pools
from db.products import catalogue_changes
from db.products.catalogue_changes import Change
from db.products.products import Product, put_product
from db.work import outbox
from doorbuster import keys
from doorbuster.errors import StoreUnavailableError
from doorbuster.settings import Settings
from tests.fixtures.shop import Shop
from tests.fixtures.waiting import eventually
from workers.publish import outboxes
from workers.publish import relay as relay_loop
from workers.publish.catalogue import catalogue_relay
from workers.publish.outboxes import CATALOGUE_CHANGES
from workers.publish.relay import OutboxBatch, OutboxTarget, Relay
from workers.runtime import shift
from workers.runtime.shift import EndReason


def product(product_id: str, category: str = "c", price: int = 1) -> Product:
    return Product(
        product_id=product_id, name=product_id, brand="b", category=category, price=price, currency="EUR"
    )  # fmt: skip


class Remembering:
    """A target that remembers what it was told, and may be away."""

    source = CATALOGUE_CHANGES
    wait_s = 0.0

    def __init__(self, name: str) -> None:
        self.name = name
        self.told: list[Change] = []
        self.away = False

    async def deliver(self, batch: OutboxBatch[Change]) -> bool:
        if self.away:
            raise StoreUnavailableError(f"{self.name} is away")
        self.told += batch.rows
        return True

    async def close(self) -> None:
        pass

    async def has_heard(self) -> bool:
        return bool(self.told)


async def relay(shop: Shop, *targets: OutboxTarget[Change]) -> EndReason:
    return await shop.run("catalogue", lambda mine: Relay(mine, targets))


async def test_interleaved_commits_are_all_told(shop: Shop, pool: pools.Pool) -> None:
    """The first to write commits last: a cursor by position alone would have passed it."""
    target = Remembering("t")
    async with pool.acquire() as slow, pool.acquire() as quick:
        transaction = slow.transaction()
        await transaction.start()
        await put_product(slow, product("slow"))
        for number in range(3):
            await put_product(quick, product(f"quick-{number}"))
        assert await relay(shop, target) == EndReason.IDLE
        assert target.told == []  # nothing behind an open transaction is passed
        await transaction.commit()
    await relay(shop, target)
    assert sorted(change.product_id for change in target.told) == ["quick-0", "quick-1", "quick-2", "slow"]
    assert len(target.told) == 4


async def test_a_process_that_follows_waits_for_no_transaction_and_passes_none(pool: pools.Pool) -> None:
    async with pool.acquire() as slow, pool.acquire() as quick, pool.acquire() as follower:
        news = await catalogue_changes.recent(follower, within_s=60, limit=100)
        transaction = slow.transaction()
        await transaction.start()
        await put_product(slow, product("slow"))
        await put_product(quick, product("quick"))
        news = await catalogue_changes.appeared(follower, news.snapshot, limit=100)
        assert [change.product_id for change in news.changes] == ["quick"]
        await transaction.commit()
        news = await catalogue_changes.appeared(follower, news.snapshot, limit=100)
        assert [change.product_id for change in news.changes] == ["slow"]
        assert (await catalogue_changes.appeared(follower, news.snapshot, limit=100)).changes == []


async def test_many_interleaved_writers_and_two_readers_of_the_outbox(shop: Shop, pool: pools.Pool) -> None:
    target = Remembering("t")
    followed: list[Change] = []
    done = asyncio.Event()

    async def write(writer: int) -> None:
        for number in range(20):
            async with pool.acquire() as connection, connection.transaction():
                await put_product(connection, product(f"{writer}-{number}"))
                await connection.execute("select pg_sleep(random() * 0.01)")

    async def follow() -> None:
        async with pool.acquire() as connection:
            news, ending = await catalogue_changes.recent(connection, within_s=60, limit=10_000), False
            while True:
                followed.extend(news.changes)
                if ending:
                    return
                ending = done.is_set()  # before it is looked once more: the last commits came before this
                news = await catalogue_changes.appeared(connection, news.snapshot, limit=10_000)

    following = asyncio.create_task(follow())
    relaying = asyncio.create_task(relay(shop, target))
    await asyncio.gather(*(write(writer) for writer in range(8)))
    done.set()
    await following
    await relaying
    await relay(shop, target)
    expected = sorted((f"{writer}-{number}", 1) for writer in range(8) for number in range(20))
    assert sorted((change.product_id, change.version) for change in target.told) == expected
    assert set(expected) <= {(change.product_id, change.version) for change in followed}


async def test_a_target_that_is_away_holds_up_no_other(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shift, "BACKOFF_S", (0.01, 0.01))
    away, there = Remembering("away"), Remembering("there")
    away.away = True
    await put_product(shop.db, product("p"))
    running = asyncio.create_task(shop.run(
        "catalogue", lambda mine: Relay(mine, [away, there]), shift_s=30.0
    ))  # fmt: skip
    await eventually(there.has_heard, what="the other target to be told")
    assert away.told == []
    away.away = False
    assert await running == EndReason.IDLE
    assert [change.product_id for change in away.told] == ["p"]
    assert [change.product_id for change in there.told] == ["p"]


async def test_the_cache_is_told_with_floors_and_by_its_channel(shop: Shop, settings: Settings) -> None:
    await put_product(shop.db, product("p", "shoes"))
    await put_product(shop.db, product("p", "boots", price=2))
    async with Redis.from_url(settings.cache_redis_url.get_secret_value()) as redis, redis.pubsub() as channel:
        await channel.subscribe(keys.CHANGES)
        await shop.run("catalogue", catalogue_relay)
        look = await SharedCache(redis, keep_s=60).look("product/p", "item")
        assert look is not None
        assert look.floor.version == 2
        assert look.floor.lsn > 0
        messages = [await channel.get_message(timeout=15) for _ in range(2)]
        told = msgspec.msgpack.decode(messages[1]["data"])  # type: ignore[index]
        assert set(told) == {"product/p", "listing/shoes", "listing/boots", "listing"}


async def test_changes_that_everyone_was_told_are_forgotten(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_loop, "FORGET_S", 0.0)
    monkeypatch.setattr(outboxes, "KEEP_S", 0.0)
    one, other = Remembering("one"), Remembering("other")
    await put_product(shop.db, product("p"))
    await relay(shop, one, other)
    assert await shop.db.fetchval("select count(*) from product_changes") == 0
    assert (await outbox.read_cursor(shop.db, "other")).tx > 0
