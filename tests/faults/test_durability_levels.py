"""What each level of DURABILITY survives: the cells of the table in docs/operations.md, each with real servers.

Shoppers order by the intake's own way while it happens; every order that got a 202 is then looked for on the server
that goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pytest

from doorbuster.embedded.stores import valkey
from tests.fixtures.order_replicas import Group, Server, Shoppers, order_store
from tests.fixtures.waiting import eventually

NEARLY_S = 0.02
Event = Callable[[Group, Shoppers], Awaitable[Server]]


class Level(NamedTuple):
    """A level, the replicas around the server, and whether each server syncs each write."""

    name: str
    waits: int
    replicas: int
    synced: bool = True


NONE = Level("none", 0, 1, synced=False)
FSYNC = Level("fsync", 0, 1)
ONE_OF_ONE = Level("replicas:1 of 1", 1, 1)
ONE_OF_TWO = Level("replicas:1 of 2", 1, 2)
TWO_OF_TWO = Level("replicas:2 of 2", 2, 2)
UNSYNCED = Level("replicas:1 of 1, none of which syncs", 1, 1, synced=False)


async def process_dies(group: Group, shoppers: Shoppers) -> Server:
    """The primary's process dies and starts again with its files."""
    await shoppers.order_for(0.3)
    group.primary.kill()
    group.primary.start()
    return group.primary


async def foremost_takes_over(group: Group, shoppers: Shoppers) -> Server:
    """The primary dies, the replica that has most takes over, as Sentinel and Cluster have it."""
    await shoppers.order_for(0.6)
    group.primary.kill()
    successor = group.foremost
    successor.lead()
    return successor


async def lagging_takes_over(group: Group, shoppers: Shoppers) -> Server:
    """The primary dies, and a replica that lags is made the primary."""
    await shoppers.order_for(0.6)
    group.link.cut()
    group.primary.kill()
    group.lagging.lead()
    return group.lagging


async def coordinated_switch(group: Group, shoppers: Shoppers) -> Server:
    """The primary stops writing, waits for the replica that lags, and hands over (FAILOVER)."""
    ordering = asyncio.create_task(shoppers.order_for(1.2))
    await shoppers.under_way()
    group.link.delay(NEARLY_S)  # one that always lags as much as a primary asks for news never has all, and never leads
    group.primary.client.execute_command("FAILOVER", "TO", "127.0.0.1", group.lagging.valkey.port)

    async def leads() -> bool:
        return group.lagging.client.info("replication")["role"] == "master"

    await eventually(leads, what="the replica to lead")
    await ordering
    return group.lagging


async def loose_switch(group: Group, shoppers: Shoppers) -> Server:
    """A replica that lags is made the primary while the old one lives and goes on (REPLICAOF NO ONE)."""
    await shoppers.order_for(0.4)
    group.lagging.lead()
    await shoppers.order_for(0.4)
    return group.lagging


async def partitioned_away(group: Group, shoppers: Shoppers) -> Server:
    """The network cuts one replica off, it is made the primary, and shoppers still reach the old one."""
    await shoppers.order_for(0.4)
    group.link.cut()
    group.lagging.lead()
    await shoppers.order_for(0.4)
    return group.lagging


async def power_fails(group: Group, shoppers: Shoppers) -> Server:
    """All servers lose power at once; the primary starts again with what was synced."""
    await shoppers.order_for(0.3)
    files = sorted((group.primary.valkey.folder / "appendonlydir").glob("*.incr.aof"))
    synced = [(file, file.stat().st_size) for file in files]
    await shoppers.order_for(0.5)
    for server in (group.primary, *group.replicas):
        server.kill()
    if "appendfsync always" not in (group.primary.valkey.folder / "valkey.conf").read_text():
        for file, size in synced:  # the last second, as `everysec` has it
            with file.open("r+b") as opened:
                opened.truncate(size)
    group.primary.start()
    return group.primary


SURVIVES, LOSES = True, False
QUICK = [
    (FSYNC, process_dies, SURVIVES),
    (FSYNC, lagging_takes_over, LOSES),
    (ONE_OF_ONE, foremost_takes_over, SURVIVES),
    (ONE_OF_TWO, loose_switch, LOSES),
    (ONE_OF_ONE, coordinated_switch, SURVIVES),
]
LONG = [
    (NONE, process_dies, SURVIVES),
    (NONE, foremost_takes_over, LOSES),
    (NONE, lagging_takes_over, LOSES),
    (NONE, coordinated_switch, SURVIVES),
    (NONE, loose_switch, LOSES),
    (NONE, partitioned_away, LOSES),
    (NONE, power_fails, LOSES),
    (FSYNC, foremost_takes_over, LOSES),
    (FSYNC, coordinated_switch, SURVIVES),
    (FSYNC, loose_switch, LOSES),
    (FSYNC, partitioned_away, LOSES),
    (FSYNC, power_fails, SURVIVES),
    (ONE_OF_ONE, process_dies, SURVIVES),
    (ONE_OF_ONE, lagging_takes_over, SURVIVES),
    (ONE_OF_ONE, loose_switch, SURVIVES),
    (ONE_OF_ONE, partitioned_away, SURVIVES),
    (ONE_OF_ONE, power_fails, SURVIVES),
    (UNSYNCED, power_fails, LOSES),
    (ONE_OF_TWO, process_dies, SURVIVES),
    (ONE_OF_TWO, foremost_takes_over, SURVIVES),
    (ONE_OF_TWO, lagging_takes_over, LOSES),
    (ONE_OF_TWO, coordinated_switch, SURVIVES),
    (ONE_OF_TWO, partitioned_away, LOSES),
    (ONE_OF_TWO, power_fails, SURVIVES),
    (TWO_OF_TWO, process_dies, SURVIVES),
    (TWO_OF_TWO, foremost_takes_over, SURVIVES),
    (TWO_OF_TWO, lagging_takes_over, SURVIVES),
    (TWO_OF_TWO, coordinated_switch, SURVIVES),
    (TWO_OF_TWO, loose_switch, SURVIVES),
    (TWO_OF_TWO, partitioned_away, SURVIVES),
    (TWO_OF_TWO, power_fails, SURVIVES),
]


def _named(value: object) -> str | None:
    return value.name if isinstance(value, Level) else getattr(value, "__name__", None)


@pytest.mark.parametrize(
    ("level", "happens", "survives"),
    [*QUICK, *(pytest.param(*cell, marks=pytest.mark.soak) for cell in LONG)],
    ids=_named,
)
async def test_what_a_level_survives(
    level: Level, happens: Event, survives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not level.synced:
        monkeypatch.setitem(valkey._ROLES, "orders", valkey._KEPT)
    with order_store(level.replicas) as group:
        shoppers = Shoppers(group.primary.valkey.url, replicas=level.waits)
        try:
            successor = await happens(group, shoppers)
            accepted = shoppers.accepted_ids
            assert accepted, "nothing was accepted: the test shows nothing"
            lost = len(accepted) - len(successor.has(accepted))
        finally:
            await shoppers.close()
    assert (lost == 0) is survives, f"{lost} of {len(accepted)} accepted orders are lost"


def test_every_cell_of_the_table_is_here() -> None:
    events = (process_dies, foremost_takes_over, lagging_takes_over, coordinated_switch, loose_switch, partitioned_away,
              power_fails)  # fmt: skip
    cells = {(level.name, event.__name__) for level, event, _ in QUICK + LONG}
    for level in (NONE, FSYNC, ONE_OF_ONE, ONE_OF_TWO, TWO_OF_TWO):
        assert {(level.name, event.__name__) for event in events} <= cells
