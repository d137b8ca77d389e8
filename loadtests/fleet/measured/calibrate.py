"""Measures what each part takes on this machine, part by part and never the whole way. Owns the order of it.

Accepting is measured while the workers stand still, in calls of many orders and of few, then draining and telling while
nothing is posted, then both while a trickle comes; last, how much dearer all of it is in company (company.py). All of
it is processor time; only the disk is by the clock.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loadtests.bench.orders.draining import rate_of
from loadtests.bench.shop import mix
from loadtests.check import ledger
from loadtests.fleet import costs as files
from loadtests.fleet.measured import company, disk
from loadtests.fleet.measured.fit import Parts, Point, apart
from loadtests.fleet.measured.processes import at_rest, calls, log_written, watching
from loadtests.fleet.measured.sales import BOUND_S, WAKE, only_accepted, open_sale, post, wake
from loadtests.generate.shapes import Shape
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from loadtests.fleet.measured.processes import Rest, Watch
    from loadtests.scene.system import System

ACCEPTING = ((16, 6_000), (64, 16_000))
"""Clients, orders."""
SPREAD = (8, 64, 8_000)
"""Partitions, clients, orders: calls of few orders from many clients."""
TRICKLE = (1_000.0, 3_000.0)
"""Orders a second: batches of what comes in 50 ms."""
TRICKLE_S = 4.0
_NOTHING_S = 1e-6
Say = Callable[[str], None]


class Found(msgspec.Struct):
    """What was measured, by what it is of."""

    at_rest: Rest
    intake: list[Point] = []
    store: list[Point] = []
    generator: list[Point] = []
    after: list[Point] = []
    """What drains and relay ask of the order store."""
    parts: dict[str, list[Point]] = {}
    """Of the shifts and their sessions."""
    rest: list[Point] = []
    """Of Postgres beside the sessions."""
    wal_bytes_order: float = 0.0
    batch_s_order: float = 0.0
    """From batch to batch, an order, by the clock."""


async def calibrate(system: System, say: Say) -> files.Costs:
    """Return the costs of this machine; what is not measured here is as in the reference."""
    async with ledger.connected(system.ready.urls["database"]) as connection:
        found = Found(await at_rest(system))
        await open_sale(system, "fleet-warm")
        await post(system, "fleet-warm", "warm", clients=16, count=2_000)
        await ledger.wait_until_final(connection, "fleet-warm", 2_000, bound_s=BOUND_S)
        posted = await _accept_then_drain(system, connection, found)
        say(f"accepting and draining {posted:,} orders, measured one after the other")
        await _accept_in_many(system, connection, found)
        say(f"accepting {SPREAD[2]:,} orders in {SPREAD[0]} partitions, measured")
        accepting = apart(found.store)
        for rate in TRICKLE:
            await _trickle(system, connection, found, rate, accepting)
            say(f"a trickle of {rate:,.0f} orders a second, measured")
        together = await company.measure(system, connection, found.at_rest)
        say("all parts in company, measured")
    folder = Path(system.ready.data)
    costs = _costs(found, await asyncio.to_thread(disk.measure, folder))
    return msgspec.structs.replace(costs, company=company.factors(costs, together))


async def _accept_then_drain(system: System, connection: Connection, found: Found) -> int:
    """Fill the stream while the workers stand still, then have them work it off."""
    sale = "fleet-full"
    await open_sale(system, sale)
    await wake(system, connection, sale)
    done = len(await ledger.batches(connection, sale))
    with system.draining_paused():
        posted = sum([await _accept(system, sale, found, clients, count) for clients, count in ACCEPTING])
    wal = await log_written(connection)
    async with watching(system, found.at_rest) as watch:
        await ledger.wait_until_final(connection, sale, WAKE + posted, bound_s=BOUND_S)
        await ledger.wait_until_told(connection, bound_s=BOUND_S)
    batches = (await ledger.batches(connection, sale))[done:]
    found.wal_bytes_order = (await log_written(connection) - wal) / posted
    found.batch_s_order = 1 / rate_of(batches)
    _note(found, watch, len(batches), posted, 0.0)
    return posted


async def _accept_in_many(system: System, connection: Connection, found: Found) -> None:
    """Fill the streams of many partitions while the workers stand still."""
    partitions, clients, count = SPREAD
    sale = "fleet-spread"
    await open_sale(system, sale, partitions)
    with system.draining_paused():
        await _accept(system, sale, found, clients, count)
    await ledger.wait_until_final(connection, sale, count, bound_s=BOUND_S)


async def _accept(system: System, sale: str, found: Found, clients: int, count: int) -> int:
    """Post so many orders and note what it took."""
    called = await calls(system)
    async with watching(system, found.at_rest) as watch:
        result = await post(system, sale, f"{sale}-{clients}", clients=clients, count=count)
    called = await calls(system) - called
    found.intake.append(Point(called, count, max(watch.used_s("intake"), _NOTHING_S)))
    found.store.append(Point(called, count, max(watch.used_s("orders"), _NOTHING_S)))
    found.generator.append(Point(1, count, result.processor_s))
    return count


async def _trickle(system: System, connection: Connection, found: Found, rate: float, accepting: Parts) -> None:
    sale = f"fleet-{rate:g}"
    await open_sale(system, sale)
    await wake(system, connection, sale)
    done = len(await ledger.batches(connection, sale))
    arrivals = Shape([(0.0, rate), (TRICKLE_S, rate)]).arrivals()
    plan = Plan(base=system.ready.base, mix=mix(sale, sale), connections=64, arrivals=arrivals.tobytes())
    called = await calls(system)
    async with watching(system, found.at_rest) as watch:
        orders = only_accepted(await carry_out(plan)).accepted_count
        await ledger.wait_until_final(connection, sale, WAKE + orders, bound_s=BOUND_S)
    called = await calls(system) - called
    batches = len(await ledger.batches(connection, sale)) - done
    _note(found, watch, batches, orders, (called * accepting.batch_us + orders * accepting.order_us) / 1e6)


def _note(found: Found, watch: Watch, batches: int, orders: int, accepting_s: float) -> None:
    """Note what shifts and sessions used, and what Postgres and the order store did beside that and accepting."""

    def point(seconds: float) -> Point:
        return Point(batches, orders, max(seconds, _NOTHING_S))

    for part in ("drain", "drain session", "relay", "relay session"):
        found.parts.setdefault(part, []).append(point(watch.used_s(part)))
    sessions = watch.used_s("drain session") + watch.used_s("relay session")
    found.rest.append(point(watch.used_s("postgres") - sessions))
    found.after.append(point(watch.used_s("orders") - accepting_s))


def _mean_us(points: list[Point]) -> float:
    """Return the microseconds of an order, whatever batches there were."""
    return sum(point.seconds for point in points) / sum(point.orders for point in points) * 1e6


def _costs(found: Found, of_disk: tuple[float, float]) -> files.Costs:
    intake, store, after = apart(found.intake), apart(found.store), apart(found.after)
    drain, drain_pg, relay, relay_pg = (
        apart(found.parts[part]) for part in ("drain", "drain session", "relay", "relay session")
    )
    sync_s, bytes_per_s = of_disk
    # What batch after batch takes less than both processes one after the other is what they did side by side.
    both_s = (drain.order_us + drain_pg.order_us) / 1e6
    overlap = (both_s - found.batch_s_order) / (drain.order_us / 1e6) if drain.order_us else 0.0
    return msgspec.structs.replace(
        files.load(),
        intake_order_us=intake.order_us, intake_call_us=intake.batch_us,
        store_order_us=store.order_us, store_call_us=store.batch_us,
        store_after_order_us=after.order_us, store_after_batch_us=after.batch_us,
        drain_order_us=drain.order_us, drain_batch_us=drain.batch_us,
        drain_overlap=min(max(overlap, 0.0), 0.9),
        drain_pg_order_us=drain_pg.order_us, drain_pg_batch_us=drain_pg.batch_us,
        relay_order_us=relay.order_us, relay_batch_us=relay.batch_us,
        relay_pg_order_us=relay_pg.order_us, relay_pg_batch_us=relay_pg.batch_us,
        pg_rest_order_us=_mean_us(found.rest[:1]),
        generator_order_us=_mean_us(found.generator),
        fsync_s=sync_s, commit_s=sync_s, wal_bytes_order=found.wal_bytes_order, wal_bytes_per_s=bytes_per_s,
        rest_cores=sum(found.at_rest.values()),
        about={
            "measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, Python {platform.python_version()}, "
            f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
            "not measured by it": "settle_*, join_*, status_us, claim_us: of docs/benchmarks.md",
        },
    )  # fmt: skip
