"""What a sale notices of a rehearsal: `python -m loadtests.rehearsal_beside`, its p99 alone and beside one, by turns.

Owns its temporary folder and every process in it. A sale takes a fixed rate in an open loop; in every second turn a
rehearsal of another sale is begun by its command just before, and ended with the turn. A turn in which the generator of
the sale's own orders was late counts for nothing: what it measures then is itself. Ends with exit code 0 when the p99
beside is at most `BAR` times the one alone, with 1 when it is more, with 3 when too few turns counted.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import msgspec

from doorbuster.contract.room import RoomRequest
from loadtests.check import report
from loadtests.generate.catalogue import Product, write
from loadtests.generate.shapes import Shape
from loadtests.scene import stage
from loadtests.scene.system import System, command, running
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan

BAR = 1.10
"""The most that the p99 beside a rehearsal may be, times the p99 alone."""
LATE_MS = 10.0
"""A turn counts when all but one in a hundred of its orders were sent at most so long after their time."""
WARM_S = 8.0
KEEN, TOO_SLOW, NOT_MEASURED = 0, 1, 3
_LATER = "later"
_CONCLUDES = ("stopped: ", "limited by ", "held: ")
"""Begin the lines by which a rehearsal says how far it came."""
_BEGINS_S = 60.0
_STOCK = 100_000_000


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What a sale's orders took."""

    beside: bool
    p50_ms: float
    p99_ms: float
    accepted: int
    offered: int
    late_ms: float
    """p99 of how late the generator was."""
    rehearsal: str = ""
    """What the rehearsal said at its end."""

    @property
    def counts(self) -> bool:
        """Whether it is of the sale, and not of the load generator."""
        return self.late_ms <= LATE_MS and self.accepted >= self.offered * 0.999


def ratio_of(turns: list[Turn]) -> float | None:
    """Return the p99 beside over the p99 alone, of the turns in the middle; None: too few count."""
    alone, beside = ([one.p99_ms for one in turns if one.beside is kind and one.counts] for kind in (False, True))
    return median(beside) / median(alone) if len(alone) >= 2 and len(beside) >= 2 else None


def verdict(ratio: float | None) -> int:
    """Return the exit code."""
    return NOT_MEASURED if ratio is None else KEEN if ratio <= BAR else TOO_SLOW


def main() -> int:
    """Measure and show it; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.rehearsal_beside", description=__doc__)
    parser.add_argument("--rate", type=float, default=2_300.0, help="orders a second of the sale (default 2300)")
    parser.add_argument("--turns", type=int, default=3, help="of each kind (default 3)")
    parser.add_argument("--seconds", type=float, default=25.0, help="of each turn (default 25)")
    options = parser.parse_args()
    if not (1 <= options.rate <= 20_000 and 2 <= options.turns <= 10 and 5 <= options.seconds <= 120):
        parser.error("--rate is 1 to 20,000, --turns 2 to 10, --seconds 5 to 120")
    turns = asyncio.run(_run(options.rate, options.turns, options.seconds))
    screen = report.console()
    table = report.new_table(
        f"a sale of {options.rate:,.0f}/s", "", "p50 ms", "p99 ms", "sent late, p99 ms", "rehearsal"
    )
    for turn in turns:
        name = ("beside" if turn.beside else "alone") + ("" if turn.counts else ", does not count")
        table.add_row(name, f"{turn.p50_ms:.2f}", f"{turn.p99_ms:.2f}", f"{turn.late_ms:.1f}")
    screen.print(table)
    for turn in turns:
        if turn.rehearsal:
            screen.print(turn.rehearsal, highlight=False)
    ratio = ratio_of(turns)
    if ratio is None:
        screen.print(f"[bold red]not measured: orders were sent more than {LATE_MS:g} ms late, or refused")
    else:
        screen.print(f"p99 beside is {ratio:.2f} times the p99 alone; at most {BAR:g} is meant")
    return verdict(ratio)


async def _run(rate: float, turns: int, seconds: float) -> list[Turn]:
    products = stage.catalogue(hot_stock=_STOCK, other_stock=_STOCK)
    with tempfile.TemporaryDirectory(prefix="doorbuster-beside-") as folder:
        write(products, Path(folder, "catalogue.jsonl"))
        async with running(Path(folder, "data")) as system:
            await system.import_catalogue(Path(folder, "catalogue.jsonl"))
            await system.create_sale(stage.sale(products))
            room = RoomRequest(mode="always", rate_per_s=rate, burst=100)
            starts = datetime.now(UTC) + timedelta(days=30)
            await system.create_sale(
                msgspec.structs.replace(
                    stage.sale(products, room), sale_id=_LATER, starts_at=starts, ends_at=starts + timedelta(days=1)
                )
            )
            await _load(system, products, "warm", rate, WARM_S)
            found = []
            for turn in range(turns):
                found.append(await _load(system, products, f"alone-{turn}", rate, seconds))
                found.append(await _beside(system, products, f"beside-{turn}", rate, seconds))
            return found


async def _load(system: System, products: list[Product], name: str, rate: float, seconds: float) -> Turn:
    plan = Plan(
        base=system.ready.base,
        mix=msgspec.structs.replace(stage.mix(products), tokens={}, prefix=name),
        connections=64,
        arrivals=Shape([(0.0, rate), (seconds, rate)]).arrivals().tobytes(),
        seconds=30.0,
    )
    result = await carry_out(plan)
    took = result.accepted_between(0.0, seconds + 30.0)
    return Turn(
        beside=False,
        p50_ms=took.percentile(50) * 1000,
        p99_ms=took.percentile(99) * 1000,
        accepted=result.accepted_count,
        offered=result.offered,
        late_ms=result.late_between(0.0, seconds + 1.0).percentile(99) * 1000,
    )


async def _beside(system: System, products: list[Product], name: str, rate: float, seconds: float) -> Turn:
    rehearsal = await asyncio.create_subprocess_exec(
        *(command(), "rehearse", _LATER, "--beside-live", "--data", system.ready.data),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert rehearsal.stdout is not None
    try:
        await asyncio.wait_for(rehearsal.stdout.readline(), _BEGINS_S)  # that it has begun
        turn = await _load(system, products, name, rate, seconds)
    finally:
        if rehearsal.returncode is None:
            rehearsal.terminate()  # it removes its shadow, and says how far it came
        said, _ = await rehearsal.communicate()
    ended = [line for line in said.decode(errors="replace").splitlines() if line.startswith(_CONCLUDES)]
    return msgspec.structs.replace(turn, beside=True, rehearsal="\n".join(ended))


if __name__ == "__main__":
    sys.exit(main())
