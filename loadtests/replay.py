"""Replays a real shop's invoices as orders against a system of its own, then audits: `python -m loadtests.replay FILE`.

Every product has exactly the stock that all orders together want, so at the end every order must be confirmed and
nothing left: one unit lost or sold twice shows. Owns its temporary folder and the processes in it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console

from doorbuster.contract.sales import SaleProductRequest, SaleRequest
from loadtests.check import ledger, report
from loadtests.generate.catalogue import write
from loadtests.generate.invoices import Invoices, read
from loadtests.scene.system import System, running
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Mix, Plan, Result

RECORDED = Path("../shared/data/uci_online_retail_2011Q4.csv.gz")
SALE = "replay"
_SETTLE_S = 120.0


class Replayed(msgspec.Struct):
    """What a replay came to."""

    offered: int
    distinct: int
    missing: int
    left: int
    """Units still in stock."""
    states: dict[str, int]
    breaches: int

    @property
    def good(self) -> bool:
        """Whether every order was accepted and confirmed, and the stock went out even."""
        confirmed = self.states == {"confirmed": self.offered}
        return confirmed and self.distinct == self.offered and not (self.missing or self.left or self.breaches)


def main(arguments: list[str] | None = None) -> int:
    """Replay a file; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.replay", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=RECORDED, help="order lines, CSV, plain or gzip")
    parser.add_argument("--invoices", type=int, default=None, help="only the first so many")
    options = parser.parse_args(arguments)
    screen = report.console()
    if not options.file.exists():
        screen.print(f"skipped: {options.file} is not here; name another file")
        return 0
    invoices = read(options.file, invoices_max=options.invoices)
    with tempfile.TemporaryDirectory(prefix="doorbuster-replay-") as folder:
        replayed = asyncio.run(replay(Path(folder), invoices, screen))
    return 0 if replayed.good else 1


async def replay(folder: Path, invoices: Invoices, screen: Console) -> Replayed:
    """Replay invoices in a folder, print the report and return what it came to."""
    _introduce(invoices, screen)
    write(list(invoices.products.values()), folder / "catalogue.jsonl")
    async with running(folder / "data") as system:
        screen.print(await system.import_catalogue(folder / "catalogue.jsonl"))
        lines = [SaleProductRequest(product_id=product_id) for product_id in invoices.products]
        await system.create_sale(SaleRequest(sale_id=SALE, products=lines))
        result = await _post(system, invoices)
        return await _judge(system, result, screen)


async def _post(system: System, invoices: Invoices) -> Result:
    mix = Mix(products=["none"], weights=[1.0], path=f"/sales/{SALE}/orders", prefix="invoice")
    bodies = [msgspec.json.encode(order) for order in invoices.orders]
    return await carry_out(Plan(base=system.ready.base, mix=mix, bodies=bodies, seconds=300))


async def _judge(system: System, result: Result, screen: Console) -> Replayed:
    async with ledger.connected(system.ready.urls["database"]) as connection:
        distinct = len({result.order_ids[at : at + 16] for at in range(0, len(result.order_ids), 16)})
        await ledger.wait_until_final(connection, SALE, distinct, bound_s=_SETTLE_S)
        _, missing = await ledger.unaccounted(connection, result.order_ids)
        states = await ledger.outcomes(connection, SALE)
        left = sum(row["stock"] for row in await ledger.stock_of(connection, SALE))
    audit = await system.audit()
    screen.print(report.orders(result, states, missing))
    screen.print(report.invariants(audit))
    replayed = Replayed(result.offered, distinct, missing, left, states, audit.breaches)
    verdict = "[bold green]every order confirmed, every unit accounted for" if replayed.good else "[bold red]NOT EVEN"
    screen.print(f"{verdict}[/]; {left:,} units left")
    return replayed


def _introduce(invoices: Invoices, screen: Console) -> None:
    screen.print(
        f"{invoices.invoices:,} invoices as {len(invoices.orders):,} orders of {len(invoices.products):,} products; "
        f"left out: {invoices.cancellations:,} cancellations, {invoices.left_out:,} lines that sell nothing; "
        f"{invoices.clamped:,} quantities cut to the bound"
    )


if __name__ == "__main__":
    sys.exit(main())
