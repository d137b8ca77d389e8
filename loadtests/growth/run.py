"""Runs all points by turns and writes what an order costs at each, as JSON and as a chart. Owns their order.

With each number of orders kept and with very many products a system of its own; on the first all other points, one sale
a point and turn. With `--axes` it measures those alone and puts them in the place of what both files had of them.
It judges nothing: the exit code only tells whether everything could be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

import msgspec

from loadtests.bench.table import machine
from loadtests.check import ledger
from loadtests.growth import chart
from loadtests.growth.axes import PLAIN, QUICK, TITLES, Axis, Extent, Point, orders_of, stages
from loadtests.growth.point import ROLES, Turn, close, idle, measure, nothing
from loadtests.scene.system import System, running

TEN_MILLION = 10_000_000
WORKERS = 4
_REPORTED_S = 1_200.0


class Found(msgspec.Struct):
    """A point with all its turns."""

    axis: Axis
    value: int
    point: Point
    turns: list[Turn]

    @property
    def us(self) -> dict[str, float]:
        """Microseconds of processor an order by role, of the turn that is the median by all roles together."""
        by_cost = sorted(self.turns, key=lambda turn: turn.total_us)
        return by_cost[len(by_cost) // 2].us


class Told(msgspec.Struct):
    """A point as the JSON has it."""

    axis: Axis
    value: int
    us: dict[str, float]
    total_us: float
    median_total_us: float
    point: Point
    turns: list[Turn]


class Report(msgspec.Struct):
    """The JSON."""

    machine: dict[str, Any]
    points: list[Told]


class Parser(argparse.ArgumentParser):
    """A parser that complains on one line, as the other commands do."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit with 2."""
        self.exit(2, f"doorbuster: growth: {message}\n")


def main(arguments: list[str]) -> int:
    """Measure, write both files; return the exit code."""
    parser = Parser(prog="python -m loadtests.growth", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures mean nothing")
    parser.add_argument("--ten-million", action="store_true", help="with ten million orders kept, too")
    parser.add_argument("--turns", type=int, choices=range(1, 10), metavar="1..9", help="of each point (default 3)")
    parser.add_argument(
        "--axes", nargs="+", choices=PLAIN, default=PLAIN, metavar="AXIS", help=f"of these alone: {', '.join(PLAIN)}"
    )
    parser.add_argument("--json", type=Path, default=Path("reports/growth.json"), help="where to write the figures")
    parser.add_argument("--svg", type=Path, default=Path("reports/growth.svg"), help="where to write the chart")
    options = parser.parse_args(arguments)
    extent = QUICK if options.quick else Extent()
    if options.ten_million:
        extent = msgspec.structs.replace(extent, kept=(*extent.kept, TEN_MILLION))
    if options.turns:
        extent = msgspec.structs.replace(extent, turns=options.turns)
    try:
        kept = before(options.json, options.axes)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        parser.error(f"{options.json}: {error}")
    load = os.getloadavg()[0]
    found, postgres = asyncio.run(_all(extent, options.axes, lambda line: print(line, flush=True)))
    points = sorted([*kept, *map(told, found)], key=lambda one: PLAIN.index(one.axis))
    for file in (options.json, options.svg):
        file.parent.mkdir(parents=True, exist_ok=True)
    report = Report(machine(postgres, load), points)
    options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    options.svg.write_text(chart.draw([panel(axis, points) for axis in TITLES], ROLES))
    print(f"load of the machine before: {load:.1f}; written to {options.json} and {options.svg}")
    return 0


def before(file: Path, axes: Collection[Axis]) -> list[Told]:
    """Return what the file has of other axes."""
    if set(axes) == set(PLAIN) or not file.exists():
        return []
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    return [one for one in report.points if one.axis not in axes]


def told(one: Found) -> Told:
    """Return a point as the JSON has it."""
    return Told(
        axis=one.axis,
        value=one.value,
        us={role: round(us, 1) for role, us in one.us.items()},
        total_us=round(sum(one.us.values()), 1),
        median_total_us=round(median(turn.total_us for turn in one.turns), 1),
        point=one.point,
        turns=one.turns,
    )


def panel(axis: Axis, found: list[Told]) -> chart.Panel:
    """Return an axis as the chart has it."""
    bars = [chart.Bar(chart.short(one.value), one.us) for one in found if one.axis == axis]
    return chart.Panel(TITLES[axis], bars)


async def _all(extent: Extent, axes: Collection[Axis], say: Callable[[str], None]) -> tuple[list[Found], str]:
    found: list[Found] = []
    for stage in stages(extent, axes):
        with tempfile.TemporaryDirectory(prefix="doorbuster-growth-") as folder:
            async with running(Path(folder, "data"), workers=WORKERS) as system:
                some, postgres = await _with(system, extent, stage, say)
                found += some
    return found, postgres


async def _with(
    system: System, extent: Extent, stage: list[Point], say: Callable[[str], None]
) -> tuple[list[Found], str]:
    """Measure the points of a system."""
    found, kept = [Found(point.axis, point.value, point, []) for point in stage], stage[0].kept
    async with ledger.connected(system.ready.urls["database"]) as connection:
        with system.draining_paused():  # else the relay begins to tell of them
            await ledger.make_past_orders(connection, kept)
        await ledger.make_shelf(connection, max(one.point.products for one in found))
        await ledger.wait_until_told(connection, bound_s=600)
        await ledger.wait_until_reported(connection, bound_s=_REPORTED_S)  # it takes all that is kept in hand
        await ledger.ask_alone(connection)
        say(f"{kept:,} orders are kept")
        await measure(system, connection, found[0].point, f"warm-{kept}", min(extent.orders, 1_000), nothing())
        if are_several := len(found) > 1:  # a report takes long where much is kept, and a few sales cost little
            await close(system, connection, f"warm-{kept}")
        await ledger.wait_until_calm(connection, bound_s=600)
        at_rest = await idle(system)
        for turn in range(extent.turns):
            for one in found:
                orders = orders_of(extent, one.point)
                name = f"{one.axis}-{one.value}-{turn}"
                one.turns.append(await measure(system, connection, one.point, name, orders, at_rest))
                if are_several:
                    await close(system, connection, name)
                say(f"{turn + 1}/{extent.turns} {TITLES[one.axis]} {one.value:,}: {_said(one.turns[-1])}")
        return found, await ledger.server_version(connection)


def _said(turn: Turn) -> str:
    parts = ", ".join(f"{role} {us:.1f}" for role, us in turn.us.items())
    return f"{turn.total_us:.0f} us an order ({parts})"
