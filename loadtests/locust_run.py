"""Runs Locust headless against a system of its own, then audits: `python -m loadtests.locust_run --shape spike|real`.

Owns the temporary folder and every process in it. The exit code is 0 only when every arrival was offered, every order
answered 202 is in the database, every replay gave the same order, and the audit holds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from uuid import UUID

import msgspec
from rich.console import Console

from loadtests.check import ledger, report
from loadtests.generate.catalogue import write
from loadtests.generate.shapes import Shape, recorded, spike
from loadtests.scene import stage
from loadtests.scene.servers import stop
from loadtests.scene.system import System, running

RECORDED = Path("../shared/data/wc98_spike_1998-05-12.csv")
REPORTS = Path("reports")
_SETTLE_S = 60.0
_LOCUST_GRACE_S = 90.0


class Noted(msgspec.Struct):
    """What the shoppers noted."""

    ids: list[str]
    outcomes: dict[str, int]
    unwatched: int
    replays_differ: int
    late_s: float
    offered: int
    by_second: list[tuple[int, int, int]]


def main(arguments: list[str] | None = None) -> int:
    """Run one shape; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.locust_run", description=__doc__)
    parser.add_argument("--shape", choices=("spike", "real"), default="spike")
    parser.add_argument("--csv", type=Path, default=RECORDED, help="the recorded spike: minute,requests")
    parser.add_argument("--base", type=float, default=6.0, help="spike: orders a second before it (it rises 50x)")
    parser.add_argument("--peak", type=float, default=300.0, help="real: orders a second at its highest")
    parser.add_argument("--seconds", type=float, default=40.0, help="real: length it is rescaled to")
    parser.add_argument("--quick", action="store_true", help="a run of a few seconds")
    options = parser.parse_args(arguments)
    screen = report.console()
    if options.shape == "real" and not options.csv.exists():
        screen.print(f"skipped: the recorded spike {options.csv} is not here; name another with --csv")
        return 0
    return asyncio.run(_run(_shape(options), options.shape, screen))


def _shape(options: argparse.Namespace) -> Shape:
    if options.shape == "real":
        return recorded(options.csv, peak=options.peak, seconds=options.seconds)
    if options.quick:
        return spike(base=2.0, calm_s=1.0, rise_s=1.0, peak_s=2.0)
    return spike(base=options.base, rise_s=3.0, peak_s=10.0)


async def _run(shape: Shape, name: str, screen: Console) -> int:
    products = stage.catalogue(hot_stock=500, other_stock=1_000)
    with tempfile.TemporaryDirectory(prefix="doorbuster-locust-") as folder:
        write(products, Path(folder, "catalogue.jsonl"))
        async with running(Path(folder, "data")) as system:
            await system.import_catalogue(Path(folder, "catalogue.jsonl"))
            await system.create_sale(stage.sale(products))
            wanted = dict(zip((one.product_id for one in products), stage.weights(), strict=False))
            told = Path(folder, "noted.json")
            code = await _locust(system, shape, wanted, told, REPORTS / f"locust-{name}.html")
            noted = msgspec.json.decode(await asyncio.to_thread(told.read_bytes), type=Noted)
            return await _conclude(system, noted, shape, code, screen)


async def _locust(system: System, shape: Shape, wanted: dict[str, float], told: Path, html: Path) -> int:
    """Run Locust in a process of its own: it patches the standard library."""
    await asyncio.to_thread(html.parent.mkdir, exist_ok=True)
    environment = {
        "LOADTEST_BASE": system.ready.base,
        "LOADTEST_SALE": stage.SALE,
        "LOADTEST_PRODUCTS": json.dumps(wanted),
        "LOADTEST_SHAPE": msgspec.json.encode(shape).decode(),
        "LOADTEST_RESULT": str(told),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("locustfile.py"))),
        *("--headless", "--host", system.ready.base, "--stop-timeout", "40", "--only-summary", "--html", str(html)),
        *("--loglevel", "WARNING"),
        env={**os.environ, **environment},
    )
    try:
        return await asyncio.wait_for(process.wait(), shape.seconds + _LOCUST_GRACE_S)
    finally:
        await stop(process)


async def _conclude(system: System, noted: Noted, shape: Shape, code: int, screen: Console) -> int:
    ids = {UUID(order_id).bytes for order_id in noted.ids}
    async with ledger.connected(system.ready.urls["database"]) as connection:
        await ledger.wait_until_final(connection, stage.SALE, len(ids), bound_s=_SETTLE_S)
        _, missing = await ledger.unaccounted(connection, b"".join(ids))
        states = await ledger.outcomes(connection, stage.SALE)
    audit = await system.audit()
    screen.print(report.offered_and_achieved(noted.by_second))
    screen.print(f"what shoppers saw: {noted.outcomes}, not final in time: {noted.unwatched}")
    screen.print(f"what the database has: {states}")
    screen.print(report.invariants(audit))
    sent = sum(achieved for _, _, achieved in noted.by_second)
    screen.print(
        f"offered {noted.offered:,} (peak {shape.peak:,.0f}/s), sent {sent:,}, "
        f"at most {noted.late_s * 1000:,.0f} ms late; "
        f"{len(ids):,} answered 202, {missing} of them unaccounted for; replays that differed: {noted.replays_differ}"
    )
    odd = [outcome for outcome in noted.outcomes if outcome.startswith("http_")]
    bad = audit.breaches or missing or noted.replays_differ or noted.unwatched or odd or code
    good = not bad and sent == noted.offered
    screen.print("[bold green]every promise held" if good else "[bold red]A PROMISE WAS BROKEN")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
