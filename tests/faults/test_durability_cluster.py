"""What levels of DURABILITY survive on a Cluster: a planned switch, and the death of a primary, under orders.

The same as `test_durability_levels.py`, where one server stands for a shard: here a Cluster chooses who takes over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis as sync_redis

from doorbuster import keys
from doorbuster.embedded.stores.valkey_cluster import ClusterNode
from tests.fixtures.order_replicas import PARTITION, Shoppers
from tests.fixtures.valkey_cluster import Cluster

pytestmark = pytest.mark.soak

GATE = keys.gate(*PARTITION)


async def planned(cluster: Cluster) -> ClusterNode:
    """The replica is told to take over, and does when it has everything (CLUSTER FAILOVER)."""
    former = cluster.primary_of(GATE)
    with cluster.client(cluster.replica_of(former)) as replica:
        replica.execute_command("CLUSTER", "FAILOVER")
    return await asyncio.to_thread(cluster.wait_taken_over, former, GATE)


async def crash(cluster: Cluster) -> ClusterNode:
    """The primary dies, and the Cluster has its replica take over."""
    former = cluster.primary_of(GATE)
    cluster.kill(former)
    return await asyncio.to_thread(cluster.wait_taken_over, former, GATE)


@pytest.mark.parametrize(("replicas", "happens"), [(0, planned), (1, planned), (1, crash)])
async def test_what_a_level_survives_on_a_cluster(
    cluster: Cluster, replicas: int, happens: Callable[[Cluster], Awaitable[ClusterNode]]
) -> None:
    shoppers = Shoppers(cluster.url, replicas=replicas)
    try:
        ordering = asyncio.create_task(shoppers.order_for(2.0))
        await shoppers.under_way()
        successor = await happens(cluster)
        await ordering
        accepted = shoppers.accepted_ids
    finally:
        await shoppers.close()
    assert accepted, "nothing was accepted: the test shows nothing"
    with sync_redis.Redis.from_url(successor.url) as client:
        there = [client.exists(keys.accepted(*PARTITION, order)) for order in accepted]
    assert sum(there) == len(accepted)
