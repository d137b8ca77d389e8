"""The whole way over a million orders: are the last twentieth as quick as the first? Owns that one comparison."""

from __future__ import annotations

import msgspec

from loadtests.bench.orders.whole import WORKERS
from loadtests.bench.row import Row
from loadtests.bench.scale import Scale
from loadtests.bench.shop import Fresh, mix, open_sale
from loadtests.check import ledger
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import MAX_SECONDS, Plan

SALE = "steady"
PARTS = 20
_BOUND_S = 300.0


class Steady(msgspec.Struct):
    """One run: orders a second, post to final, of the first twentieth and of the last."""

    orders: int
    first_per_s: float
    last_per_s: float


async def measure(scale: Scale, systems: Fresh) -> Steady:
    """Post as many orders as the scale says, and read from the database how quick each end was."""
    async with systems.fresh(workers=WORKERS) as system:
        await open_sale(system, SALE)
        plan = Plan(
            base=system.ready.base,
            mix=mix(SALE, "steady"),
            connections=scale.clients,
            count=scale.steady_orders,
            seconds=MAX_SECONDS,
            keep_ids=False,
        )
        result = await carry_out(plan)
        orders = result.accepted_count
        async with ledger.connected(system.ready.urls["database"]) as connection:
            await ledger.wait_until_final(connection, SALE, orders, bound_s=_BOUND_S)
            part = orders // PARTS
            first = await ledger.rate_of_share(connection, SALE, skip=part, orders=part)  # the first one warms up
            last = await ledger.rate_of_share(connection, SALE, skip=orders - part, orders=part)
    return Steady(orders, first, last)


def said(one: Steady) -> str:
    """Return a run as a line."""
    return f"steady: {one.orders:,} orders, first {one.first_per_s:,.0f}/s, last {one.last_per_s:,.0f}/s"


def row(steady: Steady) -> Row:
    """Return its line of the table."""
    return Row(
        what=f"steady: the last twentieth of {steady.orders:,} orders",
        ours=steady.last_per_s,
        rival_name="the first, after one to warm up",
        rival=steady.first_per_s,
        bar=0.90,
    )
