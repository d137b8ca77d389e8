"""Accepting, with admission and idempotency, against the floor: throughput at 64 clients, tail latency at half load.

The drain is paused meanwhile.
"""

from __future__ import annotations

import msgspec

from doorbuster.contract.room import RoomRequest
from loadtests.bench.reads.waiting import admissions
from loadtests.bench.scale import Scale
from loadtests.bench.shop import mix
from loadtests.generate.shapes import Shape
from loadtests.rivals.floor import FLOOR
from loadtests.scene.servers import processor_s
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan, Result
from loadtests.traffic.samples import Samples

SALE = "bench"
UNPAID = "timeout"
"""Payment never answers: settling stays idle while the drain is measured."""


ROOM = RoomRequest(mode="always", rate_per_s=1e6, burst=10**6, orders_allowed=1_000)
ADMISSIONS = 200
"""Each pays for a thousand orders: all that a repetition sends, with room to spare."""


class Admitted(Scale, frozen=True, kw_only=True):
    """The scale, and what the orders carry."""

    admissions: list[str]


class Accepting(msgspec.Struct):
    """One repetition: orders a second at 64 clients, 99th percentile in ms at half of our load."""

    ours_per_s: float
    floor_per_s: float
    half_load_per_s: float
    ours_p99_ms: float
    floor_p99_ms: float
    floor_us: float
    """Microseconds of processor that the floor's server takes an order at full load, and whoever asks it."""
    floor_generator_us: float
    accepted: int
    """Orders our stream took, those that warmed it up included."""


async def measure(ours: str, floor: str, scale: Scale, *, floor_first: bool) -> Accepting:
    """Measure both, one after the other; who begins alternates between repetitions."""
    scale = Admitted(**msgspec.structs.asdict(scale), admissions=await admissions(ours, SALE, ADMISSIONS))
    rates: dict[str, Result] = {}
    for base in (floor, ours) if floor_first else (ours, floor):
        await _warm(base, scale)
        before = processor_s(FLOOR)
        rates[base] = await _full(base, scale, ours=base == ours)
        if base == floor:
            floor_s = processor_s(FLOOR) - before
    half = rates[ours].rate / 2
    tails: dict[str, Result] = {}
    for base in (floor, ours) if floor_first else (ours, floor):
        tails[base] = await _half(base, half, scale)
    return Accepting(
        ours_per_s=rates[ours].rate,
        floor_per_s=rates[floor].rate,
        half_load_per_s=half,
        ours_p99_ms=_p99_ms(tails[ours]),
        floor_p99_ms=_p99_ms(tails[floor]),
        floor_us=floor_s / rates[floor].accepted_count * 1e6,
        floor_generator_us=rates[floor].processor_s / rates[floor].accepted_count * 1e6,
        accepted=_warm_count(scale) + rates[ours].accepted_count + tails[ours].accepted_count,
    )


async def _warm(base: str, scale: Admitted) -> None:
    _only_accepted(await carry_out(_plan(base, "warm", scale, count=_warm_count(scale))))


async def _full(base: str, scale: Admitted, *, ours: bool) -> Result:
    if ours:
        return _only_accepted(await carry_out(_plan(base, "full", scale, count=scale.orders)))
    return _only_accepted(await carry_out(_plan(base, "full", scale, seconds=scale.floor_s)))


def _warm_count(scale: Scale) -> int:
    return min(scale.orders // 10, 2_000)


async def _half(base: str, rate: float, scale: Admitted) -> Result:
    arrivals = Shape([(0.0, rate), (scale.half_s, rate)]).arrivals()
    plan = msgspec.structs.replace(_plan(base, "half", scale), arrivals=arrivals.tobytes())
    return _only_accepted(await carry_out(plan))


def _plan(base: str, prefix: str, scale: Admitted, **bounds: float) -> Plan:
    plan = Plan(base=base, mix=mix(SALE, prefix, token=UNPAID, admissions=scale.admissions), connections=scale.clients)
    return msgspec.structs.replace(plan, **bounds)


def _only_accepted(result: Result) -> Result:
    if set(result.outcomes) - {"accepted"} or result.retries:
        raise RuntimeError(f"not every order was accepted at once, the figures would mislead: {result.answers}")
    return result


def _p99_ms(result: Result) -> float:
    return Samples.from_bytes(result.accepted).percentile(99) * 1000
