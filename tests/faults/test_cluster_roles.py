"""An order store on a Cluster whose nodes fail and whose slots move, under load: nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest
import redis as sync_redis
from redis.asyncio.cluster import ClusterNode as LibraryNode
from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot

from doorbuster import keys
from doorbuster.embedded.stores.valkey_cluster import ClusterNode
from tests.fixtures.cluster_load import BUYERS, SALE, Buyers, Follower, entries
from tests.fixtures.pausing import paused
from tests.fixtures.turns import Watch
from tests.fixtures.valkey_cluster import Cluster
from tests.fixtures.waiting import eventually

STREAM = keys.stream(SALE, 0)
SLOT = key_slot(STREAM.encode())
RECOVERED_S = 12.0
"""From a primary's death to the first order accepted on one replica again, where the dead node is started at once: the
node time-out of a second, an election, the start, and a machine that others use as well."""


def _say(what: str, buyers: Buyers, began: float) -> None:
    """Print what stands in docs/redis-roles.md."""
    told = buyers.bought
    print(f"\n{what}: no order for {told.gap_s(began, 0):.2f} s, {told.unknown} unknown, {len(told.accepted)} accepted")


async def test_a_killed_primary_loses_nothing(cluster: Cluster) -> None:
    async with Follower(cluster.url) as follower, Buyers(cluster.url, partitions=3) as buyers:
        await buyers.more()
        primary, began = cluster.primary_of(STREAM), time.monotonic()
        cluster.kill(primary)
        await asyncio.to_thread(cluster.wait_taken_over, primary, STREAM)
        cluster.start(primary)  # on one replica nothing is accepted until there is one again
        await buyers.more()
    await buyers.account(follower.seen)
    _say("killed and started again at once, replicas:1", buyers, began)
    assert buyers.bought.gap_s(began) < RECOVERED_S


@pytest.mark.soak
async def test_a_primary_that_hangs_loses_nothing_also_when_it_goes_on(cluster: Cluster) -> None:
    async with Buyers(cluster.url) as buyers:
        await buyers.more()
        primary, began = cluster.primary_of(STREAM), time.monotonic()
        os.kill(cluster.pid(primary), signal.SIGSTOP)
        try:
            await asyncio.to_thread(cluster.wait_taken_over, primary, STREAM)
        finally:
            os.kill(cluster.pid(primary), signal.SIGCONT)
        await buyers.more()
    assert buyers.bought.unknown
    await buyers.account()
    _say("hangs and goes on, replicas:1", buyers, began)


async def _planned(cluster: Cluster) -> None:
    primary = cluster.primary_of(STREAM)
    with cluster.client(cluster.replica_of(primary)) as replica:
        replica.execute_command("CLUSTER", "FAILOVER")
    await asyncio.to_thread(cluster.wait_taken_over, primary, STREAM)


def _other(cluster: Cluster, node: ClusterNode) -> ClusterNode:
    return next(one for one in cluster.primaries() if one is not node)


def _id(cluster: Cluster, node: ClusterNode) -> str:
    with cluster.client(node) as client:
        return str(client.execute_command("CLUSTER", "MYID"))


async def _moved_at_once(cluster: Cluster) -> None:
    source = cluster.primary_of(STREAM)
    there = _id(cluster, _other(cluster, source))
    with cluster.client(source) as client:
        client.execute_command("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", SLOT, SLOT, "NODE", there)
    await asyncio.to_thread(cluster.wait_taken_over, source, STREAM)


async def _moved_key_by_key(cluster: Cluster) -> None:
    """Move the slot as operators do; who buys and works off meanwhile meets its keys in two places, and elsewhere."""
    source = cluster.primary_of(STREAM)
    target = _other(cluster, source)
    with cluster.client(source) as here, cluster.client(target) as there:
        both = here, there
        split, asked = _errors(both, "TRYAGAIN"), _errors(both, "ASK")
        there.execute_command("CLUSTER", "SETSLOT", SLOT, "IMPORTING", _id(cluster, source))
        here.execute_command("CLUSTER", "SETSLOT", SLOT, "MIGRATING", _id(cluster, target))
        while names := here.execute_command("CLUSTER", "GETKEYSINSLOT", SLOT, 10):
            here.execute_command(
                "MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "AUTH", target.password, "KEYS", *names
            )
            if here.execute_command("CLUSTER", "COUNTKEYSINSLOT", SLOT):
                await _met(both, "TRYAGAIN", split)
        await _met(both, "ASK", asked)
        for client in (there, here):
            client.execute_command("CLUSTER", "SETSLOT", SLOT, "NODE", _id(cluster, target))


def _errors(clients: Iterable[sync_redis.Redis], kind: str) -> int:
    told = [client.info("errorstats").get(f"errorstat_{kind}") for client in clients]
    return sum(int(one["count"]) for one in told if one)


async def _met(clients: Iterable[sync_redis.Redis], kind: str, before: int) -> None:
    """Wait until somebody was told so since."""

    async def told() -> bool:
        return _errors(clients, kind) > before

    await eventually(told, what=f"somebody to be told {kind}")


@pytest.mark.parametrize("change", [_planned, _moved_at_once, _moved_key_by_key])
async def test_a_switch_that_is_planned_loses_nothing(
    cluster: Cluster, change: Callable[[Cluster], Awaitable[None]]
) -> None:
    async with Follower(cluster.url) as follower, Buyers(cluster.url) as buyers:
        await buyers.more()
        primary, began = cluster.primary_of(STREAM), time.monotonic()
        await change(cluster)
        await buyers.more()
        assert cluster.primary_of(STREAM) is not primary
    assert len(set(follower.seen)) == len(follower.seen) >= 100
    await buyers.account(follower.seen)
    _say(change.__name__, buyers, began)


PAUSE_S, ANSWER_S = 0.6, 0.25
"""A pause in which a client repeats, and does not give up yet, and how long clients wait for an answer."""


@pytest.fixture
def steady(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, no replica of which takes over, however long a pause becomes on a busy machine."""
    _let_take_over(cluster, may=False)
    yield cluster
    _let_take_over(cluster, may=True)


def _let_take_over(cluster: Cluster, *, may: bool) -> None:
    for node in cluster.nodes:
        with cluster.client(node) as client:
            client.config_set("cluster-replica-no-failover", "no" if may else "yes")


@contextmanager
def _paused_primary(cluster: Cluster) -> Iterator[None]:
    with paused(cluster.pid(cluster.primary_of(STREAM))):
        yield


async def test_what_is_unknown_is_not_repeated_without_its_key(steady: Cluster) -> None:
    async with Buyers(steady.url, timeout_s=ANSWER_S, replicas=0) as buyers:

        async def all_unknown() -> bool:
            return buyers.bought.unknown >= BUYERS

        await buyers.more()
        with _paused_primary(steady):
            await eventually(all_unknown, what="every buyer to be left without an answer")
        await buyers.more()
    await buyers.account()


async def test_a_client_that_repeats_what_is_unknown_appends_twice(steady: Cluster) -> None:
    """The control: the library's own client of a cluster, as it comes, through a pause."""
    cluster = steady
    seeds = [LibraryNode("127.0.0.1", node.port) for node in cluster.nodes]
    stop = asyncio.Event()
    bought: Counter[int] = Counter()

    async def buy(client: RedisCluster, number: int) -> None:
        while not stop.is_set():
            await client.xadd(STREAM, {"e": f"{number}-{bought[number]}"})
            bought[number] += 1

    async def all_buy() -> bool:
        return len(bought) == BUYERS

    async with RedisCluster(startup_nodes=seeds, password=cluster.nodes[0].password, socket_timeout=ANSWER_S) as client:  # type: ignore[no-untyped-call]
        tasks = [asyncio.create_task(buy(client, number)) for number in range(BUYERS)]
        await eventually(all_buy, what="every buyer to have bought")
        watch = Watch()

        async def repeat() -> bool:
            return watch.elapsed_s() >= PAUSE_S

        with _paused_primary(cluster):
            await eventually(repeat, what="clients to repeat what they sent")
        stop.set()
        await asyncio.gather(*tasks)
    async with Buyers(cluster.url).plain as redis:
        assert max((await entries(redis)).values()) > 1
