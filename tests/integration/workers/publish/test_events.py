"""The relay: every event at least once, an order's events in order, and no late commit passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from redis.asyncio import Redis

from db.connections import pool
from db.work import outbox
from db.work.outbox import OutboxEvent
from doorbuster import keys
from doorbuster.orderstore import events as event_store
from doorbuster.orderstore.events import Appended, EventAppender
from doorbuster.values.shadows import SHADOWS_FROM
from workers.publish import relay as relay_module
from workers.publish.events import RELAY, EventStream, ShadowStreams
from workers.publish.outboxes import SHADOW_EVENTS
from workers.publish.relay import OutboxBatch
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
    events = await _published(orders_redis)
    assert {event["id"] for event in events} == {
        f"{ids[0]}:1", f"{ids[0]}:2", f"{ids[1]}:1", f"{ids[1]}:2", f"{ids[2]}:1",
    }  # fmt: skip
    for order_id, statuses in zip(
        ids, (["pending", "confirmed"], ["pending", "confirmed"], ["cancelled"]), strict=True
    ):
        assert [event["status"] for event in events if event["order_id"] == str(order_id)] == statuses
    assert [event["reason"] for event in events if event["order_id"] == str(ids[2])] == ["sold_out"]


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
    events = await _published(orders_redis)
    assert len(events) == 2
    assert events[0] == events[1]
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


async def test_events_of_a_shadow_go_to_a_stream_of_their_own_and_leave_no_cursor(
    shop: Shop, db: Connection, orders_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    await shop.buy("ada", lamp=1)
    await shop.drain()
    number = SHADOWS_FROM + 7
    insert = "insert into order_events (order_id, seq, status, at) values ($1, 1, 'pending', now())"
    of_shadow = [UUID(int=(number << 104) + place) for place in range(4)]
    await db.execute(insert, of_shadow[0])
    deliver = EventStream.deliver

    async def then_more(self: EventStream, batch: OutboxBatch[OutboxEvent]) -> bool:
        for order_id in of_shadow[1:]:
            await db.execute(insert, order_id)
        return await deliver(self, batch)

    monkeypatch.setattr(EventStream, "deliver", then_more)
    try:
        await shop.relay()
        assert [event["seq"] for event in await _published(orders_redis)] == [1]
        told = await orders_redis.xrange(keys.shadow_events(number))
        found = [msgspec.json.decode(fields[b"event"])["order_id"] for _, fields in told]
        assert found == [*map(str, of_shadow[1:])], "those that came while it looked"
        kept = await db.fetch("select relay from relay_cursors where relay like 'events%'")
        assert [row["relay"] for row in kept] == [RELAY]
        newest = await outbox.newest_of_shadows(db)
        assert newest is not None
        assert await SHADOW_EVENTS.any_behind(db, ShadowStreams.name, age_s=0.0), "a rehearsal is on"
        await db.execute("update order_events set at = at - interval '1 min'")
        assert not await SHADOW_EVENTS.any_behind(db, ShadowStreams.name, age_s=0.0), "it is not any more"
    finally:
        await db.execute("delete from order_events where is_shadow_order(order_id)")


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
    stream = EventAppender(shop.orders)
    assert await stream.append([b"{}"]) is Appended.FIRST
    assert await stream.append([b"1", b"[]"], last=b"{}") is Appended.BEHIND
    assert await stream.append([b"1"], last=b"{}") is Appended.NOT
    assert await stream.append([b"2"]) is Appended.BEHIND, "the connection answers as ever"
    assert [fields[b"event"] for _, fields in await shop.orders.xrange(keys.EVENTS)] == [b"{}", b"1", b"[]", b"2"]
    assert await event_store.count(shop.orders) == 4
    await shop.orders.delete(keys.EVENTS)


async def test_nothing_is_appended_once_the_stream_has_changed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another relay, or a server that takes over, comes between the look at the stream and the events."""
    stream, look = EventAppender(shop.orders), event_store._answers

    async def then_another(connection: Any, commands: list[bytes], count: int) -> list[Any]:
        answers = await look(connection, commands, count)
        if commands == event_store._WATCH:
            await shop.orders.xadd(keys.EVENTS, {"event": "theirs"})
        return answers

    with monkeypatch.context() as patch:
        patch.setattr(event_store, "_answers", then_another)
        assert await stream.append([b"ours", b"ours too"]) is Appended.NOT
    assert [fields[b"event"] for _, fields in await shop.orders.xrange(keys.EVENTS)] == [b"theirs"]
    assert await stream.append([b"ours"], last=b"theirs") is Appended.BEHIND
    await shop.orders.delete(keys.EVENTS)


async def test_a_full_store_takes_no_part_of_a_batch(shop: Shop) -> None:
    stream = EventAppender(shop.orders)
    assert await stream.append([b"{}"]) is Appended.FIRST
    bound = (await shop.orders.config_get("maxmemory"))["maxmemory"]
    await shop.orders.config_set("maxmemory", "1mb")
    try:
        assert await stream.append([b"[]", b"1"], last=b"{}") is Appended.NOT
    finally:
        await shop.orders.config_set("maxmemory", bound)
    assert await shop.orders.xlen(keys.EVENTS) == 1
    assert await stream.append([b"[]"], last=b"{}") is Appended.BEHIND
    await shop.orders.delete(keys.EVENTS)
