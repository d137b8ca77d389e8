"""What levels of DURABILITY survive behind Sentinel: switches, a primary that dies, one that is parted, under orders.

The same as `test_durability_levels.py`, where one server stands for a shard: here the sentinels choose who takes over.
A primary that dies with `fsync` loses what its replica lacks: that cell is there, where the replica can be made to lag.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from doorbuster import keys
from doorbuster.embedded.stores.valkey import Valkey
from tests.fixtures.order_replicas import PARTITION, Shoppers
from tests.fixtures.valkey_sentinel import SERVICE, Watched

ORDERING_S = 0.4
Event = Callable[[Watched, Shoppers], Awaitable[Valkey]]


async def coordinated_switch(watched: Watched, _shoppers: Shoppers) -> Valkey:
    """The primary stops writing, waits for its replica, and hands over."""
    former = watched.primary()
    await asyncio.to_thread(watched.ask_sentinel, "FAILOVER", SERVICE, "COORDINATED")
    return await asyncio.to_thread(watched.wait_taken_over, former)


async def loose_switch(watched: Watched, _shoppers: Shoppers) -> Valkey:
    """The replica is made the primary while the old one lives, and goes on until it hears of it."""
    former = watched.primary()
    await asyncio.to_thread(watched.ask_sentinel, "FAILOVER", SERVICE)
    return await asyncio.to_thread(watched.wait_taken_over, former)


async def crash(watched: Watched, _shoppers: Shoppers) -> Valkey:
    """The primary dies."""
    former = watched.primary()
    await asyncio.to_thread(watched.kill, former)
    return await asyncio.to_thread(watched.wait_taken_over, former)


async def parted(watched: Watched, shoppers: Shoppers) -> Valkey:
    """The network parts the primary from its replica and the sentinels, and shoppers still reach it."""
    former = watched.primary()
    await asyncio.to_thread(watched.part, former)
    await shoppers.order_for(ORDERING_S)
    return await asyncio.to_thread(watched.wait_taken_over, former)


SURVIVES, LOSES = True, False


@pytest.mark.parametrize(
    ("replicas", "happens", "survives"),
    [
        (0, coordinated_switch, SURVIVES),
        *(
            pytest.param(*cell, marks=pytest.mark.soak)
            for cell in (
                (0, parted, LOSES),
                (1, coordinated_switch, SURVIVES),
                (1, loose_switch, SURVIVES),
                (1, crash, SURVIVES),
                (1, parted, SURVIVES),
            )
        ),
    ],
)
async def test_what_a_level_survives_behind_sentinel(
    watched: Watched, replicas: int, happens: Event, survives: bool
) -> None:
    former = watched.primary()
    shoppers = Shoppers(watched.url, replicas=replicas)
    try:
        ordering = asyncio.create_task(shoppers.order_for(ORDERING_S))
        await shoppers.under_way()
        successor = await happens(watched, shoppers)
        await ordering
        accepted = shoppers.accepted_ids
    finally:
        await shoppers.close()
    assert successor is not former
    with watched.client(successor) as client:
        there = [client.exists(keys.accepted(*PARTITION, order)) for order in accepted]
    lost = len(accepted) - sum(there)
    assert (lost == 0) is survives, f"{lost} of {len(accepted)} accepted orders are lost"
    if happens is parted:
        await asyncio.to_thread(watched.join, former)
        await asyncio.to_thread(watched.follow, former, successor)
