"""The whole way in each way of taking money: at the settling, held until shipping, not at all. Owns that comparison."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import msgspec

from loadtests.bench.orders.whole import WORKERS
from loadtests.bench.row import Row
from loadtests.bench.shop import Fresh, mix, open_sale
from loadtests.check import ledger
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan

if TYPE_CHECKING:
    from doorbuster.contract.sales import PaymentMode
    from loadtests.bench.scale import Scale
    from loadtests.scene.system import System

MODES: tuple[PaymentMode, ...] = ("capture", "authorise", "none")
_BOUND_S = 180.0


class Modes(msgspec.Struct):
    """One turn: orders confirmed a second in each mode."""

    capture_per_s: float
    authorise_per_s: float
    none_per_s: float


async def measure(scale: Scale, systems: Fresh) -> list[Modes]:
    """Measure all modes on one system, by turns."""
    turns = []
    async with systems.fresh(workers=WORKERS) as system:
        for turn in range(scale.repeats):
            turns.append(Modes(*[await _confirmed_per_s(system, mode, turn, scale) for mode in MODES]))
    return turns


async def _confirmed_per_s(system: System, mode: PaymentMode, turn: int, scale: Scale) -> float:
    sale = f"{mode}-{turn}"
    await open_sale(system, sale, payment=mode)
    plan = Plan(
        base=system.ready.base, mix=mix(sale, sale), connections=scale.clients, seconds=scale.whole_s, keep_ids=False
    )
    orders = (await carry_out(plan)).accepted_count
    async with ledger.connected(system.ready.urls["database"]) as connection:
        await ledger.wait_until_final(connection, sale, orders, bound_s=_BOUND_S)
        states = await ledger.outcomes(connection, sale)
        return states.get("confirmed", 0) / (await ledger.span(connection, sale)).total_seconds()


def said(one: Modes) -> str:
    """Return a turn as a line."""
    return (
        f"the whole way: captured {one.capture_per_s:,.0f}/s, authorised {one.authorise_per_s:,.0f}/s, "
        f"without payment {one.none_per_s:,.0f}/s"
    )


def rows(modes: list[Modes]) -> list[Row]:
    """Return their lines of the table: what payment costs of the whole way without any."""
    bare = median(one.none_per_s for one in modes)
    return [
        Row(what=f"the whole way, {what}", ours=median(rates), rival_name="without payment", rival=bare, bar=0.85)
        for what, rates in (
            ("captured at settling", [one.capture_per_s for one in modes]),
            ("authorised at settling", [one.authorise_per_s for one in modes]),
        )
    ]
