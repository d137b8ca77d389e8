"""What pre-warm brings: `python -m loadtests.prewarm_effect`, the p99 of a sale's first ten seconds cold and warmed.

Owns its temporary folder and every process in it. For each round an instance is started anew on the same data, so that
no process and no buffer remembers anything; a sale opens on it by its start, once without anything ahead of it and once
with its pre-warm, and orders and product pages come at fixed times from that moment on. A time counts from when a call
was due.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import msgspec
from rich.console import Console
from rich.table import Table

from doorbuster.contract.night.schedule import PrewarmRequest
from doorbuster.contract.sales import SaleRequest
from loadtests.generate.catalogue import write
from loadtests.scene import stage
from loadtests.scene.system import System, running

LEAD_S = 30
COLD = PrewarmRequest(lead_s=0, checks_at_s=[])
WARMED = PrewarmRequest(lead_s=LEAD_S, checks_at_s=[])
MEASURED_S = 10.0
SALES = 2
"""Of each kind, in turn."""


class Round(msgspec.Struct, frozen=True):
    """What the first seconds of one sale took, in milliseconds."""

    kind: str
    calls: int
    failed: int
    p50: float
    p99: float
    p99_first: float
    """Of the first second."""
    slowest: float


def percentile(times: list[float], share: float) -> float:
    """Return a percentile of times, in milliseconds."""
    ordered = sorted(times)
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 1) if ordered else 0.0


async def load(system: System, sale: SaleRequest, begins: float, rate: float) -> list[tuple[float, float, bool]]:
    """Send orders and product pages in turn at fixed times; return of each when it was due, its time, and success."""
    products = [product.product_id for product in sale.products]
    found: list[tuple[float, float, bool]] = []
    async with aiohttp.ClientSession(
        system.ready.base, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=30)
    ) as session:

        async def call(number: int, due_s: float) -> None:
            product = products[number // 2 % len(products)]
            try:
                if number % 2:
                    body = {"customer_id": f"c{number}", "lines": [{"product_id": product, "quantity": 1}]}
                    headers = {"Idempotency-Key": f"{sale.sale_id}-{number}"}
                    asked = session.post(f"/sales/{sale.sale_id}/orders", json=body, headers=headers)
                else:
                    asked = session.get(f"/products/{product}")
                async with asked as answer:
                    await answer.read()
                    well = answer.status < 300
            except (aiohttp.ClientError, TimeoutError):
                well = False
            found.append((due_s, time.time() - begins - due_s, well))

        async with asyncio.TaskGroup() as tasks:
            for number in itertools.count():
                due_s = number / rate
                if due_s >= MEASURED_S:
                    break
                await asyncio.sleep(max(0.0, begins + due_s - time.time()))
                tasks.create_task(call(number, due_s))
    return found


async def one_round(data: Path, kind: str, number: int, rate: float, *, lead_s: float) -> Round:
    """Start an instance anew, have a sale begin on it, and measure its first seconds."""
    async with running(data) as system:
        starts_at = datetime.now(UTC) + timedelta(seconds=lead_s)
        sale = msgspec.structs.replace(
            stage.sale(stage.catalogue(hot_stock=100_000, other_stock=100_000)),
            sale_id=f"{kind}-{number}", starts_at=starts_at, prewarm=WARMED if kind == "warmed" else COLD,
        )  # fmt: skip
        await system.create_sale(sale)
        begins = starts_at.timestamp() + 0.05  # the stores' clocks and ours are this machine's
        await asyncio.sleep(max(0.0, begins - time.time() - 1.0))
        found = await load(system, sale, begins, rate)
    times = [took for _, took, _ in found]
    return Round(
        kind=kind, calls=len(found), failed=sum(not well for *_, well in found), p50=percentile(times, 0.5),
        p99=percentile(times, 0.99), p99_first=percentile([took for due_s, took, _ in found if due_s < 1.0], 0.99),
        slowest=percentile(times, 1.0),
    )  # fmt: skip


async def measure(rate: float, sales: int, lead_s: float) -> list[Round]:
    """Measure cold and warmed sales in turn."""
    with tempfile.TemporaryDirectory(prefix="doorbuster-prewarm-") as folder:
        data, file = Path(folder) / "data", Path(folder) / "catalogue.jsonl"
        await asyncio.to_thread(write, stage.catalogue(hot_stock=100_000, other_stock=100_000), file)
        async with running(data) as system:
            await system.import_catalogue(file)
        kinds = ["cold", "warmed"] * sales
        return [await one_round(data, kind, number, rate, lead_s=lead_s) for number, kind in enumerate(kinds)]


def show(rounds: list[Round], rate: float) -> Table:
    """Return the rounds as a table."""
    table = Table(title=f"the first {MEASURED_S:.0f} s of a sale, {rate:g} calls a second, milliseconds")
    for head in ("sale", "calls", "failed", "p50", "p99", "p99 of the first second", "slowest"):
        table.add_column(head, justify="left" if head == "sale" else "right")
    for one in rounds:
        table.add_row(one.kind, *(f"{value:,}" for value in msgspec.structs.astuple(one)[1:]))
    return table


def main() -> int:
    """Measure and print; the exit code is 1 if a call failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=200.0, help="calls a second")
    parser.add_argument("--sales", type=int, default=SALES, help="sales of each kind")
    parser.add_argument("--lead-s", type=float, default=float(LEAD_S), help="how long before its start a sale is made")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
    told = parser.parse_args()
    rounds = asyncio.run(measure(told.rate, told.sales, told.lead_s))
    if told.as_json:
        sys.stdout.buffer.write(msgspec.json.encode(rounds) + b"\n")
    else:
        Console().print(show(rounds, told.rate))
    return 1 if any(one.failed for one in rounds) else 0


if __name__ == "__main__":
    sys.exit(main())
