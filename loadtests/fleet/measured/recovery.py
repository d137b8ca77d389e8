"""How long it takes until what has piled up is worked off while more comes: measured, and as the model says it.

The workers stand still (SIGSTOP) from before the first order, then go on. Owns that run; nothing is calibrated by it.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from db.query_files import load
from loadtests.bench.shop import mix
from loadtests.check import ledger
from loadtests.fleet.measured.sales import BOUND_S, WAKE, only_accepted, open_sale, wake
from loadtests.fleet.model.layout import Fault, Layout, Load
from loadtests.fleet.model.simulation import CALM_S, simulate
from loadtests.generate.shapes import Shape
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan

if TYPE_CHECKING:
    from loadtests.fleet.costs import Costs
    from loadtests.scene.system import System

RATE_PER_S, STILL_S, SECONDS = 5_000.0, 3.0, 7.0
_SQL = load("loadtests")


class Recovery(msgspec.Struct, frozen=True):
    """What came of it, seconds."""

    rate_per_s: float
    still_s: float
    """From the first order until the workers went on."""
    calm_s: float
    """From then until no order had waited for its outcome for longer than a second; 0: none had."""
    longest_s: float
    """That an order waited for its outcome."""


async def measure(system: System, *, rate_per_s: float = RATE_PER_S, seconds: float = SECONDS) -> Recovery:
    """Have orders come at a rate, the workers stand still at first, and look at their outcomes."""
    sale, gone_on = "fleet-recovery", ExitStack()
    await open_sale(system, sale)
    arrivals = Shape([(0.0, rate_per_s), (seconds, rate_per_s)]).arrivals()
    plan = Plan(base=system.ready.base, mix=mix(sale, sale), connections=64, arrivals=arrivals.tobytes())
    began: list[float] = []
    resumed: list[datetime] = []

    def go_on(offered: int, _finished: int) -> None:
        if offered and not began:
            began.append(monotonic())
        if began and not resumed and monotonic() - began[0] > STILL_S:
            gone_on.close()
            resumed.append(datetime.now(UTC))

    async with ledger.connected(system.ready.urls["database"]) as connection:
        await wake(system, connection, sale)
        since = datetime.now(UTC)
        with gone_on:
            gone_on.enter_context(system.draining_paused())
            accepted = only_accepted(await carry_out(plan, progress=go_on)).accepted_count
        await ledger.wait_until_final(connection, sale, WAKE + accepted, bound_s=BOUND_S)
        row = await connection.fetchrow(_SQL["late_outcomes"], sale, since, timedelta(seconds=CALM_S))
    assert row is not None
    resumed_at = resumed[0] if resumed else datetime.now(UTC)
    calm_s = (row["late"] - resumed_at).total_seconds() if row["late"] else 0.0
    return Recovery(rate_per_s, (resumed_at - row["began"]).total_seconds(), max(calm_s, 0.0), row["longest_s"])


def predict(costs: Costs, layout: Layout, measured: Recovery, seconds: float = SECONDS) -> Recovery:
    """Return what the model says of a standstill as long as that one."""
    still = Fault(kind="standstill", at_s=0, for_s=measured.still_s)
    one = simulate(costs, layout, Load(rate_per_s=measured.rate_per_s, seconds=seconds), faults=[still])
    calm_s = max((one.recovered_s or 0.0) - measured.still_s, 0.0)
    return Recovery(measured.rate_per_s, measured.still_s, calm_s, one.lag_s)
