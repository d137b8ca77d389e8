"""A flash sale from nothing: starts everything, sells through a 50x spike, proves that every promise held, stops.

Owns its temporary folder and the processes in it. Ends with exit code 0 only when every invariant holds and every order
that was answered 202 is in the database in a final state.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from doorbuster.contract.room import RoomRequest
from loadtests.check import admitted, ledger, report, reported
from loadtests.generate.catalogue import Product, write
from loadtests.generate.shapes import Shape, spike
from loadtests.scene import aftermath, stage
from loadtests.scene.stage import IN_SALE, SALE
from loadtests.scene.system import System, running
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan, Result, Way
from loadtests.traffic.samples import Samples

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SETTLE_S = 60.0
HOLD_S, EXTENSION_S = 6, 2
"""Short, so that holds end while one watches."""
_PATIENCE_S = 75.0
"""Longest wait in the room after the last arrival."""


class Scene(msgspec.Struct, frozen=True):
    """How big the demo is."""

    shape: Shape
    hot_stock: int
    other_stock: int
    connections: int
    room: RoomRequest


def _room(rate_per_s: float, burst: int) -> RoomRequest:
    return RoomRequest(mode="always", rate_per_s=rate_per_s, burst=burst, grace_s=20, admission_s=120)


FULL = Scene(spike(base=40), hot_stock=1_000, other_stock=1_500, connections=256, room=_room(800, 160))
QUICK = Scene(
    spike(base=10, calm_s=0.5, rise_s=0.5, peak_s=1.0),
    hot_stock=100, other_stock=100, connections=32, room=_room(300, 30),
)  # fmt: skip
WAY = Way(base=f"/sales/{SALE}/room", no_shows=0.02, gatecrashers=0.01, impatient=0.02)
"""Some never claim, some try without an admission, some send an accepted order twice."""


class Outcome(msgspec.Struct):
    """What the demo found."""

    result: Result
    states: dict[str, int]
    distinct: int
    missing: int
    breaches: int
    to_final: Samples
    seconds: float
    stories: dict[str, int] = {}
    differences: list[str] = []
    """Where the sale's report tells otherwise than was seen."""
    alerts: list[str] = []
    """What fired in its night, as the report tells: nothing, on a machine that is up to it."""

    @property
    def good(self) -> bool:
        """Whether everything promised was kept."""
        settled = not self.states.get("pending")
        return not self.breaches and not self.missing and not self.differences and settled and self.distinct > 0


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.demo", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small sale of a few seconds")
    parser.add_argument("--workers", type=int, default=4, help="worker processes (default 4)")
    parser.add_argument(
        "--topology",
        choices=("single", "cluster"),
        default="single",
        help="one server a store (the default), or clusters",
    )
    parser.add_argument(
        "--report", type=Path, default=Path("reports/demo.html"), metavar="FILE",
        help="where the sale's report is written to, a page to print (default %(default)s)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="doorbuster-demo-"))
    try:
        scene = QUICK if options.quick else FULL
        told = {"workers": options.workers, "topology": options.topology, "page": options.report}
        outcome = asyncio.run(play(folder, scene, **told))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if outcome.good else 1


async def play(
    folder: Path, scene: Scene, *, workers: int = 4, topology: str = "single", page: Path | None = None
) -> Outcome:
    """Play the whole sale in a folder, print what came of it, and write the sale's report to `page`."""
    began = monotonic()
    screen = report.console()
    catalogue = stage.catalogue(hot_stock=scene.hot_stock, other_stock=scene.other_stock)
    write(catalogue, folder / "catalogue.jsonl")
    screen.print("starting PostgreSQL, Valkey, intake, workers and scheduler ...")
    async with running(folder / "data", workers=workers, topology=topology, SIMULATED_BOOKS="true") as system:
        screen.print(f"serving at {system.ready.base} after {monotonic() - began:.1f} s")
        screen.print(f"watch it at {system.ready.ops_base}/ops/ with the key {await system.view_key('demo')}")
        screen.print(await system.import_catalogue(folder / "catalogue.jsonl"))
        terms = msgspec.structs.replace(stage.sale(catalogue, scene.room), hold_s=HOLD_S, hold_extension_s=EXTENSION_S)
        await system.create_sale(terms)
        shape = scene.shape
        screen.print(
            f"sale {SALE}: {catalogue[0].name}, {scene.hot_stock:,} units, and {IN_SALE - 1} other products; "
            f"{shape.corners[0][1]:,.0f} shoppers/s rising to {shape.peak:,.0f}/s, times of arrival fixed; "
            f"the waiting room lets {scene.room.rate_per_s:,.0f}/s in"
        )
        async with ledger.connected(system.ready.urls["database"]) as connection:
            with _progress() as bars:
                result = await _sell(system, scene, catalogue, bars)
                distinct, missing, told = await _settle(system, connection, result, bars)
            outcome = Outcome(
                result=result,
                states=await ledger.outcomes(connection, SALE),
                distinct=distinct,
                missing=missing,
                breaches=0,
                to_final=await ledger.times_to_final(connection, SALE),
                seconds=0.0,
            )
            screen.print(report.visits(result))
            screen.print(report.orders(result, outcome.states, missing))
            outcome.stories = await ledger.stories(connection, SALE)
            screen.print(report.stories(outcome.stories))
            for line in told:
                screen.print(line)
            screen.print(_latencies(outcome))
            names = {product.product_id: product.name for product in catalogue[:IN_SALE]}
            screen.print(report.stock(await ledger.stock_of(connection, SALE), names))
        audit = await system.audit()
        audit = audit.with_figures(admitted.figures(result, scene.room, _with_units(outcome.states)))
        screen.print(report.invariants(audit))
        outcome.breaches = audit.breaches
        outcome.differences = await _report(system, outcome, page or folder / "report.html")
        screen.print(f"the sale's report, a page to print, is in {page or folder / 'report.html'}")
    outcome.seconds = monotonic() - began
    _conclude(screen.print, outcome, scene.shape)
    return outcome


async def _report(system: System, outcome: Outcome, page: Path) -> list[str]:
    """Write the sale's report to a file; return where it tells otherwise than was seen."""
    page.parent.mkdir(parents=True, exist_ok=True)
    await system.write_report(SALE, page)
    visits = outcome.result.visits
    assert visits is not None
    told = await system.ops("GET", f"/ops/sales/{SALE}/report")
    outcome.alerts = reported.alerts(told)
    return reported.differences(told, accepted=outcome.distinct, admitted=visits.admitted, states=outcome.states)


def _with_units(states: dict[str, int]) -> int:
    """Return how many orders did not end without units."""
    return sum(count for state, count in states.items() if not state.startswith("cancelled"))


async def _sell(system: System, scene: Scene, catalogue: list[Product], bars: Progress) -> Result:
    arrivals = scene.shape.arrivals()
    offering = bars.add_task("shoppers served", total=len(arrivals))
    plan = Plan(
        base=system.ready.base,
        mix=stage.mix(catalogue, eventful=True),
        connections=scene.connections,
        arrivals=arrivals.tobytes(),
        seconds=_PATIENCE_S,
        room=WAY,
    )
    result = await carry_out(plan, progress=lambda _, finished: bars.update(offering, completed=finished))
    bars.update(offering, completed=result.offered)
    return result


async def _settle(system: System, connection: Connection, result: Result, bars: Progress) -> tuple[int, int, list[str]]:
    """Play what comes after, and wait for every final outcome.

    Returns distinct orders answered 202, how many of them are missing, and what was done to some of them.
    """
    told: list[str] = []
    waiting = bars.add_task("orders final", total=result.accepted_count)
    distinct = len({result.order_ids[at : at + 16] for at in range(0, len(result.order_ids), 16)})
    try:
        await ledger.wait_until_settled(connection, SALE, distinct, bound_s=_SETTLE_S)
        told = await aftermath.play(system, connection)
        await ledger.wait_until_final(
            connection, SALE, distinct, bound_s=_SETTLE_S, progress=lambda final: bars.update(waiting, completed=final)
        )
    except ledger.NotSettledError as error:
        bars.console.print(f"[red]not all orders reached a final outcome: {error}")
    return *await ledger.unaccounted(connection, result.order_ids), told


def _latencies(outcome: Outcome) -> object:
    visits = outcome.result.visits
    assert visits is not None
    return report.latencies(
        {
            "intended arrival to ticket": Samples.from_bytes(visits.to_join),
            "ticket to admission": Samples.from_bytes(visits.waited),
            "admission to order accepted": Samples.from_bytes(outcome.result.accepted),
            "accepted to final outcome": outcome.to_final,
        }
    )


def _progress() -> Progress:
    columns = (TextColumn("{task.description:<16}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=report.console())


def _conclude(say: object, outcome: Outcome, shape: Shape) -> None:
    assert callable(say)
    result = outcome.result
    say(
        f"{result.offered:,} shoppers came in {shape.seconds:.0f} s (peak {shape.peak:,.0f}/s), "
        f"{result.rate:,.0f}/s were served on average, sent at most {result.late_s * 1000:,.0f} ms after its time"
    )
    say(f"{outcome.distinct:,} orders answered 202, {outcome.missing:,} of them unaccounted for")
    for difference in outcome.differences:
        say(f"[bold red]the report differs: {difference}")
    say(f"alerts that fired: {'; '.join(outcome.alerts) or 'none'}")
    verdict = "[bold green]every promise held" if outcome.good else "[bold red]A PROMISE WAS BROKEN"
    say(f"{verdict}[/]; everything is stopped again, after {outcome.seconds:.0f} s in all")


if __name__ == "__main__":
    sys.exit(main())
