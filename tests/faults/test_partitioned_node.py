"""The network cuts a primary of a Cluster off while orders come, and brings it back: what was answered 202 is held.

A network namespace is what the node lives in. It is cut off from everybody, or from the other nodes alone: then it goes
on answering clients until it has missed the majority for the node time-out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from db.audit import promises
from db.connections.pool import Connection
from doorbuster import keys
from doorbuster.settings import Settings
from tests.fixtures.cluster_load import SALE, Buyers, entries
from tests.fixtures.cut_off import BUS, CLIENTS, NODE_TIMEOUT_S, CutCluster
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.shop import Shop, till_at
from tests.fixtures.waiting import eventually, wait_until

pytestmark = pytest.mark.soak

STREAM = keys.stream(SALE, 0)
PARTITIONS = 3
WIRES = {"from everybody": (BUS, CLIENTS), "from the other nodes": (BUS,)}
TAKEN_OVER_S = NODE_TIMEOUT_S + 8.0
"""From the cut to a replica that takes writes: the node time-out, an election, and a machine that others use, too."""
BACK_S = 15.0
"""From the wires' being whole to orders that a replica has, too: the old primary must hear, give way and catch up."""
ALONE = 20
ORDERS = 40
LOST = "orders answered 202 that neither store has"


async def _back(cluster: CutCluster) -> None:
    await asyncio.to_thread(wait_until, cluster.follows, within_s=30, what="the old primary to follow")
    await asyncio.to_thread(wait_until, cluster.is_whole, within_s=30, what="the cluster to be whole")


@pytest.mark.parametrize("cut", WIRES)
async def test_nothing_that_a_replica_has_is_lost(cut_cluster: CutCluster, cut: str) -> None:
    cluster = cut_cluster
    cluster.lead(STREAM)
    others = [one for one in range(PARTITIONS) if cluster.primary_of(keys.stream(SALE, one)) is not cluster.away]
    async with Buyers(cluster.url, partitions=PARTITIONS) as buyers:
        await buyers.more()
        cluster.wires.cut(*WIRES[cut])
        began = time.monotonic()
        sent = [asyncio.create_task(buyers.once()) for _ in range(ALONE)]
        successor = await asyncio.to_thread(cluster.wait_taken_over, cluster.away, STREAM)
        taken_over_s = time.monotonic() - began
        taken, answered = cluster.taken(), set(buyers.bought.accepted)
        assert others, "no partition is on another node"
        await buyers.more(among=others)  # they go on all the while
        joined = time.monotonic()
        cluster.wires.join(*WIRES[cut])
        await buyers.more()  # on one replica nothing is accepted until there is one again
        back_s = buyers.bought.gap_s(joined, 0)
        alone = [order for order, accepted in await asyncio.gather(*sent) if not accepted]
        await _back(cluster)
    whole_s = time.monotonic() - joined
    assert buyers.bought.unknown
    await buyers.account()
    async with Buyers(cluster.url).plain as redis:
        held = await entries(redis)
    lost_alone = [order for order in alone if order.encode() in taken]
    if cut == "from the other nodes":
        assert lost_alone, "the old primary took nothing alone: the test shows nothing"
    assert not answered & set(lost_alone)
    assert not held.keys() & set(lost_alone), "what it took alone counts"
    assert cluster.replica_of(successor) is cluster.away
    elsewhere_s = max(buyers.bought.gap_s(began, one) for one in others)
    print(
        f"\ncut off {cut}: taken over after {taken_over_s:.1f} s, accepts {back_s:.1f} s after it is back, whole by"
        f" {whole_s:.1f} s; longest gap {buyers.bought.gap_s(began, 0):.1f} s, elsewhere {elsewhere_s:.1f} s;"
        f" {buyers.bought.unknown} unknown, {len(lost_alone)} taken alone, {len(buyers.bought.accepted)} accepted"
    )
    assert (taken_over_s < TAKEN_OVER_S, back_s < BACK_S) == (True, True), (taken_over_s, back_s)


@pytest.fixture
async def till(
    cut_cluster: CutCluster, db: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    """What drains the sale."""
    async with till_at(cut_cluster.url, db, settings, monkeypatch) as till:
        yield till


class _Customers:
    """Customers of the real intake, a name an order, and who of them got a 202."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.names: list[str] = []
        self.accepted: dict[str, str] = {}
        """Name -> order, of those that got a 202."""

    async def order(self, *names: str) -> set[str]:
        """Order at once; return the orders that got a 202."""
        self.names += [name for name in names if name not in self.names]
        answers = await asyncio.gather(*(self._intake.post("sale", key=name, customer_id=name) for name in names))
        said = zip(names, answers, strict=True)
        told = {name: answer.json()["order_id"] for name, answer in said if answer.status_code == 202}
        assert all(self.accepted.get(name, order) == order for name, order in told.items()), "one key, two orders"
        self.accepted |= told
        return set(told.values())

    async def insist(self, name: str) -> float:
        """Order until it is accepted; return how many seconds that took."""
        began = time.monotonic()

        async def accepted() -> bool:
            return bool(await self.order(name))

        await eventually(accepted, within_s=30, what="orders to be accepted")
        return time.monotonic() - began


async def _orders(db: Connection) -> set[str]:
    return {row["order_id"] for row in await db.fetch("select order_id::text from orders")}


async def _audited(db: Connection, till: Shop, breaches: dict[str, int]) -> None:
    """Wait until the audit says that these promises are broken, how often, and no other."""
    seen: dict[str, int] = {}

    async def says() -> bool:
        nonlocal seen
        seen = {one.what: one.breaches for one in (await promises.look(db, till.orders)).figures if one.breaches}
        return seen == breaches

    try:
        await eventually(says, what="the audit")
    except AssertionError:
        assert seen == breaches


@pytest.mark.parametrize("level", ["fsync", "replicas:1"])
async def test_what_the_old_primary_took_alone_is_audited(
    cut_cluster: CutCluster, till: Shop, serve: Serve, db: Connection, level: str
) -> None:
    """With `fsync`, the control, it answers 202 to what it has alone: the audit counts these orders.

    Meanwhile some of them are drained from it, so that Postgres has what the server that goes on has not.
    """
    cluster, loses = cut_cluster, level == "fsync"
    intake = await serve(
        orders_redis_url=cluster.url, durability=level, durability_check_s=0.1, replica_wait_ms=300, store_timeout_s=2
    )
    till.sale_number = (await intake.open_sale("sale", "hot"))["sale_number"]
    await intake.make_product("hot", units=10_000)
    gate = keys.gate(till.sale_number, 0)
    cluster.lead(gate)
    customers = _Customers(intake)
    await customers.insist("first")
    await customers.order(*(f"before-{n}" for n in range(ORDERS)))
    await till.drain()
    cluster.wires.cut(BUS)
    began = time.monotonic()
    drained = await customers.order(*(f"drained-{n}" for n in range(ORDERS)))
    await till.drain()
    waiting = await customers.order(*(f"waiting-{n}" for n in range(ORDERS)))
    assert (bool(drained), bool(waiting)) == (loses, loses), "a 202 without its replica, or none at all"
    await asyncio.to_thread(cluster.wait_taken_over, cluster.away, gate)
    if loses:
        await customers.insist("meanwhile")
    again_s, joined = time.monotonic() - began, time.monotonic()
    cluster.wires.join(BUS)
    back_s = await customers.insist("after")
    await _back(cluster)
    print(
        f"\n{level}: {'accepts' if loses else 'taken over'} {again_s:.1f} s after the cut, accepts {back_s:.1f} s after"
        f" it is back, whole by {time.monotonic() - joined:.1f} s; answered 202 alone: {len(drained) + len(waiting)}"
    )
    await till.drain()
    await till.drain()
    gone = set(customers.accepted.values()) - await _orders(db)
    assert gone == waiting, "what the old primary took alone and nobody drained, and nothing else"
    await _audited(db, till, {LOST: len(gone)} if loses else {})
    await customers.order(*customers.names)  # the same keys again
    assert customers.accepted.keys() == set(customers.names)
    await till.drain()
    assert await _orders(db) == set(customers.accepted.values())
    await _audited(db, till, {})
