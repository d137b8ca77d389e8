"""Draining one hot product against one transaction per order, and against COPY of the same rows."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import msgspec

from loadtests.bench.orders.accepting import SALE
from loadtests.bench.scale import Scale
from loadtests.check import ledger
from loadtests.rivals import draining
from loadtests.scene.system import System

_BOUND_S = 120.0
GAVE_WAY_S = 1.0
"""A shift that gives way does so for about two seconds; a batch takes some hundredths of one."""


class Draining(msgspec.Struct):
    """One repetition, orders a second."""

    drain_per_s: float
    orders: int
    batches: int
    one_by_one_per_s: float
    copy_per_s: float
    copy_us: float
    """Microseconds of Postgres' processor that COPY takes an order."""


async def measure(system: System, accepted: int, scale: Scale) -> Draining:
    """Let the workers drain what was accepted while they were paused, then measure the rivals on the same server."""
    dsn = system.ready.urls["database"]
    async with ledger.connected(dsn) as connection:
        await ledger.wait_until_drained(connection, SALE, accepted, bound_s=_BOUND_S)
        found = await ledger.batches(connection, SALE)
    with system.draining_paused():
        async with draining.database(dsn) as own:
            orders, rows = await draining.rows_of(dsn)
            before = system.processor_s()["postgres"]
            copied = await draining.copy(own, orders, rows)
            copy_s = system.processor_s()["postgres"] - before
            slow = await draining.one_by_one(own, seconds=scale.rival_s)
    return Draining(
        drain_per_s=rate_of(found),
        orders=orders,
        batches=len(found),
        one_by_one_per_s=slow,
        copy_per_s=copied,
        copy_us=copy_s / orders * 1e6,
    )


def rate_of(batches: list[tuple[datetime, int]]) -> float:
    """Return orders a second while the drain was at work: from each batch's beginning to the next one's.

    Where the shift gave way to others (settle, relay) in between, neither the time nor the batch before it counts.

    Raises:
        RuntimeError: there are too few batches to tell.
    """
    orders, seconds = 0, 0.0
    for (began, count), (following, _) in pairwise(batches):
        took = (following - began).total_seconds()
        if took < GAVE_WAY_S:
            orders += count
            seconds += took
    if not seconds:
        raise RuntimeError(f"{len(batches)} batches are too few to tell a rate")
    return orders / seconds
