"""The relay: every event at least once, an order's events in order, and no late commit passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from redis.asyncio import Redis

from db.connections import pool
from db.work import outbox
from doorbuster import keys
from doorbuster.orderstore import events
from workers.publish import relay as relay_module
from workers.publish.events import RELAY
from workers.runtime.shift import EndReason

if TYPE_CHECKING:
    import pytest

    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop


async def _published(orders_redis: Redis) -> list[dict[str, Any]]:
    return [msgspec.json.decode(fields[b"event"]) for _, fields in await orders_redis.xrange(keys.EVENTS)]


async def test_every_transition_is_published_in_its_orders_order(shop: Shop, orders_redis: Redis) -> None:
    await shop.stock(lamp=2)
    await shop.open_sale("lamp")
    ids = await shop.buy("ada", "bob", "cyd", lamp=1)
    await shop.drain()
    await shop.settle()
    assert await shop.relay() == EndReason.IDLE
    told = await _published(orders_redis)
    assert {event["id"] for event in told} == {
        f"{ids[0]}:1", f"{ids[0]}:2", f"{ids[1]}:1", f"{ids[1]}:2", f"{ids[2]}:1",
    }  # fmt: skip
    for order_id, statuses in zip(
        ids, (["pending", "confirmed"], ["pending", "confirmed"], ["cancelled"]), strict=True
    ):
        assert [event["status"] for event in told if event["order_id"] == str(order_id)] == statuses
    assert [event["reason"] for event in told if event["order_id"] == str(ids[2])] == ["sold_out"]


async def test_it_goes_on_where_it_was(shop: Shop, orders_redis: Redis) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    await shop.buy("ada", lamp=1)
    await shop.drain()
    await shop.relay()
    await shop.settle()
    await shop.relay()
    assert [event["seq"] for event in await _published(orders_redis)] == [1, 2]


async def test_a_commit_that_comes_late_is_not_passed_over(
    shop: Shop, db: Connection, database_url: str, orders_redis: Redis
) -> None:
    """An event written first and committed last: a cursor over serial numbers would lose it."""
    insert = (
        "insert into order_events (order_id, seq, status, at)"
        " values (overlay(gen_random_uuid()::text placing '0' from 1)::uuid, 1, 'pending', now())"
        " returning order_id::text"
    )
    late_one = await pool.connect(database_url)
    try:
        transaction = late_one.transaction()
        await transaction.start()
        late = await late_one.fetchval(insert)
        early = await db.fetchval(insert)
        await shop.relay()
        assert await _published(orders_redis) == [], "what lies behind an open transaction waits"
        await transaction.commit()
    finally:
        await late_one.close()
    await shop.relay()
    assert [event["order_id"] for event in await _published(orders_redis)] == [late, early]
    await db.execute("delete from order_events")  # they belong to no order, and the audit would say so


async def test_a_crash_before_the_cursor_moves_publishes_again(
    shop: Shop, db: Connection, orders_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    await shop.buy("ada", lamp=1)
    await shop.drain()
    real, failures = outbox.advance, iter([True])

    async def faulty(connection: Connection, *arguments: Any) -> None:
        if next(failures, False):
            connection.terminate()
        await real(connection, *arguments)

    monkeypatch.setattr(relay_module.outbox, "advance", faulty)
    await shop.relay()
    told = await _published(orders_redis)
    assert len(told) == 2
    assert told[0] == told[1]
    assert (await outbox.read_cursor(db, RELAY)) > outbox.START


async def test_a_stream_that_was_lost_is_published_again(shop: Shop, db: Connection, orders_redis: Redis) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    await shop.buy("ada", lamp=1)
    await shop.drain()
    await shop.relay()
    await orders_redis.delete(keys.EVENTS)
    await shop.settle()
    await shop.relay()
    assert [event["seq"] for event in await _published(orders_redis)] == [2, 1, 2]
    assert not await outbox.any_unpublished(db, RELAY)


async def test_a_stream_that_lost_its_end_gets_what_it_lacks(shop: Shop) -> None:
    """A server took over without the last events, before a relay begins and while one runs."""
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    await shop.buy("ada", lamp=1)
    await shop.drain()
    await shop.relay()
    kept = await shop.orders.dump(keys.EVENTS)
    assert kept is not None
    await shop.buy("bob", "cyd", lamp=1)
    await shop.drain()
    await shop.relay()
    published = [fields[b"event"] for _, fields in await shop.orders.xrange(keys.EVENTS)]
    await shop.orders.restore(keys.EVENTS, 0, kept, replace=True)
    await shop.buy("dan", lamp=1)
    await shop.drain()
    await shop.relay()
    now = [fields[b"event"] for _, fields in await shop.orders.xrange(keys.EVENTS)]
    assert now[: len(published)] == published
    assert len(now) == len(published) + 1


async def test_a_running_relay_appends_only_behind_its_last_event(shop: Shop) -> None:
    assert await events.append(shop.orders, [b"{}"]) is events.Appended.FIRST
    assert await events.append(shop.orders, [b"[]"], last=b"{}") is events.Appended.BEHIND
    assert await events.append(shop.orders, [b"1"], last=b"{}") is events.Appended.NOT
    assert await events.newest(shop.orders) == b"[]"
    assert await events.count(shop.orders) == 2
    await shop.orders.delete(keys.EVENTS)
