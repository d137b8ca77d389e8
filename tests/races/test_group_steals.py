"""Why the drain has no consumer group (docs/adr/0001): a reader without a lease takes entries from its successor."""

from __future__ import annotations

from redis.asyncio import Redis

STREAM, GROUP = "orders", "drain"


async def add(redis: Redis, *names: str) -> None:
    for name in names:
        await redis.xadd(STREAM, {"name": name})


def names(reply: list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]) -> list[str]:
    return [fields[b"name"].decode() for _, entries in reply for _, fields in entries]


async def test_through_a_group_the_successor_serves_a_later_order_first(orders_redis: Redis) -> None:
    await add(orders_redis, "first")
    await orders_redis.xgroup_create(STREAM, GROUP, id="0")
    assert names(await orders_redis.xreadgroup(GROUP, "successor", {STREAM: ">"})) == ["first"]
    await add(orders_redis, "second")
    # The former holder wakes and reads once more before it learns that its fence is old.
    assert names(await orders_redis.xreadgroup(GROUP, "zombie", {STREAM: ">"})) == ["second"]
    await add(orders_redis, "third")
    assert names(await orders_redis.xreadgroup(GROUP, "successor", {STREAM: ">"})) == ["third"], (
        "the second is passed over"
    )
    assert (await orders_redis.xpending(STREAM, GROUP))["pending"] == 3


async def test_behind_a_cursor_a_zombies_read_takes_nothing(orders_redis: Redis) -> None:
    await add(orders_redis, "first")
    ((_, [(cursor, _)]),) = await orders_redis.xread({STREAM: "0"})
    await add(orders_redis, "second")
    assert names(await orders_redis.xread({STREAM: cursor})) == ["second"], "the zombie's read"
    await add(orders_redis, "third")
    assert names(await orders_redis.xread({STREAM: cursor})) == ["second", "third"]
