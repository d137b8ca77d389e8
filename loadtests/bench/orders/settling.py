"""Settling with a provider that takes 100 ms, against as many payments as may be in flight at once. Owns that row."""

from __future__ import annotations

import msgspec

from loadtests.bench.orders.whole import WORKERS
from loadtests.bench.row import Row
from loadtests.bench.scale import Scale
from loadtests.bench.shop import Fresh, mix, open_sale
from loadtests.check import ledger
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import MAX_SECONDS, Plan

SALE = "settling"
PROVIDER_S = 0.1
CONCURRENCY = 500
"""The default of SETTLE_CONCURRENCY."""
_BOUND_S = 180.0


class Settling(msgspec.Struct):
    """One run: orders confirmed a second, of which each waited for its provider."""

    orders: int
    confirmed_per_s: float
    most_per_s: float
    """What the provider and the payments in flight allow."""


async def measure(scale: Scale, systems: Fresh) -> Settling:
    """Accept orders whose provider takes its time, and read from the database how fast they were confirmed."""
    async with systems.fresh(workers=WORKERS) as system:
        await open_sale(system, SALE)
        shoppers = mix(SALE, "settling", token=f"slow:{PROVIDER_S * 1000:.0f}")
        plan = Plan(
            base=system.ready.base, mix=shoppers, connections=scale.clients, count=scale.orders, seconds=MAX_SECONDS,
            keep_ids=False,
        )  # fmt: skip
        orders = (await carry_out(plan)).accepted_count
        async with ledger.connected(system.ready.urls["database"]) as connection:
            await ledger.wait_until_final(connection, SALE, orders, bound_s=_BOUND_S)
            part = orders // 4
            # By when they were confirmed: how long they waited for their turn is told by how fast they came.
            rate = await ledger.confirmed_per_s(connection, SALE, skip=part, orders=2 * part)
    return Settling(orders, rate, CONCURRENCY / PROVIDER_S)


def said(one: Settling) -> str:
    """Return a run as a line."""
    took = f"{PROVIDER_S * 1000:.0f} ms"
    return f"settling with a provider of {took}: {one.confirmed_per_s:,.0f}/s of {one.most_per_s:,.0f}/s"


def row(settling: Settling) -> Row:
    """Return its line of the table."""
    return Row(
        what=f"settling, a provider that takes {PROVIDER_S * 1000:.0f} ms",
        ours=settling.confirmed_per_s,
        rival_name=f"{CONCURRENCY} payments in flight allow",
        rival=settling.most_per_s,
        bar=0.80,
    )
