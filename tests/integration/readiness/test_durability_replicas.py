"""What is refused and what is noted of an order store with replicas, by real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from readiness.durability import judge
from tests.fixtures.order_replicas import Group, order_store
from tests.fixtures.waiting import wait_until


@pytest.fixture(scope="module")
def group() -> Iterator[Group]:
    """A primary with two replicas, none of which lags."""
    with order_store(2) as group:
        group.link.delay(0)
        wait_until(
            lambda: all("online" in str(one) for one in _replicas(group)) and len(_replicas(group)) == 2,
            within_s=20, what="both replicas to be online",
        )  # fmt: skip
        yield group


def _replicas(group: Group) -> list[object]:
    info = group.primary.client.info("replication")
    return [value for name, value in info.items() if name in ("slave0", "slave1")]


@pytest.fixture
async def store(group: Group) -> AsyncIterator[Redis]:
    async with Redis.from_url(group.primary.valkey.url) as client:
        yield client
        for server in (group.primary, *group.replicas):
            for name, value in (
                ("appendfsync", "always"), ("appendonly", "yes"), ("min-replicas-to-write", 0),
            ):  # fmt: skip
                server.client.config_set(name, value)


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ("fsync", "DURABILITY is fsync and 2 replicas are connected: a failover loses what they do not have yet"),
        ("none", "replicas:2 waits for them"),
        ("replicas:1", "replicas:1 waits for 1 of 2 replicas: a switch to one that lags loses accepted orders"),
        ("replicas:2", "while one is away, as after a failover, nothing is accepted"),
    ],
)
async def test_it_notes_what_a_level_does_not_cover(store: Redis, level: str, words: str) -> None:
    judged = await judge(store, level)
    assert judged.faults == []
    assert any(words in note for note in judged.notes), judged.notes
    assert "FAILOVER TO 127.0.0.1" in judged.switches[0]


async def test_more_replicas_than_there_are_is_refused(store: Redis) -> None:
    assert (await judge(store, "replicas:3")).faults == ["connected replicas are 2, must be 3"]


async def test_a_replica_that_does_not_sync_is_noted(store: Redis, group: Group) -> None:
    assert not any("does not outlast" in note for note in (await judge(store, "replicas:2")).notes)
    group.replicas[0].client.config_set("appendfsync", "everysec")
    notes = (await judge(store, "replicas:2")).notes
    port = group.replicas[0].valkey.port
    assert any(note.startswith(f"replica 127.0.0.1:{port}: appendfsync is everysec") for note in notes), notes


async def test_a_primary_that_keeps_no_file_is_noted(store: Redis, group: Group) -> None:
    group.primary.client.config_set("appendonly", "no")
    notes = (await judge(store, "replicas:2")).notes
    assert any("comes back empty" in note for note in notes), notes


async def test_a_store_that_wants_more_replicas_than_there_are_refuses_all_writes(store: Redis, group: Group) -> None:
    group.primary.client.config_set("min-replicas-to-write", 3)
    faults = (await judge(store, "fsync")).faults
    assert faults == ["min-replicas-to-write is 3 and 2 replicas are online: it refuses all writes"]
    group.primary.client.config_set("min-replicas-to-write", 1)
    judged = await judge(store, "fsync")
    assert judged.faults == []
    assert any("it makes no order more durable" in note for note in judged.notes)


async def test_a_replica_is_no_order_store(group: Group) -> None:
    async with Redis.from_url(group.replicas[0].valkey.url) as client:
        faults = (await judge(client, "fsync")).faults
    assert [fault for fault in faults if fault.startswith("it is a replica, must be a primary")]
