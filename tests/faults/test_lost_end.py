"""A replica takes over without the last writes: what is lost is found, told and audited; with `replicas:1` nothing is.

The shoppers' own list of 202s is the measure: the audit must name as many lost orders as are missing from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from db.audit import promises
from db.connections.pool import Connection
from db.work import store_losses
from doorbuster.settings import Settings
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.order_replicas import Group, order_store
from tests.fixtures.proxy import Proxy
from tests.fixtures.shop import Shop, till_at
from tests.fixtures.waiting import eventually

if TYPE_CHECKING:
    from doorbuster.contract.night.promises import PromisesView

ORDERS = 40


@pytest.fixture
def group() -> Iterator[Group]:
    """An order store with a replica that lags."""
    with order_store(1) as group:
        yield group


@pytest.fixture
def front(group: Group) -> Iterator[Proxy]:
    """The address at which the primary is found, whichever it is."""
    with Proxy(group.primary.valkey.url) as front:
        yield front


@pytest.fixture
async def till(
    db: Connection, front: Proxy, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    """What drains the sale."""
    async with till_at(front.url, db, settings, monkeypatch) as till:
        yield till


async def order(intake: Intake, *names: str) -> dict[str, str]:
    """Order at once; return the ids of those that got a 202, by their keys."""
    answers = await asyncio.gather(*(intake.post("sale", key=name, customer_id=name) for name in names))
    return {
        name: answer.json()["order_id"]
        for name, answer in zip(names, answers, strict=True)
        if answer.status_code == 202
    }


async def fail_over(group: Group, front: Proxy) -> None:
    """The primary dies at once, the replica takes over with what it has, and the old one comes back as its replica."""
    group.link.cut()
    group.primary.kill()
    group.lagging.lead()
    front.lead_to(group.lagging.valkey.url)
    group.primary.start()
    group.primary.follow(group.lagging.valkey.port)


def figure(view: PromisesView, what: str) -> tuple[int, int]:
    """Return a figure of the audit and its breaches."""
    return next((one.value, one.breaches) for one in view.figures if one.what == what)


@pytest.mark.parametrize("level", ["fsync", pytest.param("replicas:1", marks=pytest.mark.soak)])
async def test_a_failover_is_audited_by_what_it_lost(
    level: str, group: Group, front: Proxy, till: Shop, serve: Serve, db: Connection
) -> None:
    intake = await serve(
        orders_redis_url=front.url, durability=level, durability_check_s=0.1, replica_wait_ms=2_000, store_timeout_s=3
    )
    sale = await intake.open_sale("sale", "hot")
    await intake.make_product("hot", units=10_000)
    till.sale_number = sale["sale_number"]
    accepted = await order(intake, "first")
    group.link.delay(0)
    await eventually(lambda: _caught_up(group), what="the replica to have it")
    group.link.delay(60 if level == "fsync" else 0.4)  # what comes now never reaches it, or late
    accepted |= await order(intake, *(f"drained-{n}" for n in range(ORDERS)))
    await till.drain()
    accepted |= await order(intake, *(f"waiting-{n}" for n in range(ORDERS)))
    await fail_over(group, front)
    await eventually(lambda: _accepts(intake, accepted), what="orders to be accepted again")
    await till.drain()
    await till.drain()
    rows = await db.fetch("select order_id::text from orders")
    gone = set(accepted.values()) - {row["order_id"] for row in rows}
    lost = "orders answered 202 that neither store has"
    if level == "replicas:1":
        assert not gone
        view = await promises.look(db, till.orders)
        assert figure(view, lost) == (0, 0)
        assert figure(view, "of these: nobody knows what was lost") == (0, 0)
        return
    assert gone, "nothing was lost: the test shows nothing"

    async def found() -> bool:
        return bool(await db.fetchval("select count(*) from lost_orders"))

    await eventually(found, what="the intake to miss its orders")
    view = await promises.look(db, till.orders)
    assert figure(view, lost) == (len(gone), len(gone))
    assert figure(view, "entries the order store accepted")[1] == 0
    assert figure(view, "of these: nobody knows what was lost") == (0, 0)
    await _assert_told(intake, db, len(gone))
    again: dict[str, str] = {}

    async def all_again() -> bool:
        left = [name for name, order_id in accepted.items() if order_id in gone and name not in again]
        again.update(await order(intake, *left))
        return len(again) == len(gone)

    await eventually(all_again, what="shoppers who send again to be answered")
    assert set(again.values()) == gone, "the same key makes the same order"
    await till.drain()
    view = await promises.look(db, till.orders)
    assert figure(view, lost) == (0, 0)


async def _caught_up(group: Group) -> bool:
    return bool(group.lagging.offset >= group.primary.client.info("replication")["master_repl_offset"] - 200)


async def _accepts(intake: Intake, accepted: dict[str, str]) -> bool:
    name = f"after-{len(accepted)}"
    accepted |= await order(intake, name)
    return name in accepted


async def _assert_told(intake: Intake, db: Connection, lost: int) -> None:
    """The log of ops, readiness, status and metrics say it."""
    actions = [row["action"] for row in await db.fetch("select action from ops_log order by entry_id")]
    assert (actions.count(store_losses.LOST), actions.count(store_losses.FOUND)) == (1, 1)
    words = f"{lost} orders answered 202 are in neither store"
    status: dict[str, Any] = (await intake.ops.get("/ops/status")).json()
    assert any(words in trouble for trouble in status["troubles"])
    ready = await intake.http.get("/readyz")
    assert any(words in note for note in ready.json()["checks"]["durability"]["notes"])

    async def counted() -> bool:
        metrics = (await intake.http.get("/metrics")).text
        return f'doorbuster_order_store_losses{{what="orders"}} {float(lost)}' in metrics

    await eventually(counted, what="the metric to say it")
