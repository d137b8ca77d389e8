"""The reads of a sale at 50x while orders come in: `python -m loadtests.read_mix`, `make loadtest-reads`.

Owns its temporary folder and every process in it. Product pages, searches and category pages come at fixed times from
one process, orders from another; at the height of the peak the shared cache is emptied. The exit code is 0 only if no
read failed, the primary answered none, the emptied cache cost at most one read of the database a part and process,
every order answered 202 is in the database, and the audit holds. Where other work has a quarter of the machine, or so
much that reads are sent half a second late, searches and category pages may be refused, but no product page may fail.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import redis
from rich.console import Console

from loadtests.check import ledger, read_report, report
from loadtests.check.read_figures import database_reads, grown, metrics, setbacks
from loadtests.check.read_outcome import Emptied, Outcome
from loadtests.generate.catalogue import Product, generate, write
from loadtests.generate.looks import Looks, draw
from loadtests.generate.shapes import Shape, spike
from loadtests.scene import stage
from loadtests.scene.system import MACHINE, System, running
from loadtests.traffic.browsing import Browse, Browsed, browse, browsing
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan, Result

_SETTLE_S = 60.0
_TELL_S = 1.5
"""Longer than any process takes to carry its counts over to the metrics."""
WINDOW_S = 45.0
"""Reads of the database are counted for so long after the emptying at most: no copy made since has come of age."""


class Scene(msgspec.Struct, frozen=True):
    """How big a run is."""

    reads: Shape
    orders: Shape
    products: int
    intake: int
    replicas: int
    connections: int = 1_000
    """So many that who waits for a slow answer keeps nobody else from asking."""
    lag_max_s: float = 1.0
    """How far a replica may be behind and still be read from."""

    @property
    def height_s(self) -> float:
        """When the cache is emptied: in the middle of the peak."""
        return (self.reads.corners[2][0] + self.reads.corners[3][0]) / 2


# Small, beside other work of the machine: a replica that does not get its turn must not be taken for one that lags.
QUICK = Scene(
    reads=spike(base=6, calm_s=1.0, rise_s=1.0, peak_s=3.0),
    orders=spike(base=1, calm_s=1.0, rise_s=1.0, peak_s=3.0),
    products=1_000, intake=2, replicas=1, connections=64, lag_max_s=10.0,
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.read_mix", description=__doc__)
    parser.add_argument("--base", type=float, default=60.0, help="reads a second before the spike (it rises 50x)")
    parser.add_argument("--orders", type=float, default=4.0, help="orders a second before the spike (50x too)")
    parser.add_argument("--peak-s", type=float, default=10.0, help="length of the peak")
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--intake", type=int, default=2, help="intake processes")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a run of a few seconds")
    options = parser.parse_args(arguments)
    lengths = {"calm_s": 5.0, "rise_s": 3.0, "peak_s": min(options.peak_s, WINDOW_S)}
    scene = Scene(
        reads=spike(base=options.base, **lengths), orders=spike(base=options.orders, **lengths),
        products=options.products, intake=options.intake, replicas=options.replicas,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="doorbuster-reads-") as folder:
        outcome = asyncio.run(play(Path(folder), QUICK if options.quick else scene, report.console()))
    return 1 if outcome.faults else 0


async def play(folder: Path, scene: Scene, screen: Console) -> Outcome:
    """Run a scene in a folder and print the report."""
    catalogue = _catalogue(scene)
    write(catalogue, folder / "catalogue.jsonl")
    told: dict[str, Any] = {"LOG_LEVEL": "debug", "REPLICA_LAG_MAX_S": str(scene.lag_max_s)}
    async with running(folder / "data", intake=scene.intake, replicas=scene.replicas, **told) as system:
        screen.print(await system.import_catalogue(folder / "catalogue.jsonl"))
        await system.create_sale(stage.sale(catalogue))
        looks = draw(catalogue, len(scene.reads.arrivals()))
        await _warm(system, looks)
        before, used, began = await metrics(system.ready.base), system.processor_s(), perf_counter()
        generated = _ended_s()
        browsed, emptied, result = await _rush(system, scene, catalogue, looks)
        await asyncio.sleep(_TELL_S)
        after, spent, took = await metrics(system.ready.base), system.processor_s(), perf_counter() - began
        processor_s = {role: seconds - used.get(role, 0.0) for role, seconds in spent.items()}
        ours = sum(processor_s.values()) - processor_s[MACHINE] + _ended_s() - generated
        async with ledger.connected(system.ready.urls["database"]) as connection:
            distinct = len({result.order_ids[at : at + 16] for at in range(0, len(result.order_ids), 16)})
            await ledger.wait_until_final(connection, stage.SALE, distinct, bound_s=_SETTLE_S)
            _, missing = await ledger.unaccounted(connection, result.order_ids)
            states = await ledger.outcomes(connection, stage.SALE)
        log = Path(system.ready.data, "logs", "intake.log")
        outcome = Outcome(
            browsed=browsed, looks=looks, emptied=emptied, result=result,
            by_server={server: n for (server,), n in grown(before, after, "doorbuster_database_reads_total").items()},
            by_place=grown(before, after, "doorbuster_catalogue_reads_total"),
            refills=database_reads(log, emptied.at), setbacks=setbacks(log),
            processor_s=processor_s, states=states, missing=missing, audit=await system.audit(),
            others_share=max(processor_s[MACHINE] - ours, 0.0) / (took * (os.cpu_count() or 1)),
        )  # fmt: skip
    read_report.show(screen, scene.reads, outcome)
    return outcome


def _ended_s() -> float:
    """Return the seconds of processor of processes that ended, such as generators."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _catalogue(scene: Scene) -> list[Product]:
    stock = max(1_000, int(scene.orders.total))
    products = generate(count=scene.products)
    return [msgspec.structs.replace(one, stock=stock) for one in products[: stage.IN_SALE]] + products[stage.IN_SALE :]


async def _warm(system: System, looks: Looks) -> None:
    """Look a little first: connections and statements are made once, and not at the peak."""
    count = min(500, len(looks.order))
    arrivals = spike(base=count / 100, calm_s=0.5, rise_s=0.5, peak_s=1.0).arrivals()[:count]
    await browse(
        Browse(
            base=system.ready.base,
            paths=looks.paths,
            order=looks.order[: len(arrivals)].tobytes(),
            arrivals=arrivals.tobytes(),
        )
    )
    await asyncio.sleep(_TELL_S)


async def _rush(
    system: System, scene: Scene, catalogue: list[Product], looks: Looks
) -> tuple[Browsed, Emptied, Result]:
    """Let reads and orders come; empty the cache at the height."""
    plan = Browse(
        base=system.ready.base, paths=looks.paths, order=looks.order.tobytes(),
        arrivals=scene.reads.arrivals().tobytes(), connections=scene.connections,
    )  # fmt: skip
    orders = Plan(
        base=system.ready.base, mix=stage.mix(catalogue), arrivals=scene.orders.arrivals().tobytes(),
        connections=64, seconds=30.0,
    )  # fmt: skip
    with tempfile.NamedTemporaryFile(prefix="doorbuster-browsed-") as told:
        async with browsing(plan, Path(told.name)) as run:
            ordering = asyncio.create_task(carry_out(orders))
            try:
                emptied = await _empty(system, run.began, scene.height_s)
                await run.over()
                result = await ordering
            finally:
                ordering.cancel()
        return msgspec.msgpack.decode(told.read(), type=Browsed), emptied, result


async def _empty(system: System, began: float, height_s: float) -> Emptied:
    await asyncio.sleep(max(0.0, began + height_s - perf_counter()))
    with redis.Redis.from_url(system.ready.urls["cache_redis"]) as cache:
        await asyncio.to_thread(cache.flushdb)
    return Emptied(datetime.now(UTC), perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main())
