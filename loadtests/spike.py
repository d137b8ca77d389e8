"""The spike in one command: base rate, fifty times of it within five seconds, hold, back; without a room and with one.

Owns its temporary folder and the processes in it. The room's rate is the one that a rehearsal on the same instance
proposes. Says side by side what shoppers saw of both, and ends with exit code 0 only when nothing was lost or oversold,
and accepting at the peak took at most `BAR` times as long as before; with 3 when the load generator was so late that it
measured itself.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from doorbuster.contract.room import RoomRequest
from loadtests.check import ledger, report
from loadtests.generate.catalogue import write
from loadtests.generate.shapes import Shape
from loadtests.generate.shapes import spike as spike_of
from loadtests.rehearse.run import Terms, rehearse
from loadtests.rehearse.search import MARGIN
from loadtests.scene import stage
from loadtests.scene.system import Figure, System, running
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan, Result, Way

if TYPE_CHECKING:
    from rich.console import Console

    from loadtests.generate.catalogue import Product

FACTOR = 50.0
RISE_S = 5.0
BAR = 3.0
"""The most that the p99 of accepting at the peak may be, times the p99 before it, of those who were let in."""
LATE_MS = 15.0
"""A run counts when all but one in a hundred arrivals were sent at most so long after their time, at the peak too."""
PROCESSES = 2
"""Of the load generator: one alone is busy at the peak, and late."""
WARM_S = 5.0
"""Of orders at the base rate before anything counts: processes, connections and plans are made by the first ones."""
GOOD, BAD, NOT_MEASURED = 0, 1, 3
REHEARSED_P99_MS = 15.0
"""A rate of the rehearsal is held when its orders take at most so long: a peak at `BAR` times a calm of some 5 ms."""
REHEARSED_S = 45.0
"""How long a rehearsal may take."""
_SETTLE_S = 120.0
_PATIENCE_S = 90.0
_STOCK = 1_000_000


class Phases(msgspec.Struct, frozen=True):
    """A spike of which the seconds of the calm before and of the peak are known."""

    base: float
    calm_s: float
    hold_s: float

    @property
    def shape(self) -> Shape:
        """The arrivals."""
        return spike_of(base=self.base, factor=FACTOR, calm_s=self.calm_s, rise_s=RISE_S, peak_s=self.hold_s)

    @property
    def peak_s(self) -> tuple[float, float]:
        """From when to when it is at its peak."""
        return self.calm_s + RISE_S, self.calm_s + RISE_S + self.hold_s


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one spike."""

    offered: int
    accepted: int
    refused: dict[str, int]
    room_per_s: float | None = None
    """The room's rate; None: there was none."""
    rehearsed_per_s: float | None = None
    """What a rehearsal proposed for it; None: none ran, or it found nothing."""
    base_late_ms: float = 0.0
    """How late the generator itself was, p99; it is in the latencies, which count from when an order was meant."""
    peak_late_ms: float = 0.0
    base_ms: tuple[float, float]
    """p50 and p99 of accepting, from the intended arrival; with a room, from the admission."""
    peak_ms: tuple[float, float]
    most_waiting: int
    drained_s: float
    """From the last arrival until every order was final."""
    missing: int
    breaches: list[Figure]

    @property
    def ratio(self) -> float:
        """How much dearer accepting was at the peak."""
        return self.peak_ms[1] / self.base_ms[1] if self.base_ms[1] else 0.0

    @property
    def is_measured(self) -> bool:
        """Whether the generator kept up: else its own lateness is what was measured."""
        return max(self.base_late_ms, self.peak_late_ms) <= LATE_MS

    @property
    def is_whole(self) -> bool:
        """Whether nothing was lost and every promise held."""
        return not self.missing and not self.breaches and self.accepted > 0


def main(arguments: list[str] | None = None) -> int:
    """Run the spike without a room and with one; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.spike", description=__doc__)
    parser.add_argument("--base", type=float, default=40.0, help="orders a second before the spike (default 40)")
    parser.add_argument("--hold", type=float, default=10.0, help="seconds at the peak (default 10)")
    parser.add_argument(
        "--rate", type=float, default=800.0, help="places a second of the waiting room, at most (default 800)"
    )
    parser.add_argument("--no-rehearsal", action="store_true", help="take --rate as it is, without a rehearsal")
    parser.add_argument("--json", type=Path, default=Path("reports/spike.json"), help="where to write the figures")
    parser.add_argument("--quick", action="store_true", help="a run of a few seconds; its latencies are not judged")
    options = parser.parse_args(arguments)
    if not (0 < options.base <= 1_000 and 0 < options.hold <= 300 and 0 < options.rate <= 100_000):
        parser.error("--base is above 0 and at most 1,000, --hold at most 300, --rate at most 100,000")
    phases = Phases(4.0, 1.0, 2.0) if options.quick else Phases(options.base, 15.0, options.hold)
    screen = report.console()
    rehearsed = not (options.quick or options.no_rehearsal)
    bare, roomed = asyncio.run(_run(phases, options.rate, screen, rehearsed=rehearsed))
    _show(screen, phases, bare, roomed)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_bytes(msgspec.json.format(msgspec.json.encode({"without_room": bare, "with_room": roomed})))
    return _verdict(screen, bare, roomed, judged=not options.quick)


async def _run(phases: Phases, most_per_s: float, screen: Console, *, rehearsed: bool) -> tuple[Seen, Seen]:
    return await _one(phases, None, screen), await _one(phases, most_per_s, screen, rehearsed=rehearsed)


def room_of(rate_per_s: float) -> RoomRequest:
    """Return a room that stands before everybody."""
    return RoomRequest(mode="always", rate_per_s=rate_per_s, burst=max(round(rate_per_s / 5), 1), admission_s=120)


async def _one(phases: Phases, most_per_s: float | None, screen: Console, *, rehearsed: bool = False) -> Seen:
    """Run one spike on a system of its own, with a room of this rate at most, or none."""
    products = stage.catalogue(hot_stock=_STOCK, other_stock=_STOCK)
    with tempfile.TemporaryDirectory(prefix="doorbuster-spike-") as folder:
        write(products, Path(folder, "catalogue.jsonl"))
        async with running(Path(folder, "data")) as system:
            await system.import_catalogue(Path(folder, "catalogue.jsonl"))
            rate = most_per_s
            proposed = await _rehearsed(system, products, rate, screen) if rehearsed and rate is not None else None
            if rate is not None and proposed is not None:
                rate = min(proposed, rate)
            room = stage.NO_ROOM if rate is None else room_of(rate)
            await system.create_sale(stage.sale(products, room))
            named = "no waiting room" if rate is None else f"a waiting room of {rate:,.0f}/s"
            shape = phases.shape
            screen.print(f"{named}: {phases.base:,.0f}/s, {shape.peak:,.0f}/s within {RISE_S:.0f} s ...")
            has_room = rate is not None
            warm = Shape([(0.0, phases.base), (WARM_S, phases.base)])
            await carry_out(_plan(system, warm, products, "warm", with_room=has_room), processes=PROCESSES)
            result = await carry_out(_plan(system, shape, products, "shopper", with_room=has_room), processes=PROCESSES)
            seen = await _seen(system, phases, result)
            return msgspec.structs.replace(seen, room_per_s=rate, rehearsed_per_s=proposed)


async def _rehearsed(system: System, products: list[Product], most_per_s: float, screen: Console) -> float | None:
    """Return the rate that a rehearsal proposes, where accepting takes at most so long; None: it found none."""
    starts = datetime.now(UTC) + timedelta(days=1)
    later = msgspec.structs.replace(
        stage.sale(products, room_of(most_per_s)),
        sale_id="to-rehearse",
        starts_at=starts,
        ends_at=starts + timedelta(days=1),
    )
    await system.create_sale(later)
    terms = Terms(
        base=system.ready.base, ops_base=system.ready.ops_base, ops_key=system.ready.ops_key, sale="to-rehearse",
        operator="spike", seconds=1.0, step_s=3.0, most_per_s=most_per_s / (1 - MARGIN), p99_ms=REHEARSED_P99_MS,
    )  # fmt: skip
    screen.print(f"rehearsing, for the rate of the room at which accepting takes {REHEARSED_P99_MS:g} ms at most ...")
    async with asyncio.timeout(REHEARSED_S):  # it ends then with what it has found
        outcome = await rehearse(terms, lambda line: screen.print(f"  {line}", highlight=False))
    return outcome.result.proposed_rate_per_s


def _plan(system: System, shape: Shape, products: list[Product], prefix: str, *, with_room: bool) -> Plan:
    return Plan(
        base=system.ready.base,
        mix=msgspec.structs.replace(stage.mix(products), tokens={}, prefix=prefix),
        connections=256,
        arrivals=shape.arrivals().tobytes(),
        seconds=_PATIENCE_S,
        room=Way(base=f"/sales/{stage.SALE}/room") if with_room else None,
    )


async def _seen(system: System, phases: Phases, result: Result) -> Seen:
    ended = monotonic() - max(result.seconds - phases.shape.seconds, 0.0)
    distinct = len({result.order_ids[at : at + 16] for at in range(0, len(result.order_ids), 16)})
    async with ledger.connected(system.ready.urls["database"]) as connection:
        await ledger.wait_until_final(connection, stage.SALE, distinct, bound_s=_SETTLE_S)
        drained_s = monotonic() - ended
        _, missing = await ledger.unaccounted(connection, result.order_ids)
        most_waiting = await ledger.most_waiting(connection, stage.SALE)
    audit = await system.audit()
    return Seen(
        offered=result.offered,
        accepted=distinct,
        refused={code: count for code, count in result.outcomes.items() if code != "accepted"},
        base_late_ms=result.late_between(0.0, phases.calm_s).percentile(99) * 1000,
        peak_late_ms=result.late_between(*phases.peak_s).percentile(99) * 1000,
        base_ms=_percentiles(result, 0.0, phases.calm_s),
        peak_ms=_percentiles(result, *phases.peak_s),
        most_waiting=most_waiting,
        drained_s=drained_s,
        missing=missing,
        breaches=[figure for figure in audit.figures if figure.breaches],
    )


def _percentiles(result: Result, start: float, end: float) -> tuple[float, float]:
    samples = result.accepted_between(start, end)
    return samples.percentile(50) * 1000, samples.percentile(99) * 1000


def _show(screen: Console, phases: Phases, bare: Seen, roomed: Seen) -> None:
    table = report.new_table(f"{phases.base:,.0f}/s to {phases.shape.peak:,.0f}/s and back", "", "no room", "room")
    for name, one, other in zip(_ROWS, _figures(bare), _figures(roomed), strict=True):
        table.add_row(name, one, other)
    screen.print(table)


_ROWS = (
    "came", "orders accepted", "refused", "accepting before, p50 and p99, ms", "accepting at the peak, p50 and p99, ms",
    "p99 at the peak, times that before", "most accepted orders that waited for the drain",
    "last arrival to the last order's end, s", "the generator's own lateness before and at the peak, p99, ms",
    "rate of the room, and what a rehearsal proposed, /s", "answered 202 and nowhere to be found",
)  # fmt: skip


def _figures(seen: Seen) -> list[str]:
    return [
        f"{seen.offered:,}",
        f"{seen.accepted:,}",
        ", ".join(f"{code} {count:,}" for code, count in seen.refused.items()) or "none",
        f"{seen.base_ms[0]:,.1f}  {seen.base_ms[1]:,.1f}",
        f"{seen.peak_ms[0]:,.1f}  {seen.peak_ms[1]:,.1f}",
        f"{seen.ratio:.1f}",
        f"{seen.most_waiting:,}",
        f"{seen.drained_s:.1f}",
        f"{seen.base_late_ms:,.1f}  {seen.peak_late_ms:,.1f}",
        f"{_rate(seen.room_per_s)}  {_rate(seen.rehearsed_per_s)}",
        f"{seen.missing:,}",
    ]


def _rate(rate: float | None) -> str:
    return "none" if rate is None else f"{rate:,.0f}"


def _verdict(screen: Console, bare: Seen, roomed: Seen, *, judged: bool) -> int:
    for named, seen in (("without a room", bare), ("with a room", roomed)):
        for figure in seen.breaches:
            screen.print(f"[bold red]{named}: {figure.promise} {figure.what}: {figure.breaches:,}")
    whole = bare.is_whole and roomed.is_whole
    screen.print("[bold green]every promise held" if whole else "[bold red]A PROMISE WAS BROKEN")
    if not whole:
        return BAD
    if judged and not (bare.is_measured and roomed.is_measured):
        screen.print(f"[bold red]this run does not count: the load generator was more than {LATE_MS:g} ms late itself")
        return NOT_MEASURED
    if judged and not 0 < roomed.ratio <= BAR:
        screen.print(f"[bold red]with a room, accepting at the peak took more than {BAR:g} times as long as before")
        return BAD
    return GOOD


if __name__ == "__main__":
    sys.exit(main())
