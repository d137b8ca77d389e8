"""Telling others: the relay's events a second against the drain's, and deliveries to webhooks of which one hangs.

Owns these two rows. The receivers are one server in a process of its own; the floor posts the same to it, bare.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import msgspec

from db.work import outbox
from loadtests.bench.orders.whole import WORKERS
from loadtests.bench.row import Row
from loadtests.bench.scale import Scale
from loadtests.bench.shop import Fresh, mix, open_sale
from loadtests.check import ledger
from loadtests.scene.servers import serving
from loadtests.scene.system import System
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import MAX_SECONDS, Plan

ENDPOINTS = 50
PART = 100
"""Of the orders of a repetition, one in so many is told to every endpoint."""
_BOUND_S = 180.0
_POLL_S = 0.02
_BODY = b'{"id":"00000000-0000-8000-8000-000000000000:2","type":"order.confirmed","data":{"x":"' + b"x" * 640 + b'"}}'


class Telling(msgspec.Struct):
    """One run, a second."""

    events: int
    drained_events_per_s: float
    published_per_s: float
    deliveries: int
    deliveries_per_s: float
    bare_posts_per_s: float


async def measure(scale: Scale, systems: Fresh) -> Telling:
    """Measure the relay without webhooks, then deliveries to many of them."""
    async with systems.fresh(workers=WORKERS, private_webhooks=True) as system:
        events, drained, published = await _relay(system, scale)
        with TemporaryDirectory(prefix="doorbuster-bench-") as folder:
            async with serving("loadtests.rivals.receiver:create_app()", Path(folder, "log")) as receiver:
                deliveries, per_s = await _deliver(system, scale, receiver)
                bare = await _bare(receiver, scale.rival_s)
    return Telling(events, drained, published, deliveries, per_s, bare)


async def _sell(system: System, sale: str, count: int, scale: Scale) -> int:
    await open_sale(system, sale, payment="none")
    plan = Plan(
        base=system.ready.base, mix=mix(sale, sale), connections=scale.clients, count=count, seconds=MAX_SECONDS,
        keep_ids=False,
    )  # fmt: skip
    with system.draining_paused():
        return (await carry_out(plan)).accepted_count


async def _relay(system: System, scale: Scale) -> tuple[int, float, float]:
    """Return how many events there were, how many a second the drain wrote, and the relay published."""
    orders = await _sell(system, "relay", scale.orders // 4, scale)
    async with ledger.connected(system.ready.urls["database"]) as connection:
        await ledger.wait_until_final(connection, "relay", orders, bound_s=_BOUND_S)
        async with asyncio.timeout(_BOUND_S):
            while True:
                if not await outbox.any_unpublished(connection, "events"):
                    break
                await asyncio.sleep(_POLL_S)
        events, wrote_s, published_s = await ledger.event_span(connection, "relay")
    return events, events / wrote_s, events / published_s


async def _deliver(system: System, scale: Scale, receiver: str) -> tuple[int, float]:
    """Return how many deliveries there were to the endpoints that answer, and how many a second."""
    for number in range(ENDPOINTS):
        path = "hang" if number == 0 else f"take/{number}"
        await system.ops("POST", "/ops/webhooks", {"url": f"{receiver}/{path}", "events": ["order.confirmed"]})
    orders = await _sell(system, "webhooks", max(scale.orders // PART, 20), scale)
    wanted = orders * (ENDPOINTS - 1)
    async with ledger.connected(system.ready.urls["database"]) as connection, asyncio.timeout(_BOUND_S):
        while True:
            delivered, took_s = await ledger.delivered(connection)
            if delivered >= wanted:
                return delivered, delivered / took_s
            await asyncio.sleep(_POLL_S * 10)


async def _bare(receiver: str, seconds: float) -> float:
    """Return how many posts a second one process makes to the same server, unsigned and written down nowhere."""
    done, ends = 0, time.monotonic() + seconds

    async def post(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal done
        while time.monotonic() < ends:
            async with session.post(f"{receiver}/take/{number}", data=_BODY) as answer:
                await answer.read()
            done += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), trust_env=False) as session:
        await asyncio.gather(*(post(session, number) for number in range(1, ENDPOINTS) for _ in range(2)))
    return done / seconds


def said(one: Telling) -> str:
    """Return a run as a line."""
    return (
        f"telling: the relay {one.published_per_s:,.0f} events/s of {one.drained_events_per_s:,.0f}/s; "
        f"{one.deliveries_per_s:,.0f} deliveries/s to {ENDPOINTS} webhooks of which one hangs, "
        f"bare posts {one.bare_posts_per_s:,.0f}/s"
    )


def rows(told: list[Telling]) -> list[Row]:
    """Return its lines of the table."""
    return [
        line
        for one in told
        for line in (
            Row(
                what="events, from the drain's first to the event stream",
                ours=one.published_per_s, rival_name="events that the drain wrote",
                rival=one.drained_events_per_s, bar=0.50,
            ),
            Row(
                what=f"deliveries to {ENDPOINTS} webhooks, one hangs",
                ours=one.deliveries_per_s, rival_name="bare posts to the same server, unsigned",
                rival=one.bare_posts_per_s, bar=0.30,
            ),
        )
    ]  # fmt: skip
