"""Measures the whole way at some partitions: orders a second, and what each part used. Owns the run, no judgement."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import psutil

from loadtests.bench.shop import HOT, mix
from loadtests.check import ledger
from loadtests.fleet.costs import Work
from loadtests.fleet.measured.company import Done, tellings, used_by_part
from loadtests.fleet.measured.processes import calls, generator_s, watching
from loadtests.fleet.measured.sales import BOUND_S, LEASE_S, only_accepted, open_sale
from loadtests.generate.catalogue import write
from loadtests.scene.system import MACHINE, running
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan

if TYPE_CHECKING:
    from loadtests.fleet.measured.processes import Rest
    from loadtests.scene.system import System

CLIENTS = 64
WORKERS = 6
"""A shift for each of four partitions, the relay, and one to spare."""


class Run(NamedTuple):
    """What is to be measured."""

    partitions: int
    clients: int = CLIENTS
    turn: int = 0


class Whole(msgspec.Struct):
    """One turn."""

    partitions: int
    clients: int
    accepted_per_s: float
    confirmed_per_s: float
    """From the first acceptance to the last confirmation."""
    p99_to_final_ms: float
    """From the acceptance to the final outcome."""
    orders: int
    orders_a_call: float
    orders_a_batch: float
    us: dict[str, float]
    """Microseconds of processor an order, by part, without what is used at rest."""
    done: Done
    """The same as costs are reckoned by."""
    busy_cores: float
    """Of the machine, while orders were under way."""
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


async def measure(system: System, run: Run, seconds: float, rest: Rest) -> Whole:
    """Have clients order for so long, wait until all is confirmed, and return what it took."""
    sale = f"fleet-{run.partitions}-{run.clients}-{run.turn}"
    await open_sale(system, sale, run.partitions)
    plan = Plan(base=system.ready.base, mix=mix(sale, sale), connections=run.clients, seconds=seconds)
    called, own, busy = await calls(system), generator_s(), Busy()
    async with ledger.connected(system.ready.urls["database"]) as connection:
        async with watching(system, rest) as watch:
            result = only_accepted(await carry_out(plan, progress=busy.look))
            orders = len({result.order_ids[at : at + 16] for at in range(0, len(result.order_ids), 16)})
            await ledger.wait_until_final(connection, sale, orders, bound_s=BOUND_S)
        span_s = (await ledger.span(connection, sale)).total_seconds()
        batches = len(await ledger.batches(connection, sale))
        waited = await ledger.times_to_final(connection, sale)
    called = await calls(system) - called
    used = {part: watch.used_s(part) for part in _PARTS} | {"generator": result.processor_s}
    roles = generator_s() - own + sum(watch.used_s(role) for role in _ROLES) + sum(rest.values()) * watch.took_s
    return Whole(
        partitions=run.partitions,
        clients=run.clients,
        accepted_per_s=result.rate,
        confirmed_per_s=orders / span_s,
        p99_to_final_ms=waited.percentile(99) * 1000,
        orders=orders,
        orders_a_call=orders / called,
        orders_a_batch=orders / batches,
        us={_PARTS.get(part, part): seconds_used / orders * 1e6 for part, seconds_used in used.items()},
        done=Done(
            Work(orders, called, orders, batches, tellings(batches, watch)), used_by_part(watch, result.processor_s)
        ),
        busy_cores=busy.cores,
        others_cores=max((watch.used_s(MACHINE) - roles) / watch.took_s, 0.0),
    )


class Busy:
    """How many cores of the machine are busy from the first order to the last."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []

    def look(self, offered: int, _finished: int) -> None:
        """Look, if orders are under way."""
        if offered:
            used = psutil.cpu_times()
            idle_s = used.idle + used.iowait
            self._seen.append((monotonic(), idle_s))

    @property
    def cores(self) -> float:
        """Cores' worth; 0 if there were too few looks to tell."""
        if len(self._seen) < 2:
            return 0.0
        (began, idle), (ended, idle_then) = self._seen[0], self._seen[-1]
        return (psutil.cpu_count() or 1) - (idle_then - idle) / (ended - began)


_PARTS = {"intake": "intake", "orders": "order store", "postgres": "Postgres", "drain": "drain", "relay": "relay"}
"""What is compared, and the model's name of it."""
_ROLES = ("intake", "orders", "postgres", "worker", "scheduler", "room", "cache", "jobs")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))
