"""A long run at full load, to see that the newest order is final in seconds also after millions.

Every 20 seconds, under load, one more order is posted and timed until it is final; rates, memory of every role, sizes
of the stores and of the disk are noted. Owns the run and its bounds; drives only what it has started itself, bounded in
orders and time. Ends with the audit, and with a verdict on what grew (`check/steady.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import redis.asyncio as redis

from doorbuster.contract.sales import SaleProductRequest, SaleRequest
from loadtests.bench.shop import HOT
from loadtests.check import ledger, steady
from loadtests.generate.catalogue import Product, write
from loadtests.scene.system import System, running
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import MAX_REQUESTS, MAX_SECONDS, Mix, Plan

SALE = "endurance"
WORKERS = 4
PRODUCTS = 200
SLICE_S = 20.0
LEG = 1_000_000
"""Orders that one generator posts; another goes on."""
MAX_ORDERS = 20_000_000
MAX_RUN_S = 6 * 3_600.0
FINAL_S = 3.0
"""How long the newest order may take until it is final."""
PROBE_S = 60.0
TOKENS = {"decline": 0.02, "flaky": 0.01, "timeout": 0.0002}
"""The last are holds that stand until they end."""


class Slice(msgspec.Struct):
    """What was seen after so many seconds of load."""

    at_s: float
    orders: int
    """Accepted so far."""
    per_s: float
    """Accepted since the slice before."""
    final_s: float
    """How long the newest order took until it was final."""
    store_mb: float
    database_mb: float
    resident_mb: float
    """Of the largest process of intake and workers."""
    disk_mb: float
    """Of all that the instance keeps."""
    memory_mb: dict[str, float]
    """Of each role's processes together, what is theirs alone."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    orders: int
    seconds: float = MAX_RUN_S
    connections: int = 128
    mixed: bool = False
    """Baskets of one or two of many products, limits a customer, declines, failures, and holds that stand."""
    existing: int = 0
    """Orders that are there before."""
    slice_s: float = SLICE_S


class Endured(msgspec.Struct):
    """What came of a run."""

    slices: list[Slice]
    accepted: int
    breaches: int
    """Of promises, at its end."""

    @property
    def slowest_final_s(self) -> float:
        """Return the longest that a newest order took."""
        return max(one.final_s for one in self.slices)

    def growths(self) -> list[steady.Growth]:
        """Return what each series did; empty where the run was too short to tell."""
        whole = self.slices[:-1] if len(self.slices) > 1 else self.slices  # the last is cut short
        orders = [one.orders for one in whole]
        series: list[tuple[str, list[float], steady.Bound]] = [
            ("newest final after", [one.final_s for one in whole], steady.LAG),
            ("order store", [one.store_mb for one in whole], steady.ORDER_STORE),
            ("database", [one.database_mb for one in whole], steady.DATABASE),
            ("disk", [one.disk_mb for one in whole], steady.DISK),
        ]
        keepers = {"orders"}  # what the order store keeps is judged above
        for role in sorted({role for one in whole for role in one.memory_mb} - keepers):
            series.append((f"memory of {role}", [one.memory_mb.get(role, 0.0) for one in whole], steady.MEMORY))
        try:
            return [steady.judge(name, orders, values, bound) for name, values, bound in series]
        except ValueError:
            return []


def _catalogue(mixed: bool) -> list[Product]:
    if not mixed:
        return [HOT]
    return [msgspec.structs.replace(HOT, product_id=f"p{n}", name=f"Product {n}") for n in range(PRODUCTS)]


def _mix(run: Run, products: list[Product]) -> Mix:
    return Mix(
        products=[product.product_id for product in products],
        weights=[1 / (place + 1) for place in range(len(products))],
        second_line=0.3 if run.mixed else 0.0,
        tokens=TOKENS if run.mixed else {},
        path=f"/sales/{SALE}/orders",
        prefix="endurance",
    )


async def endure(run: Run, say: Callable[[str], None] = print) -> Endured:
    """Run the load, look every slice, audit; say each slice as it comes."""
    products = _catalogue(run.mixed)
    with tempfile.TemporaryDirectory(prefix="doorbuster-endurance-") as folder:
        catalogue = Path(folder, "catalogue.jsonl")
        write(products, catalogue)
        async with running(Path(folder, "data"), workers=WORKERS) as system:
            await system.import_catalogue(catalogue)
            lines = [
                SaleProductRequest(product_id=product.product_id, limit_per_customer=20 if run.mixed else None)
                for product in products
            ]
            await system.create_sale(SaleRequest(sale_id=SALE, products=lines))
            if run.existing:
                async with ledger.connected(system.ready.urls["database"]) as connection:
                    await ledger.make_past_orders(connection, run.existing)
                say(f"{run.existing:,} orders are there before")
            return await _endure(run, system, products, say)


async def _endure(run: Run, system: System, products: list[Product], say: Callable[[str], None]) -> Endured:
    counted = [0, 0]
    """Orders of the legs before, and of this one."""

    def tell(_offered: int, finished: int) -> None:
        counted[1] = finished

    load = asyncio.create_task(_load(run, system, products, counted, tell))
    slices: list[Slice] = []
    began = last = time.monotonic()
    before = 0
    async with httpx.AsyncClient(base_url=system.ready.base, trust_env=False, timeout=10) as client:
        while not load.done():
            await asyncio.wait({load}, timeout=max(last + run.slice_s - time.monotonic(), 0))
            now, orders = time.monotonic(), sum(counted)
            final_s = await _newest_final_s(client, products[0].product_id, len(slices))
            sizes = await _sizes(system)
            memory, disk = await asyncio.to_thread(system.memory_mb), await asyncio.to_thread(system.disk_mb)
            one = Slice(now - began, orders, (orders - before) / (now - last), final_s, *sizes, disk, memory)
            slices.append(one)
            last, before = now, orders
            say(said(one))
    accepted = await load
    async with ledger.connected(system.ready.urls["database"]) as connection:
        standing = await ledger.pending_now(connection, SALE)
    say(f"{accepted:,} orders accepted; {standing:,} pending when the load had ended")
    return Endured(slices, accepted, (await system.audit()).breaches if not run.existing else 0)


async def _load(
    run: Run, system: System, products: list[Product], counted: list[int], tell: Callable[[int, int], None]
) -> int:
    """Post the orders leg by leg; return how many were accepted.

    Raises:
        RuntimeError: not every order was.
    """
    ends, leg = time.monotonic() + run.seconds, 0
    while counted[0] < run.orders and (left_s := ends - time.monotonic()) > 0:
        plan = Plan(
            base=system.ready.base,
            mix=msgspec.structs.replace(_mix(run, products), prefix=f"endurance-{leg}"),
            connections=run.connections,
            count=min(LEG, run.orders - counted[0]),
            seconds=min(left_s, MAX_SECONDS),
            keep_ids=False,
        )
        result = await carry_out(plan, progress=tell)
        if set(result.outcomes) - {"accepted"}:
            raise RuntimeError(f"not every order was accepted: {result.outcomes}")
        counted[:] = counted[0] + result.accepted_count, 0
        leg += 1
    return counted[0]


async def _newest_final_s(client: httpx.AsyncClient, product_id: str, number: int) -> float:
    """Post an order and time it until it is confirmed; `PROBE_S` if it is not by then."""
    began = time.monotonic()
    body = {"customer_id": f"probe-{number}", "lines": [{"product_id": product_id, "quantity": 1}]}
    posted = await client.post(f"/sales/{SALE}/orders", json=body, headers={"Idempotency-Key": f"probe-{number}"})
    posted.raise_for_status()
    path = f"/orders/{posted.json()['order_id']}"
    while (elapsed := time.monotonic() - began) < PROBE_S:
        if (await client.get(path)).json()["status"] == "confirmed":
            return elapsed
        await asyncio.sleep(0.05)
    return PROBE_S


async def _sizes(system: System) -> tuple[float, float, float]:
    """Return MB of the order store, of the database, and of the largest process of intake and workers."""
    async with redis.from_url(system.ready.urls["orders_redis"]) as store:
        used = (await store.info("memory"))["used_memory"]
    async with ledger.connected(system.ready.urls["database"]) as connection:
        size = await ledger.database_bytes(connection)
    return used / 1e6, size / 1e6, system.resident_bytes("intake", "worker") / 1e6


def said(one: Slice) -> str:
    """Return a slice as a line."""
    return (
        f"{one.at_s:6.0f} s {one.orders:>10,} orders {one.per_s:>7,.0f}/s  newest final after {one.final_s:5.2f} s  "
        f"store {one.store_mb:6,.0f} MB  database {one.database_mb:7,.0f} MB  process {one.resident_mb:4,.0f} MB"
    )


def write_down(endured: Endured, csv_file: Path, json_file: Path) -> None:
    """Write what was seen over time as CSV, and all of it with the verdicts as JSON."""
    for file in (csv_file, json_file):
        file.parent.mkdir(parents=True, exist_ok=True)
    roles = sorted({role for one in endured.slices for role in one.memory_mb})
    named = ("at_s", "orders", "per_s", "final_s", "store_mb", "database_mb", "disk_mb", "resident_mb")
    with csv_file.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow([*named, *(f"memory_{role}_mb" for role in roles)])
        for one in endured.slices:
            values = [getattr(one, name) for name in named] + [one.memory_mb.get(role, 0.0) for role in roles]
            rows.writerow([round(value, 3) for value in values])
    grown = [msgspec.structs.asdict(one) | {"steady": one.is_steady} for one in endured.growths()]
    document = {"accepted": endured.accepted, "breaches": endured.breaches, "growth": grown, "slices": endured.slices}
    json_file.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2))


def _bounded(most: float) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text.replace("_", ""))
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from 1 to {most:,.0f}")
        return value

    return number


def main() -> int:
    """Run once; return 1 where an order took too long, a promise broke, or something grew that should not."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.endurance", description=__doc__)
    parser.add_argument("--orders", type=_bounded(MAX_ORDERS), default=MAX_REQUESTS, help="how many to post")
    parser.add_argument("--seconds", type=_bounded(MAX_RUN_S), default=int(MAX_RUN_S), help="at most so long")
    parser.add_argument("--slice-s", type=_bounded(600), default=int(SLICE_S), help="seconds from look to look")
    parser.add_argument("--mixed", action="store_true", help="baskets, limits, declines, failures and standing holds")
    parser.add_argument("--existing", type=int, default=0, help="orders that are there before")
    parser.add_argument("--csv", type=Path, default=Path("reports/endurance.csv"), help="what was seen over time")
    parser.add_argument("--json", type=Path, default=Path("reports/endurance.json"), help="the same, and the verdicts")
    told = vars(parser.parse_args())
    csv_file, json_file = told.pop("csv"), told.pop("json")
    endured = asyncio.run(endure(Run(**told), lambda line: print(line, flush=True)))
    write_down(endured, csv_file, json_file)
    growths = endured.growths()
    for one in growths:
        print(steady.said(one))
    if not growths:
        print("too few looks to tell what grows: a longer run, or a shorter slice")
    print(f"newest order final after {endured.slowest_final_s:.2f} s at most; breaches: {endured.breaches}")
    print(f"written to {csv_file} and {json_file}")
    is_steady = all(one.is_steady for one in growths)
    return 1 if endured.breaches or endured.slowest_final_s > FINAL_S or not is_steady else 0


if __name__ == "__main__":
    sys.exit(main())
