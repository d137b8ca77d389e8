"""Measures how much dearer each part is in company, all at work on the same cores. Owns that run and its factors.

It is none of the runs that are predicted: sales of three partitions are ordered from by many clients and by few, each
time beginning while the backlog of another sale is drained. Only processor time is taken from it, never a rate.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from loadtests.bench.shop import mix
from loadtests.check import ledger
from loadtests.fleet.costs import Company, Costs, Work
from loadtests.fleet.measured.processes import calls, watching
from loadtests.fleet.measured.sales import BOUND_S, WAKE, only_accepted, open_sale, post, wake
from loadtests.fleet.model.shifts import PACE_S
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from loadtests.fleet.measured.processes import Rest, Watch
    from loadtests.scene.system import System

PARTITIONS = 3
CLIENTS = (96, 48)
BACKLOG, SECONDS = 8_000, 4.0
_NOTHING_S = 1e-6
_TELLING_S = 0.02
"""Processor time is counted in hundredths of a second: less tells nothing."""
_SESSIONS = ("drain session", "relay session")


class Done(msgspec.Struct, frozen=True):
    """What was done, and the seconds of processor that each part used for it."""

    work: Work
    used_s: dict[str, float]


async def measure(system: System, connection: Connection, rest: Rest) -> list[Done]:
    """Measure all parts in company, with many clients and with few."""
    return [await _run(system, connection, rest, clients) for clients in CLIENTS]


def factors(costs: Costs, runs: list[Done]) -> Company:
    """Return how many times what the parts take alone they took in these runs; 1 where that is too little to tell.

    Raises:
        ValueError: there is no run.
    """
    if not runs:
        raise ValueError("no run, so nothing to tell company by")
    alone = [costs.of(run.work) for run in runs]
    found: dict[str, float] = {}
    for part in Company.__struct_fields__:
        expected = sum(one[part] for one in alone)
        used = sum(run.used_s[part] for run in runs)
        found[part] = used / expected if min(used, expected) > _TELLING_S else 1.0
    return Company(**found)


async def _run(system: System, connection: Connection, rest: Rest, clients: int) -> Done:
    sale, other = f"company-{clients}", f"company-{clients}-backlog"
    await open_sale(system, sale, PARTITIONS)
    await open_sale(system, other)
    for one in (sale, other):
        await wake(system, connection, one)
    done = await _batches(connection, sale, other)
    plan = Plan(base=system.ready.base, mix=mix(sale, sale), connections=clients, seconds=SECONDS)
    with ExitStack() as held:
        held.enter_context(system.draining_paused())
        await post(system, other, other, clients=64, count=BACKLOG)

        def go_on(offered: int, _finished: int) -> None:
            if offered:
                held.close()

        called = await calls(system)
        async with watching(system, rest) as watch:
            result = only_accepted(await carry_out(plan, progress=go_on))
            held.close()
            accepted = result.accepted_count
            await ledger.wait_until_final(connection, sale, WAKE + accepted, bound_s=BOUND_S)
            await ledger.wait_until_final(connection, other, WAKE + BACKLOG, bound_s=BOUND_S)
            await ledger.wait_until_told(connection, bound_s=BOUND_S)
    batches = await _batches(connection, sale, other) - done
    drained = accepted + BACKLOG
    work = Work(accepted, await calls(system) - called, drained, batches, tellings(batches, watch))
    return Done(work, used_by_part(watch, result.processor_s))


def tellings(batches: int, watch: Watch) -> float:
    """Return about how many batches the relay had: as many as the drains, but no more than its pace allows."""
    return min(batches, watch.took_s / PACE_S)


def used_by_part(watch: Watch, generator_s: float) -> dict[str, float]:
    """Return the seconds of processor that each part used, by the names that costs in company have."""
    sessions = sum(watch.used_s(part) for part in _SESSIONS)
    return {
        "intake": watch.used_s("intake"), "store": watch.used_s("orders"),
        "drain": watch.used_s("drain"), "drain_pg": watch.used_s("drain session"),
        "relay": watch.used_s("relay"), "relay_pg": watch.used_s("relay session"),
        "pg_rest": max(watch.used_s("postgres") - sessions, _NOTHING_S), "generator": generator_s,
    }  # fmt: skip


async def _batches(connection: Connection, *sales: str) -> int:
    return sum([len(await ledger.batches(connection, sale)) for sale in sales])
