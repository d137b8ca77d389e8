"""Measures reading products: from this process's copies against a constant answer, conditional, and cold.

The floor answers a body of the same length from memory, on the same server.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

import httpx
import msgspec

from loadtests.bench.row import Row
from loadtests.bench.scale import Scale
from loadtests.generate.catalogue import generate, write
from loadtests.scene.servers import serving
from loadtests.scene.system import System
from loadtests.traffic.readers import ReadPlan, ReadResult, read

HOT = 50
"""Products that everyone looks at."""
COLD = 2_000
TURNS = 5


class Reading(msgspec.Struct):
    """One repetition."""

    cached_per_s: float
    constant_per_s: float
    not_modified_per_s: float
    cached_p99_ms: float
    constant_p99_ms: float
    cold_per_s: float
    cold_p50_ms: float
    cold_p99_ms: float


async def measure(system: System, scale: Scale, *, floor_first: bool) -> Reading:
    """Import a catalogue, then measure by turns; the cold reads come first, each product once."""
    catalogue = generate(count=COLD)
    paths = [f"/products/{product.product_id}" for product in catalogue]
    with tempfile.TemporaryDirectory(prefix="doorbuster-bench-") as folder:
        file = Path(folder, "catalogue.jsonl")
        write(catalogue, file)
        await system.import_catalogue(file)
        async with serving("loadtests.rivals.floor:create_app()", Path(folder, "log")) as floor:
            base = system.ready.base
            cold = _only(200, await read(ReadPlan(base=base, paths=paths, seconds=60, once=True)))
            etag, length = await _shown(base + paths[0])
            constant = ReadPlan(base=floor, paths=[f"/constant/{length}"])
            cached = ReadPlan(base=base, paths=paths[:HOT])
            await read(msgspec.structs.replace(cached, seconds=0.5))
            conditional = ReadPlan(base=base, paths=paths[:1], headers={"If-None-Match": etag})
            plans = (constant, cached, conditional) if floor_first else (conditional, cached, constant)
            of_constant, of_cached, of_unchanged = await _by_turns(
                plans, (constant, cached, conditional), scale.floor_s
            )
    return Reading(
        cached_per_s=median(one.rate for one in of_cached),
        constant_per_s=median(one.rate for one in of_constant),
        not_modified_per_s=median(one.rate for one in of_unchanged),
        cached_p99_ms=median(one.samples.percentile(99) for one in of_cached) * 1000,
        constant_p99_ms=median(one.samples.percentile(99) for one in of_constant) * 1000,
        cold_per_s=cold.rate,
        cold_p50_ms=cold.samples.percentile(50) * 1000,
        cold_p99_ms=cold.samples.percentile(99) * 1000,
    )


def rows(measured: list[Reading]) -> list[Row]:
    """Return the table's lines from the medians."""
    constant = median(one.constant_per_s for one in measured)
    return [
        Row(
            what="cached product read, 64 clients",
            ours=median(one.cached_per_s for one in measured),
            rival_name="a constant answer",
            rival=constant,
            bar=0.80,
        ),
        Row(
            what="conditional product read, 304",
            ours=median(one.not_modified_per_s for one in measured),
            rival_name="a constant answer",
            rival=constant,
            bar=0.80,
        ),
    ]


def said(one: Reading) -> str:
    """Return a line about one repetition."""
    return (
        f"cached reads {one.cached_per_s:,.0f}/s of {one.constant_per_s:,.0f}/s (p99 {one.cached_p99_ms:.1f} ms of "
        f"{one.constant_p99_ms:.1f} ms), 304s {one.not_modified_per_s:,.0f}/s, cold reads {one.cold_per_s:,.0f}/s "
        f"(p50 {one.cold_p50_ms:.1f} ms, p99 {one.cold_p99_ms:.1f} ms)"
    )


async def _by_turns(plans: tuple[ReadPlan, ...], asked: tuple[ReadPlan, ...], seconds: float) -> list[list[ReadResult]]:
    """Carry out plans in many short turns, so that whatever disturbs the machine disturbs all of them alike."""
    done: dict[int, list[ReadResult]] = {id(plan): [] for plan in plans}
    for _ in range(TURNS):
        for plan in plans:
            turn = await read(msgspec.structs.replace(plan, seconds=seconds / TURNS))
            done[id(plan)].append(_only(304 if plan.headers else 200, turn))
    return [done[id(plan)] for plan in asked]


async def _shown(url: str) -> tuple[str, int]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = (await client.get(url)).raise_for_status()
        return answer.headers["etag"], len(answer.content)


def _only(status: int, result: ReadResult) -> ReadResult:
    if set(result.statuses) != {status}:
        raise RuntimeError(f"not every answer was {status}, the figures would mislead: {result.statuses}")
    return result
