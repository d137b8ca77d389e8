"""Room, cache, channels and the scan over a Cluster: each verb as over one server, whichever node has its keys."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ClusterCrossSlotError

from catalogue.cache import units
from catalogue.cache.shared import SharedCache
from catalogue.cache.subjects import MinVersion
from doorbuster import keys, redis_traces
from doorbuster.orderstore import changes, server, whole
from doorbuster.orderstore.events import Appended, EventAppender
from doorbuster.redis_clients import plain_client
from doorbuster.redis_roles.age import age_s
from doorbuster.redis_roles.meaning import UnroutableError
from doorbuster.redis_roles.servers import primaries
from doorbuster.values import shadows
from readiness.durability import judge
from tests.fixtures.rooms import SALE, START_MS, Clockwork
from tests.fixtures.valkey_cluster import Cluster
from tests.fixtures.waiting import eventually
from waitingroom.records import history, minutes, visits
from waitingroom.records.minutes import Batch
from waitingroom.results import Admitted
from waitingroom.room import RoomConfig


@pytest.fixture
async def redis(cluster: Cluster) -> AsyncIterator[Redis]:
    async with plain_client(cluster.url) as client:
        yield client


async def test_a_room_and_its_records(redis: Redis) -> None:
    rooms = Clockwork(redis, RoomConfig(sale_number=SALE, version=1, opens_ms=START_MS))
    await rooms.at(START_MS - 1)
    await rooms.room.configure()
    await rooms.at(START_MS)
    await rooms.room.tick()
    tickets = [*await asyncio.gather(*(rooms.join(f"visitor-{number}") for number in range(20)))]
    await rooms.over(3)
    claims = [await rooms.room.claim(ticket) for ticket in tickets]
    admitted = [claim.admission for claim in claims if isinstance(claim, Admitted)]
    assert len(admitted) >= 10
    assert await rooms.room.release(admitted) == len(admitted)
    found = await visits.read(redis, SALE, timeout_s=5)
    assert found is not None
    assert (found.counts.joined, found.counts.admitted) == (20, len(admitted))
    assert await minutes.add(redis, Batch(SALE, 6, "me", 1, {minutes.JOINED: 2, "overloaded": 1}))
    assert await minutes.to_copy(redis, [SALE, SALE + 1], 2) == [(SALE, 1)]
    assert (await minutes.read(redis, SALE, 1)).joined == 2
    assert await history.take_turn(redis, SALE, "me")
    await history.add(redis, SALE, b"sample")
    assert await history.newest(redis, SALE) == [b"sample"]
    await minutes.forget(redis, SALE)
    assert await minutes.to_copy(redis, [SALE], 2) == []


async def test_the_cache(redis: Redis) -> None:
    cache = SharedCache(redis, keep_s=60)
    subjects = [f"product/{number}" for number in range(30)]
    looks = await asyncio.gather(*(cache.look(subject, "item", subject) for subject in subjects))
    began = [look.now_ms for look in looks if look is not None]
    assert len(began) == 30
    pairs = zip(subjects, began, strict=True)
    filled = await asyncio.gather(*(cache.fill(subject, "item", now_ms, 1, b"{}") for subject, now_ms in pairs))
    assert all(one.stored for one in filled)
    await units.write(redis, dict.fromkeys(subjects, 3))
    assert set(await cache.units(subjects)) == {3}
    await cache.invalidate(dict.fromkeys(subjects, MinVersion(2, 1)))
    found = await asyncio.gather(*(cache.look(subject, "item", subject) for subject in subjects))
    assert {(look.floor, look.units) for look in found if look is not None} == {(MinVersion(2, 1), 3)}


async def test_a_message_is_heard_whichever_node_it_is_given_to(redis: Redis) -> None:
    async with changes.subscribed(redis) as mine, changes.subscribed(redis) as others:
        heard: list[bytes] = []

        async def all_heard() -> bool:
            assert await changes.publish_sale(redis, b"%d" % next(numbers)) == 2
            for listen in (mine, others):
                while (message := await listen(0.05)) is not None:
                    heard.append(message[1])
            return all(heard.count(b"%d" % number) == 2 for number in range(10))

        numbers = itertools.count()
        await eventually(all_heard, what="messages by either subscription")


async def test_events_are_appended_by_the_node_that_has_their_stream(redis: Redis) -> None:
    stream = EventAppender(redis)
    assert await stream.append([b"1", b"2"]) is Appended.FIRST
    assert await stream.append([b"3"], last=b"2") is Appended.BEHIND
    assert await stream.append([b"4"], last=b"2") is Appended.NOT
    assert [fields[b"event"] for _, fields in await redis.xrange(keys.EVENTS)] == [b"1", b"2", b"3"]
    await redis.delete(keys.EVENTS)


async def test_each_primary_is_asked_about_itself(redis: Redis, cluster: Cluster) -> None:
    servers = await primaries(redis)
    assert [one.name for one in servers] == sorted(f"127.0.0.1:{node.port}" for node in cluster.primaries())
    assert len(await server.clocks_us(redis)) == 3
    assert (await server.memory(redis)).used > 0
    assert await server.away(redis) == []
    assert await age_s(redis) >= 0
    assert (await judge(redis, "fsync")).faults == []
    assert (await judge(redis, "replicas:1")).faults == []
    judged = await judge(redis, "replicas:2")
    assert judged.faults == [f"{one.name}: connected replicas are 1, must be 2" for one in servers]
    for alone in (redis.info, redis.time, redis.config_get):
        with pytest.raises(UnroutableError):
            await alone()


async def test_every_key_is_found_and_a_shadows_keys_go(redis: Redis) -> None:
    shadow = shadows.SHADOWS_FROM + 5
    for number, partition in itertools.product((1, shadow), range(9)):
        await redis.set(keys.accepted(number, partition, "0" * 32), bytes(16) + b"5-0")
    watched = {(number, partition) for number in (1, shadow) for partition in range(9)}
    assert sorted([found async for found in whole.accepted_ms(redis, watched)]) == sorted((one, 5) for one in watched)
    cursor, removed = await redis_traces.remove_page(redis, shadow, 0)
    while cursor:
        cursor, more = await redis_traces.remove_page(redis, shadow, cursor)
        removed += more
    assert removed == 9
    left = [found async for found in whole.accepted_ms(redis, watched)]
    assert {number for (number, _), _ in left} == {1}


async def test_commands_of_many_slots_go_each_its_way_and_answers_keep_their_order(redis: Redis) -> None:
    async with redis.pipeline(transaction=False) as pipe:
        for number in range(100):
            pipe.set(f"key-{number}", number)
            pipe.publish("nobody", b"")
            pipe.incr(f"key-{number}")
        answers = await pipe.execute()
    assert answers[::3] == [True] * 100
    assert answers[2::3] == list(range(1, 101))
    async with redis.pipeline(transaction=True) as pipe:
        pipe.incr("{a}1")
        pipe.incr("{a}2")
        assert await pipe.execute() == [1, 1]
    async with redis.pipeline(transaction=True) as pipe:
        pipe.incr("{a}1")
        pipe.incr("{b}2")
        with pytest.raises(UnroutableError):
            await pipe.execute()
    with pytest.raises(UnroutableError):
        await redis.mget("{a}1", "{b}2")
    with pytest.raises(UnroutableError):
        await redis.keys("*")
    node = (await primaries(redis))[0].client
    with pytest.raises(ClusterCrossSlotError):  # which a server would say, too, had it been sent
        await node.mget("{a}1", "{b}2")
