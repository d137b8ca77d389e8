"""Accepting on a cluster of the order store against one server, by turns in one run. Owns that comparison.

Two whole instances stand side by side, `doorbuster up` as it is and with `--topology cluster`; workers stand still. All
cores are shared with the load generator, and a cluster's many servers with all else: take the ratio and the processor
time, which tell what a cluster costs, not what three machines would bring.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from loadtests.bench.shop import HOT, mix
from loadtests.fleet.measured.processes import calls
from loadtests.fleet.measured.sales import LEASE_S, only_accepted, open_sale
from loadtests.fleet.measured.whole import cores
from loadtests.fleet.model.layout import Fault, Layout, Load
from loadtests.fleet.model.simulation import Outcome, simulate
from loadtests.fleet.tables import Table
from loadtests.generate.catalogue import write as write_catalogue
from loadtests.scene.system import running
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan

if TYPE_CHECKING:
    from loadtests.fleet.costs import Costs
    from loadtests.scene.system import System

TOPOLOGIES = ("single", "cluster")
PARTITIONS = (1, 2, 4)
CLIENTS = 64
PRIMARIES = 3
TURNS, SECONDS = 2, 2.5
SIMULATED_S = 1.0


class Accepted(msgspec.Struct):
    """One turn."""

    topology: str
    partitions: int
    per_s: float
    intake_us: float
    store_us: float
    """Of all servers of the order store together, an order."""
    orders_a_call: float


class Found(msgspec.Struct):
    """All turns."""

    turns: list[Accepted]
    load: float

    def median(self, topology: str, partitions: int) -> Accepted:
        """Return the medians of the turns of a topology at so many partitions."""
        some = [one for one in self.turns if (one.topology, one.partitions) == (topology, partitions)]
        figures = ("per_s", "intake_us", "store_us", "orders_a_call")
        return Accepted(topology, partitions, *(median(getattr(one, name) for one in some) for name in figures))


async def measure(say: Callable[[str], None], *, turns: int = TURNS, seconds: float = SECONDS) -> Found:
    """Measure both by turns, at each number of partitions."""
    found = Found([], os.getloadavg()[0])
    async with AsyncExitStack() as stack:
        systems = {name: await stack.enter_async_context(_running(name)) for name in TOPOLOGIES}
        for system in systems.values():
            await open_sale(system, "cluster-warm")
            await _accept(system, "cluster-warm", 1.0)
            stack.enter_context(system.draining_paused())
        for turn in range(turns):
            for partitions in PARTITIONS:
                for name in TOPOLOGIES if turn % 2 == 0 else TOPOLOGIES[::-1]:
                    found.turns.append(await _turn(name, systems[name], partitions, turn, seconds))
                    say(_said(found.turns[-1]))
    return found


@asynccontextmanager
async def _running(topology: str) -> AsyncIterator[System]:
    with tempfile.TemporaryDirectory(prefix="doorbuster-fleet-") as folder:
        catalogue = Path(folder, "catalogue.jsonl")
        write_catalogue([HOT], catalogue)
        async with running(Path(folder, "data"), topology=topology, workers=1, LEASE_S=LEASE_S) as system:
            await system.import_catalogue(catalogue)
            yield system


async def _turn(name: str, system: System, partitions: int, turn: int, seconds: float) -> Accepted:
    sale = f"cluster-{partitions}-{turn}"
    await open_sale(system, sale, partitions)
    before, called = system.processor_s(), await calls(system)
    orders, rate = await _accept(system, sale, seconds)
    after, called = system.processor_s(), await calls(system) - called
    intake, store = ((after[role] - before[role]) / orders * 1e6 for role in ("intake", "orders"))
    await asyncio.sleep(0.2)
    return Accepted(name, partitions, rate, intake, store, orders / max(called, 1))


async def _accept(system: System, sale: str, seconds: float) -> tuple[int, float]:
    plan = Plan(base=system.ready.base, mix=mix(sale, sale), connections=CLIENTS, seconds=seconds)
    result = only_accepted(await carry_out(plan))
    return result.accepted_count, result.rate


def _said(one: Accepted) -> str:
    return (
        f"{one.topology}, {one.partitions} partitions: {one.per_s:,.0f}/s, an order {one.intake_us:.0f} µs "
        f"of the intake and {one.store_us:.0f} of the order store, {one.orders_a_call:.0f} orders a call"
    )


def predict(costs: Costs, partitions: int, topology: str) -> Outcome:
    """Return what the model says of accepting alone, with all of it on this machine."""
    nodes, replicas = (1, 0) if topology == "single" else (min(partitions, PRIMARIES), 1)
    layout = Layout(partitions=partitions, nodes=nodes, replicas=replicas, together=cores(), workers=1)
    still = Fault(kind="standstill", at_s=0, for_s=SIMULATED_S)
    return simulate(costs, layout, Load(clients=CLIENTS, seconds=SIMULATED_S), faults=[still])


def table(found: Found, costs: Costs) -> Table:
    """Return the comparison as a table, beside it the ratio that the model foretells."""
    head = [
        "partitions", "single", "cluster", "ratio", "ratio, simulated", "intake + order store, single, µs",
        "cluster, µs",
    ]  # fmt: skip
    rows = []
    for partitions in PARTITIONS:
        single, cluster = (found.median(name, partitions) for name in TOPOLOGIES)
        one, other = (predict(costs, partitions, name).accepted_per_s for name in TOPOLOGIES)
        rows.append([
            str(partitions), f"{single.per_s:,.0f}/s", f"{cluster.per_s:,.0f}/s", f"{cluster.per_s / single.per_s:.2f}",
            f"{other / one:.2f}",
            f"{single.intake_us:.0f} + {single.store_us:.0f}", f"{cluster.intake_us:.0f} + {cluster.store_us:.0f}",
        ])  # fmt: skip
    return Table("accepting, 64 clients", head, rows)


def told(found: Found, costs: Costs) -> str:
    """Return it as the document has it."""
    turns = len(found.turns) // len(PARTITIONS) // len(TOPOLOGIES)
    return f"{table(found, costs).markdown()}\n\nTurns of each: {turns}. Load of the machine before: {found.load:.1f}."


def write(found: Found, file: Path) -> None:
    """Write the JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2))


def read(file: Path) -> Found:
    """Return what was written."""
    return msgspec.json.decode(file.read_bytes(), type=Found)
