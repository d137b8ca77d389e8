"""Measures the whole way at some partitions: orders a second, and what each part used. Owns the run, no judgement."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from loadtests.bench.shop import HOT, mix
from loadtests.check import ledger
from loadtests.fleet.measured.calibrate import LEASE_S, only_accepted, open_sale
from loadtests.fleet.measured.processes import calls, generator_s, watching
from loadtests.generate.catalogue import write
from loadtests.scene.system import running
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan

if TYPE_CHECKING:
    from loadtests.scene.system import System

CLIENTS = 64
WORKERS = 6
"""A shift for each of four partitions, the relay, and one to spare."""
_BOUND_S = 180.0


class Whole(msgspec.Struct):
    """One turn."""

    partitions: int
    accepted_per_s: float
    confirmed_per_s: float
    """From the first acceptance to the last confirmation."""
    orders: int
    orders_a_call: float
    orders_a_batch: float
    us: dict[str, float]
    """Microseconds of processor an order, by part."""
    others_cores: float
    """What the machine did besides, cores' worth."""


@asynccontextmanager
async def system_of_one_product(workers: int = WORKERS) -> AsyncIterator[System]:
    """Run a system with the hot product in its catalogue."""
    with tempfile.TemporaryDirectory(prefix="doorbuster-fleet-") as folder:
        catalogue = Path(folder, "catalogue.jsonl")
        write([HOT], catalogue)
        async with running(Path(folder, "data"), workers=workers, LEASE_S=LEASE_S) as system:
            await system.import_catalogue(catalogue)
            yield system


async def measure(system: System, partitions: int, turn: int, seconds: float) -> Whole:
    """Have clients order for so long, wait until all is confirmed, and return what it took."""
    sale = f"fleet-{partitions}-{turn}"
    await open_sale(system, sale, partitions)
    plan = Plan(base=system.ready.base, mix=mix(sale, sale), connections=CLIENTS, seconds=seconds)
    called, own, began = await calls(system), generator_s(), monotonic()
    async with ledger.connected(system.ready.urls["database"]) as connection:
        async with watching(system) as watch:
            result = only_accepted(await carry_out(plan))
            orders = len({result.order_ids[at : at + 16] for at in range(0, len(result.order_ids), 16)})
            await ledger.wait_until_final(connection, sale, orders, bound_s=_BOUND_S)
        took, own = monotonic() - began, generator_s() - own
        span_s = (await ledger.span(connection, sale)).total_seconds()
        batches = len(await ledger.batches(connection, sale))
    used = {part: watch.used_s(part) for part in _PARTS} | {"generator": own}
    roles = own + sum(watch.used_s(role) for role in _ROLES)
    return Whole(
        partitions=partitions,
        accepted_per_s=result.rate,
        confirmed_per_s=orders / span_s,
        orders=orders,
        orders_a_call=orders / (await calls(system) - called),
        orders_a_batch=orders / batches,
        us={_PARTS.get(part, part): seconds_used / orders * 1e6 for part, seconds_used in used.items()},
        others_cores=max((watch.used_s("the whole machine") - roles) / took, 0.0),
    )


_PARTS = {"intake": "intake", "orders": "order store", "postgres": "Postgres", "drain": "drain", "relay": "relay"}
"""What is compared, and the model's name of it."""
_ROLES = ("intake", "orders", "postgres", "worker", "scheduler", "room", "cache", "jobs")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))
