"""Runs the benchmark: every repetition measures ours and the rivals by turns, on fresh stores. Owns their order.

A missed bar is said, not failed: the exit code only tells whether everything could be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NoReturn

import msgspec

from loadtests.bench import table
from loadtests.bench.orders import accepting, batches, draining, least, limits, modes, settling, steady, telling, whole
from loadtests.bench.reads import listening, reading, searching, waiting
from loadtests.bench.scale import FULL, QUICK, Scale
from loadtests.bench.shop import Fresh, open_sale, shared
from loadtests.check import ledger, report
from loadtests.rivals.floor import FLOOR
from loadtests.scene.servers import serving
from loadtests.scene.system import System

PARTS = ("orders", "reads")
SIZES = (20_000, 100_000, 1_000_000)
BUSY = 0.5
"""Load average above which a run says that others disturbed it."""
WORKERS = 1
"""One shift at a time: the drain is measured by itself, as its rivals are; the whole way runs with all of them."""


class Parser(argparse.ArgumentParser):
    """A parser that complains on one line, as the other commands do."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit with 2."""
        self.exit(2, f"doorbuster: bench: {message}\n")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, write the JSON; return the exit code."""
    parser = Parser(prog="doorbuster bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run; its figures mean nothing")
    parser.add_argument("--only", choices=PARTS, help="a part: orders, or the room, catalogue and search (reads)")
    parser.add_argument("--json", type=Path, default=Path("reports/bench.json"), help="where to write the figures")
    every = f"search alone, in every engine that is here, at these sizes (default {' '.join(map(str, SIZES))})"
    parser.add_argument("--search", type=int, nargs="*", metavar="PRODUCTS", help=every)
    options = parser.parse_args(arguments)
    if options.search is not None:
        return _search(options.search or SIZES, options.json, quick=options.quick)
    screen = report.console()
    load = os.getloadavg()[0]
    measured, postgres = asyncio.run(_all(screen.print, options.only, quick=options.quick))
    lines, about = table.rows(measured), table.machine(postgres, load)
    screen.print(table.render(lines))
    if measured.searching:
        screen.print(searching.render(measured.searching))
    if measured.whole:
        bare = least.least(measured.least, measured.accepting, measured.draining)
        screen.print(least.render(measured.least, bare, median(one.baseline_per_s for one in measured.whole)))
        most = max(one.most_waiting for one in measured.whole)
        screen.print(f"whole way: at most {most:,} accepted orders waited for the drain")
    screen.print(" ".join(f"{name} {value}" for name, value in about.items() if not isinstance(value, dict)))
    if load > BUSY:
        screen.print(f"[bold]the machine was busy before the run (load {load:.1f}): repeat it on a quiet one[/]")
    if options.quick:
        screen.print("a quick run: these figures mean nothing")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_bytes(table.document(measured, lines, about))
    screen.print(f"written to {options.json}")
    return 0


def _search(sizes: Sequence[int], file: Path, *, quick: bool) -> int:
    """Measure search alone: a million products take their time."""
    screen = report.console()
    screen.print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    measured = [
        one
        for engine in searching.engines()
        for one in asyncio.run(searching.measure(engine, sizes, screen.print, asked=5 if quick else searching.ASKED))
    ]
    screen.print(searching.render(measured))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=2))
    screen.print(f"written to {file}")
    return 0


async def _all(say: Callable[[str], None], only: str | None = None, *, quick: bool) -> tuple[table.Measured, str]:
    if not quick:
        return await _measure(FULL, Fresh(), say, only)
    async with shared() as systems:
        return await _measure(QUICK, systems, say, only)


async def _measure(
    scale: Scale, systems: Fresh, say: Callable[[str], None], only: str | None
) -> tuple[table.Measured, str]:
    measured = table.Measured()
    for turn in range(scale.repeats):
        if only != "reads":
            async with systems.fresh(workers=WORKERS) as system:
                accepted, drained = await _turn(system, scale, floor_first=bool(turn % 2))
                measured.accepting.append(accepted)
                measured.draining.append(drained)
            say(
                f"{turn + 1}/{scale.repeats}: accepting {accepted.ours_per_s:,.0f}/s of {accepted.floor_per_s:,.0f}/s, "
                f"p99 {accepted.ours_p99_ms:.1f} ms of {accepted.floor_p99_ms:.1f} ms; "
                f"draining {drained.drain_per_s:,.0f}/s "
                f"against {drained.one_by_one_per_s:,.0f}/s and COPY {drained.copy_per_s:,.0f}/s"
            )
        if only != "orders":
            await _ask(measured, scale, systems, say, floor_first=bool(turn % 2))
    if only != "orders":
        measured.searching = await searching.measure("postgres", [scale.products], say, asked=scale.searches)
        measured.listening.append(await listening.measure(scale, systems))
        say(listening.said(measured.listening[-1]))
    if only != "reads":
        await _after(measured, scale, systems, say)
    async with systems.fresh(workers=WORKERS) as system, ledger.connected(system.ready.urls["database"]) as connection:
        return measured, await ledger.server_version(connection)


async def _after(measured: table.Measured, scale: Scale, systems: Fresh, say: Callable[[str], None]) -> None:
    """Measure what becomes of orders that were accepted."""
    measured.whole = await whole.measure(scale, systems)
    for turn, one in enumerate(measured.whole):
        say(
            f"{turn + 1}/{scale.repeats}: the whole way {one.confirmed_per_s:,.0f}/s "
            f"(accepted {one.accepted_per_s:,.0f}/s, p99 to final {one.p99_to_final_ms:,.0f} ms) "
            f"against {one.baseline_per_s:,.0f}/s, {one.queue_per_s:,.0f}/s with a queue, "
            f"{one.batch_queue_per_s:,.0f}/s with one of batches"
        )
    measured.least = await least.measure(scale, systems)
    for turn_of_least in measured.least:
        say(least.said(turn_of_least))
    measured.batches = await batches.measure(scale, systems)
    for turn_of_batches in measured.batches:
        say(batches.said(turn_of_batches))
    measured.modes = await modes.measure(scale, systems)
    for each in measured.modes:
        say(modes.said(each))
    measured.limits = await limits.measure(scale, systems)
    for turn_of_limits in measured.limits:
        say(limits.said(turn_of_limits))
    measured.settling.append(await settling.measure(scale, systems))
    say(settling.said(measured.settling[-1]))
    measured.telling.append(await telling.measure(scale, systems))
    say(telling.said(measured.telling[-1]))
    measured.steady.append(await steady.measure(scale, systems))
    say(steady.said(measured.steady[-1]))


async def _ask(
    measured: table.Measured, scale: Scale, systems: Fresh, say: Callable[[str], None], *, floor_first: bool
) -> None:
    """Measure what is asked while nobody orders: the room and the catalogue."""
    async with systems.fresh(workers=WORKERS) as system:
        measured.waiting.append(await waiting.measure(system, scale, floor_first=floor_first))
        measured.reading.append(await reading.measure(system, scale, floor_first=floor_first))
    say(waiting.said(measured.waiting[-1]))
    say(reading.said(measured.reading[-1]))


async def _turn(system: System, scale: Scale, *, floor_first: bool) -> tuple[accepting.Accepting, draining.Draining]:
    await open_sale(system, accepting.SALE, accepting.ROOM)
    with tempfile.TemporaryDirectory(prefix="doorbuster-bench-") as folder:
        async with serving(FLOOR, Path(folder, "log")) as floor:
            with system.draining_paused():
                accepted = await accepting.measure(system.ready.base, floor, scale, floor_first=floor_first)
    return accepted, await draining.measure(system, accepted.accepted, scale)
