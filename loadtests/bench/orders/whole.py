"""The whole way, post to confirmed, sustained, against a server that reserves synchronously, and two with queues."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter

import msgspec

from loadtests.bench.scale import Scale
from loadtests.bench.shop import HOT, Fresh, mix, open_sale
from loadtests.check import ledger
from loadtests.rivals import baseline, batch_queue, queue
from loadtests.scene.servers import serving
from loadtests.scene.system import System
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan, Result

_BOUND_S = 180.0
WORKERS = 4


class Whole(msgspec.Struct):
    """One repetition; the rate counts from the first acceptance until the last order was confirmed.

    Not from when the generator was started: the rival's rate counts from its first request too.
    """

    confirmed_per_s: float
    accepted_per_s: float
    orders: int
    most_waiting: int
    p99_to_final_ms: float
    baseline_per_s: float
    queue_per_s: float
    """Of the rival with a queue, from the first post until the last job is done."""
    batch_queue_per_s: float
    """Of the one whose queue hands out batches."""


async def measure(scale: Scale, systems: Fresh) -> list[Whole]:
    """Measure both on one system, by turns."""
    async with systems.fresh(workers=WORKERS) as system:
        dsn = system.ready.urls["database"]
        with tempfile.TemporaryDirectory(prefix="doorbuster-bench-") as folder:
            async with (
                baseline.tables(dsn, product_id=HOT.product_id, stock=HOT.stock),
                serving("loadtests.rivals.baseline:create_app()", Path(folder, "log"), BASELINE_DSN=dsn) as rival,
            ):
                return [await _turn(system, rival, turn, scale) for turn in range(scale.repeats)]


async def _queued_per_s(dsn: str, module: str, left_by: str, plan: tuple[str, str, Scale]) -> float:
    """Return the orders a second of a rival with a queue, whose workers run for its turn alone."""
    with tempfile.TemporaryDirectory(prefix="doorbuster-bench-") as folder:
        async with queue.queueing(dsn, Path(folder), module=module) as base:
            began = perf_counter()
            result = await _run(base, *plan)
            await queue.wait_until_empty(dsn, bound_s=_BOUND_S, left_by=left_by)
            return result.accepted_count / (perf_counter() - began)


async def _turn(system: System, synchronous_rival: str, turn: int, scale: Scale) -> Whole:
    sale = f"whole-{turn}"
    await open_sale(system, sale)
    async with ledger.connected(system.ready.urls["database"]) as connection:
        result = await _run(system.ready.base, sale, f"ours-{turn}", scale)
        orders = len({result.order_ids[at : at + 16] for at in range(0, len(result.order_ids), 16)})
        await ledger.wait_until_final(connection, sale, orders, bound_s=_BOUND_S)
        states = await ledger.outcomes(connection, sale)
        seconds = (await ledger.span(connection, sale)).total_seconds()
        most_waiting = await ledger.most_waiting(connection, sale)
        to_final = await ledger.times_to_final(connection, sale)
    synchronous = await _run(synchronous_rival, sale, f"rival-{turn}", scale)
    queued = [
        await _queued_per_s(system.ready.urls["database"], rival.MODULE, rival.LEFT_BY, (sale, f"{turn}-{at}", scale))
        for at, rival in enumerate((queue, batch_queue))
    ]
    return Whole(
        confirmed_per_s=states.get("confirmed", 0) / seconds,
        accepted_per_s=result.rate,
        orders=orders,
        most_waiting=most_waiting,
        p99_to_final_ms=to_final.percentile(99) * 1000,
        baseline_per_s=synchronous.rate,
        queue_per_s=queued[0],
        batch_queue_per_s=queued[1],
    )


async def _run(base: str, sale: str, prefix: str, scale: Scale) -> Result:
    result = await carry_out(Plan(base=base, mix=mix(sale, prefix), connections=scale.clients, seconds=scale.whole_s))
    if set(result.outcomes) != {"accepted"}:
        raise RuntimeError(f"not every order was accepted, the figures would mislead: {result.answers}")
    return result
