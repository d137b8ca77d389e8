"""Runs Locust headless against a system of its own, then audits: `python -m loadtests.locust_run --shape herd`.

Owns the temporary folder and every process in it. The exit code is 0 only when every arrival was offered, every order
answered 202 is in the database, every replay gave the same order, nobody ordered unadmitted, and the audit holds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from loadtests.check import ledger, report
from loadtests.crowd.notes import Notes, merged
from loadtests.crowd.people import Crowd
from loadtests.generate.catalogue import write
from loadtests.generate.shapes import spike
from loadtests.scene import stage
from loadtests.scene.servers import stop
from loadtests.scene.storms import NAMES, RECORDED, Storm, storm
from loadtests.scene.system import System, running

if TYPE_CHECKING:
    from rich.console import Console

    from doorbuster.contract.sales import SaleRequest
    from loadtests.generate.catalogue import Product

REPORTS = Path("reports")
PROCESSES_MAX = 16
_SETTLE_S = 60.0
_START_S = 4.0
"""Locust's own processes need so long until they are there."""
_GRACE_S = 150.0


class Run(msgspec.Struct, frozen=True):
    """What one run of Locust is told."""

    scene: Storm
    crowd: Crowd
    begins: float
    """Unix time of the shape's beginning."""
    processes: int


def main(arguments: list[str] | None = None) -> int:
    """Run one scene; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.locust_run", description=__doc__)
    parser.add_argument("--shape", choices=NAMES, default="spike", help="which people come when")
    parser.add_argument("--csv", type=Path, default=RECORDED, help="real: the recorded spike: minute,requests")
    parser.add_argument("--base", type=float, default=6.0, help="people a second before the peak (it rises 50x)")
    parser.add_argument(
        "--peak", type=float, default=300.0, help="people a second at the highest: real; half of all: herd"
    )
    parser.add_argument("--seconds", type=float, default=40.0, help="real: length it is rescaled to")
    parser.add_argument("--processes", type=int, default=1, help=f"Locust's workers, up to {PROCESSES_MAX}")
    parser.add_argument("--quick", action="store_true", help="a run of a few seconds")
    options = parser.parse_args(arguments)
    if not 1 <= options.processes <= PROCESSES_MAX:
        parser.error(f"--processes is 1 to {PROCESSES_MAX}")
    screen = report.console()
    try:
        scene = storm(options.shape, base=options.base, peak=options.peak, seconds=options.seconds, csv=options.csv)
    except FileNotFoundError:
        screen.print(f"skipped: the recorded spike {options.csv} is not here; name another with --csv")
        return 0
    if options.quick:
        scene = msgspec.structs.replace(scene, shape=spike(base=2.0, calm_s=1.0, rise_s=1.0, peak_s=2.0))
    return asyncio.run(_run(scene, options.processes, screen))


async def _run(scene: Storm, processes: int, screen: Console) -> int:
    screen.print(f"{scene.name}: {scene.what}; {scene.shape.total:,.0f} people in {scene.shape.seconds:.0f} s")
    products = stage.catalogue(hot_stock=scene.stock // 2, other_stock=scene.stock)
    with tempfile.TemporaryDirectory(prefix="doorbuster-locust-") as folder:
        write(products, Path(folder, "catalogue.jsonl"))
        async with running(Path(folder, "data")) as system:
            await system.import_catalogue(Path(folder, "catalogue.jsonl"))
            begins = time.time() + _START_S
            await system.create_sale(_sale(scene, products, begins))
            crowd = Crowd(
                sale=stage.SALE,
                products=dict(zip((one.product_id for one in products), stage.weights(), strict=False)),
                kinds=scene.kinds,
                has_room=scene.has_room,
            )
            code = await _locust(system, Run(scene, crowd, begins, processes), Path(folder))
            several = await asyncio.to_thread(_noted, Path(folder))
            if len(several) != processes:
                screen.print(f"[red]{processes - len(several)} of {processes} processes left no notes")
            return await _conclude(system, merged(several), scene, code or len(several) != processes, screen)


def _noted(folder: Path) -> list[Notes]:
    """Return what each process noted."""
    return [msgspec.json.decode(file.read_bytes(), type=Notes) for file in folder.glob("notes-*.json")]


def _sale(scene: Storm, products: list[Product], begins: float) -> SaleRequest:
    sale = stage.sale(products, scene.room)
    if scene.opens_s is None:
        return sale
    opens, lobby = (datetime.fromtimestamp(at, UTC) for at in (begins + scene.opens_s, begins - 60))
    return msgspec.structs.replace(
        sale, starts_at=opens, room=msgspec.structs.replace(scene.room, lobby_opens_at=lobby)
    )


async def _locust(system: System, run: Run, told: Path) -> int:
    """Run Locust in processes of its own: it patches the standard library."""
    scene, processes = run.scene, run.processes
    html = REPORTS / f"locust-{scene.name}.html"
    await asyncio.to_thread(html.parent.mkdir, exist_ok=True)
    environment = {
        "LOADTEST_BASE": system.ready.base,
        "LOADTEST_CROWD": msgspec.json.encode(run.crowd).decode(),
        "LOADTEST_SHAPE": msgspec.json.encode(scene.shape).decode(),
        "LOADTEST_SECONDS_EACH": str(scene.seconds_each),
        "LOADTEST_PROCESSES": str(processes),
        "LOADTEST_BEGINS": str(run.begins),
        "LOADTEST_NOTES": str(told),
    }
    shared = ("--processes", str(processes), "--master-bind-host", "127.0.0.1") if processes > 1 else ()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("locustfile.py"))),
        *("--headless", "--host", system.ready.base, "--stop-timeout", "40", "--only-summary", "--html", str(html)),
        *("--loglevel", "WARNING", *shared),
        env={**os.environ, **environment},
    )
    try:
        return await asyncio.wait_for(process.wait(), scene.shape.seconds + _GRACE_S)
    finally:
        await stop(process)


async def _conclude(system: System, notes: Notes, scene: Storm, code: int, screen: Console) -> int:
    ids = {UUID(order_id).bytes for order_id in notes.ids}
    async with ledger.connected(system.ready.urls["database"]) as connection:
        await ledger.wait_until_final(connection, stage.SALE, len(ids), bound_s=_SETTLE_S)
        _, missing = await ledger.unaccounted(connection, b"".join(ids))
        states = await ledger.outcomes(connection, stage.SALE)
    audit = await system.audit()
    screen.print(report.offered_and_achieved(notes.by_second))
    screen.print(f"who came: {notes.people}; pages read: {notes.reads:,}; orders sent again: {notes.replays:,}")
    screen.print(f"what they saw: {notes.outcomes}, not final in time: {notes.unwatched}")
    screen.print(f"what the database has: {states}")
    screen.print(report.invariants(audit))
    sent = sum(achieved for _, _, achieved in notes.by_second)
    screen.print(
        f"offered {notes.offered:,} (peak {scene.shape.peak:,.0f}/s), sent {sent:,}, "
        f"at most {notes.late_s * 1000:,.0f} ms late; {len(ids):,} answered 202, {missing} of them unaccounted for; "
        f"replays that differed: {notes.replays_differ}; accepted without having been let in: {notes.unadmitted}"
    )
    odd = [outcome for outcome in notes.outcomes if outcome.startswith("http_")]
    bad = audit.breaches or missing or notes.replays_differ or notes.unadmitted or notes.unwatched or odd or code
    good = not bad and sent == notes.offered
    screen.print("[bold green]every promise held" if good else "[bold red]A PROMISE WAS BROKEN")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
