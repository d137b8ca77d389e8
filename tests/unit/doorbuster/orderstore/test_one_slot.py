"""No verb of the order store needs two slots: each is run against a client that refuses such a command, and watched."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any
from uuid import UUID

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from doorbuster import keys, orderstore
from doorbuster.orderstore import (
    accept,
    accepted,
    backlog,
    changes,
    events,
    gate,
    partition,
    sold_out,
    spent,
    unread,
)
from doorbuster.orderstore.beside import scheduler_failures
from doorbuster.orderstore.gate import Gate
from doorbuster.orderstore.ids import OrderIds, Partition
from doorbuster.redis_roles.client import RoleClient
from doorbuster.redis_roles.commands import SLOTS, Keyless, keys_in, slot_of
from doorbuster.redis_roles.nodes import Nodes
from doorbuster.redis_roles.urls import Address
from doorbuster.redis_roles.whereabouts import Whereabouts

PLACE: Partition = (7, 3)
HERE = slot_of(keys.stream(*PLACE))
ORDER = UUID(bytes=OrderIds(b"an-order-id-key-for-tests").derive(7, 3, customer_id="c", key="k"))
GATE = Gate(sale_number=7, partition=3, version=1, phase="open", opens_ms=0, closes_ms=0, epoch=0)
TOLD = partition.Committed(
    said=("", ""), trim_below=None, drained=1, cursor="1-0", drained_bytes=1, changed=[ORDER.bytes], in_stock=["a"],
    sold_out=["b"],
)  # fmt: skip

VERBS: dict[Callable[..., Awaitable[Any]], tuple[Any, ...]] = {
    accepted.is_accepted: (ORDER,),
    accepted.entry_id_of: (ORDER,),
    accepted.held: ([ORDER],),
    backlog.streams: ([PLACE],),
    backlog.counts: ([PLACE],),
    backlog.tallies: ([PLACE],),
    backlog.accepted: (PLACE,),
    backlog.accepted_and_held: (PLACE,),
    gate.publish: (GATE,),
    gate.publish_each: ([GATE],),
    partition.read_after: (PLACE, "0-0"),
    partition.wait_after: (PLACE, "0-0"),
    partition.fields_of: (PLACE, "1-0"),
    partition.keep_traces: (PLACE, {ORDER.bytes: "span"}),
    partition.read_traces: (PLACE, [ORDER.bytes]),
    partition.forget_traces: (PLACE, [ORDER.bytes]),
    partition.total_at: (PLACE, "0-0"),
    partition.append_again: (PLACE, b"payload"),
    partition.after_commit: (PLACE, TOLD),
    sold_out.read: ([PLACE],),
    sold_out.clear: ([PLACE], ["a", "b"]),
    spent.read: ([PLACE], "spend"),
    spent.give_back: (PLACE, "spend", [ORDER]),
    spent.end: (PLACE, "spend"),
    unread.look: ({PLACE: "0-0"},),
}
"""Verb -> what it is called with, about one partition. Many partitions in one call are so many commands."""
NAMED = {
    partition.read_after: {"count": 1},
    partition.wait_after: {"count": 1, "wait_ms": None},
    spent.end: {"ttl_ms": 1_000, "replicas": 0, "replica_wait_ms": 1},
}
OF_ONE_KEY: dict[Callable[..., Awaitable[Any]], tuple[Any, ...]] = {
    events.append_shadow: (1 << 23, [b"{}"]),
    events.count: (),
    events.newest: (),
    scheduler_failures.count_one: ("part",),
    scheduler_failures.read: (),
}
"""Verbs of what belongs to no partition: a key each."""
OF_NO_KEY = {
    changes.publish_orders, changes.publish_sale, changes.publish_heard, "whole.accepted_ms", "whole.placed",
    "server.ping", "server.away", "server.clocks_us", "server.memory", "server.kept_data",
}  # fmt: skip
"""Channels, and what goes through every primary."""


class Anywhere:
    """Says that one server has every slot."""

    every_s: float | None = None

    async def look(self, known: Collection[Address]) -> Whereabouts | None:
        """Say so."""
        return Whereabouts([Address("only", 1)] * SLOTS)


@pytest.fixture
async def client() -> AsyncIterator[tuple[RoleClient, set[int]]]:
    """A Cluster's client, and the slots that commands named."""
    server = FakeServer()
    client = RoleClient(Nodes(Anywhere(), lambda _address: FakeAsyncRedis(server=server)), timeout_s=1, routes=True)
    named: set[int] = set()
    place_of = client.router.place_of

    def watched(words: Any) -> int | Keyless:
        found = keys_in(words)
        if not isinstance(found, Keyless):
            named.update(map(slot_of, found))
        return place_of(words)

    client.router.place_of = watched  # type: ignore[method-assign]
    yield client, named
    await client.aclose()


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: f"{verb.__module__.rpartition('.')[2]}.{verb.__name__}")
async def test_it_names_keys_of_its_partition_alone(
    client: tuple[RoleClient, set[int]], verb: Callable[..., Awaitable[Any]]
) -> None:
    redis, named = client
    await redis.xadd(keys.stream(*PLACE), {"e": "x", "b": 1})
    named.clear()
    await verb(redis, *VERBS[verb], **NAMED.get(verb, {}))
    assert named == {HERE}


@pytest.mark.parametrize("verb", OF_ONE_KEY, ids=lambda verb: verb.__name__)
async def test_it_names_one_key(client: tuple[RoleClient, set[int]], verb: Callable[..., Awaitable[Any]]) -> None:
    redis, named = client
    await verb(redis, *OF_ONE_KEY[verb])
    assert len(named) == 1


def test_the_accept_script_is_given_keys_of_one_slot() -> None:
    given = [*accept.names_of(7, 3), *(prefix + "0" * 32 for prefix in accept.prefixes_of(7, 3))]
    assert {slot_of(name) for name in given} == {HERE}


def stem(module: str) -> str:
    """Return a module's name in its folder."""
    return module.rpartition(".")[2]


def test_every_verb_is_looked_at() -> None:
    found = set()
    for module in pkgutil.walk_packages(orderstore.__path__, f"{orderstore.__name__}."):
        loaded = importlib.import_module(module.name)
        for name, one in inspect.getmembers(loaded, inspect.isfunction):
            takes = list(inspect.signature(one).parameters)
            is_own = one.__module__ == loaded.__name__ and not name.startswith("_")
            if is_own and takes[:1] in (["redis"], ["reader"]) and name != "subscribed":
                found.add(one if f"{stem(module.name)}.{name}" not in OF_NO_KEY else f"{stem(module.name)}.{name}")
    assert found == VERBS.keys() | OF_ONE_KEY.keys() | OF_NO_KEY
