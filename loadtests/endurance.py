"""A long run at full load, to see that the newest order is final in seconds also after millions.

Every 20 seconds, under load, one more order is posted and timed until it is final; rates and sizes are noted. Owns the
run and its bounds; drives only what it has started itself, bounded in orders and time, and ends with the audit.
"""

from __future__ import annotations

import argparse
import asyncio
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
from loadtests.check import ledger
from loadtests.generate.catalogue import Product, write
from loadtests.scene.system import System, running
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import MAX_REQUESTS, MAX_SECONDS, Mix, Plan

SALE = "endurance"
WORKERS = 4
PRODUCTS = 200
SLICE_S = 20.0
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


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    orders: int
    seconds: float = MAX_SECONDS
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
    counted = [0]

    def tell(_offered: int, finished: int) -> None:
        counted[0] = finished

    plan = Plan(
        base=system.ready.base,
        mix=_mix(run, products),
        connections=run.connections,
        count=run.orders,
        seconds=run.seconds,
        keep_ids=False,
    )
    load = asyncio.create_task(carry_out(plan, progress=tell))
    slices: list[Slice] = []
    began = last = time.monotonic()
    before = 0
    async with httpx.AsyncClient(base_url=system.ready.base, trust_env=False, timeout=10) as client:
        while not load.done():
            await asyncio.wait({load}, timeout=max(last + run.slice_s - time.monotonic(), 0))
            now, orders = time.monotonic(), counted[0]
            final_s = await _newest_final_s(client, products[0].product_id, len(slices))
            one = Slice(now - began, orders, (orders - before) / (now - last), final_s, *await _sizes(system))
            slices.append(one)
            last, before = now, orders
            say(said(one))
    result = await load
    unexpected = set(result.outcomes) - {"accepted"}
    if unexpected:
        raise RuntimeError(f"not every order was accepted: {result.outcomes}")
    async with ledger.connected(system.ready.urls["database"]) as connection:
        standing = await ledger.pending_now(connection, SALE)
    say(f"{result.accepted_count:,} orders accepted; {standing:,} pending when the load had ended")
    return Endured(slices, result.accepted_count, (await system.audit()).breaches if not run.existing else 0)


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


def main() -> int:
    """Run once; return 1 where an order took too long or a promise broke."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.endurance", description=__doc__)
    parser.add_argument("--orders", type=int, default=MAX_REQUESTS, help="how many to post")
    parser.add_argument("--seconds", type=float, default=MAX_SECONDS, help="at most so long")
    parser.add_argument("--mixed", action="store_true", help="baskets, limits, declines, failures and standing holds")
    parser.add_argument("--existing", type=int, default=0, help="orders that are there before")
    options = parser.parse_args()
    told = vars(options)
    endured = asyncio.run(endure(Run(**told), lambda line: print(line, flush=True)))
    print(f"newest order final after {endured.slowest_final_s:.2f} s at most; breaches: {endured.breaches}")
    return 1 if endured.breaches or endured.slowest_final_s > FINAL_S else 0


if __name__ == "__main__":
    sys.exit(main())
