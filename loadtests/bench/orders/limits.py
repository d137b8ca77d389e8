"""Draining with four limits on people against the same orders without any. Owns that comparison."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import msgspec

from doorbuster.contract.sales import LimitsRequest
from loadtests.bench.orders.accepting import UNPAID
from loadtests.bench.orders.draining import rate_of
from loadtests.bench.row import Row
from loadtests.bench.shop import Fresh, mix, open_sale
from loadtests.check import ledger
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Plan

if TYPE_CHECKING:
    from loadtests.bench.scale import Scale
    from loadtests.scene.system import System

FOUR = LimitsRequest(email=2, card=2, address=2, device=2)
_BOUND_S = 180.0


class Limits(msgspec.Struct):
    """One turn: orders drained a second."""

    limited_per_s: float
    free_per_s: float


async def measure(scale: Scale, systems: Fresh) -> list[Limits]:
    """Measure both by turns, each on a system of its own: their tables are as full."""
    return [
        Limits(
            await _drained_per_s(f"four-{turn}", FOUR, scale, systems),
            await _drained_per_s(f"free-{turn}", None, scale, systems),
        )
        for turn in range(scale.repeats)
    ]


async def _drained_per_s(sale: str, limits: LimitsRequest | None, scale: Scale, systems: Fresh) -> float:
    async with systems.fresh(workers=1) as system:
        await open_sale(system, sale, limits=limits)
        accepted = await _accept(system, sale, scale)
        async with ledger.connected(system.ready.urls["database"]) as connection:
            await ledger.wait_until_drained(connection, sale, accepted, bound_s=_BOUND_S)
            return rate_of(await ledger.batches(connection, sale))


async def _accept(system: System, sale: str, scale: Scale) -> int:
    orders = msgspec.structs.replace(mix(sale, sale, token=UNPAID), people=True)
    plan = Plan(base=system.ready.base, mix=orders, connections=scale.clients, count=scale.orders)
    with system.draining_paused():
        return (await carry_out(plan)).accepted_count


def said(one: Limits) -> str:
    """Return a turn as a line."""
    return f"draining with four limits on people {one.limited_per_s:,.0f}/s, without {one.free_per_s:,.0f}/s"


def rows(limits: list[Limits]) -> list[Row]:
    """Return their line of the table."""
    return [
        Row(
            what="draining, four limits on people",
            ours=median(one.limited_per_s for one in limits),
            rival_name="without limits",
            rival=median(one.free_per_s for one in limits),
            bar=0.77,
        )
    ]
