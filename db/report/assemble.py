"""Puts a report together: what Postgres says in one snapshot, what the room remembers, what the audit found.

Owns no figure of its own, and changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from db.query_files import load
from db.report import happenings
from db.report.advice import advice
from db.report.minutes import course
from db.report.money import DECLINED, money
from db.report.products import products
from db.report.promises import promises
from db.report.ranks import kendall_tau, rounded, spread
from db.report.visits import RoomTimes, TellsRoom, room_times
from doorbuster.contract.night.report import (
    Estimates,
    Fairness,
    LimitFigures,
    ReportedSale,
    RoomReport,
    SaleReport,
    Spread,
    StandbyFigures,
    Waits,
)

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.report.minutes import CountedMinute, Course
    from db.sales import Sale
    from doorbuster.contract.fields import EffectivePhase
    from doorbuster.contract.night.promises import PromisesView

COMPARED_MAX = 100_000
"""Orders that are compared for fairness at most; of more, every so many-th."""
AFTERWARDS = timedelta(hours=1)
"""What happens within so long after the sale is still told of it."""
_SQL = load("report")
_NOTHING = Spread(count=0)
_NO_ESTIMATES = Estimates(told=0, not_told=0, within=0, longer=0, shorter=0, error_s=_NOTHING, lean_s=None)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a report needs to know that this snapshot does not say."""

    sale: Sale
    phase: EffectivePhase
    over_at: datetime | None
    unsettled: list[str] = field(default_factory=list)
    """What of the sale is still under way."""
    preview: bool = False
    room: TellsRoom | None = None
    """None: there is none, or its store does not remember."""
    minutes: Mapping[int, CountedMinute] = field(default_factory=dict)
    """What was counted and is not in Postgres yet, by Unix minute."""
    audit: PromisesView | None = None
    no_audit: str = "it was not asked"
    restarts: Mapping[str, datetime] = field(default_factory=dict)


async def assemble(connection: Connection, known: Known) -> SaleReport:
    """Return the report of a sale."""
    began, now, sale = time.monotonic(), datetime.now(UTC), known.sale
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        went = await course(connection, sale.number, known.minutes)
        shown, left_out = await products(connection, sale.number, sale.starts_at)
        waits = [await _spread(connection, name, sale.number) for name in ("to_decided", "to_confirmed")]
        orders, step = await _order_of_units(connection, sale.number)
        served = [row["turns"] for row in await connection.fetch(_SQL["standby_served"], sale.number)]
        limits = {row["by"]: row["orders"] for row in await connection.fetch(_SQL["limits"], sale.number)}
        standby = await _standby(connection, sale.number)
        took = await money(connection, sale.number, declined=went.totals.cancelled.get(DECLINED, 0))
        until = min(now, (known.over_at or now) + AFTERWARDS)
        acts, acts_left_out = await happenings.acts(connection, sale, until)
        timeline = await happenings.stages(connection, sale, min(now, known.over_at or now))
        incidents = await happenings.incidents(connection, sale, until, known.restarts)
    times = None if known.room is None else await asyncio.to_thread(room_times, known.room.visits)
    fairness = await asyncio.to_thread(_fairness, times, orders, served, step)
    refused = went.totals.refused
    report = SaleReport(
        sale=_sale(known, went),
        written_at=now,
        took_ms=0,
        preview=known.preview,
        settled=not known.unsettled,
        unsettled=known.unsettled,
        totals=went.totals,
        step_s=went.step_s,
        minutes=went.minutes,
        products=shown,
        products_left_out=left_out,
        waits=_waits(times, *waits),
        estimates=_NO_ESTIMATES if times is None else times.estimates,
        fairness=fairness,
        room=_room(known),
        limits=LimitFigures(at_post=None if refused is None else refused.get("limit_exceeded", 0), at_turn=limits),
        standby=standby,
        money=took,
        promises=promises(known.audit, known.no_audit, refused),
        acts=acts,
        acts_left_out=acts_left_out,
        incidents=happenings.in_order([*incidents, *happenings.late(timeline)]),
        advice=[],
        timeline=timeline,
    )
    took_ms = round((time.monotonic() - began) * 1000)
    return msgspec.structs.replace(report, took_ms=took_ms, advice=advice(report))


async def _spread(connection: Connection, name: str, sale_number: int) -> Spread:
    row = await connection.fetchrow(_SQL[name], sale_number)
    assert row is not None
    return rounded(row["count"], row["ranks"], row["most"]) if row["count"] else spread([])


async def _order_of_units(connection: Connection, sale_number: int) -> tuple[list[int], int]:
    """Return the order of getting units in the order of acceptance, of every so many-th order."""
    count: int = await connection.fetchval(_SQL["count_orders"], sale_number)
    step = max(1, -(-count // COMPARED_MAX))
    return [row["position"] for row in await connection.fetch(_SQL["got_units"], sale_number, step)], step


async def _standby(connection: Connection, sale_number: int) -> StandbyFigures:
    row = await connection.fetchrow(_SQL["standby"], sale_number)
    assert row is not None
    counts = dict(row)
    return StandbyFigures(**counts, gone=counts["stood_by"] - counts["served"] - counts["in_vain"] - counts["waiting"])


def _fairness(times: RoomTimes | None, orders: list[int], served: list[list[int]], step: int) -> Fairness:
    return Fairness(
        admission=_rounded(None if times is None else times.tau),
        admissions=0 if times is None else times.compared,
        stock=_rounded(kendall_tau(orders)),
        orders=len(orders),
        standby=_rounded(kendall_tau(*served)),
        standbys=sum(map(len, served)),
        step=step,
    )


def _rounded(tau: float | None) -> float | None:
    return None if tau is None else round(tau, 6)


def _waits(times: RoomTimes | None, decided: Spread, confirmed: Spread) -> Waits:
    return Waits(
        join_to_admission=_NOTHING if times is None else times.to_admission,
        join_to_order=_NOTHING if times is None else times.to_order,
        accepted_to_decided=decided,
        accepted_to_confirmed=confirmed,
    )


def _room(known: Known) -> RoomReport:
    terms, room = known.sale.room, known.room
    counts = None if room is None else room.counts
    mode = str(terms.get("mode", "off"))
    return RoomReport(
        mode=mode,
        rate_per_s=None if mode == "off" else float(terms.get("rate_per_s", RATE_PER_S)),
        joined=None if counts is None else counts.joined,
        admitted=None if counts is None else counts.admitted,
        by_code=None if counts is None else counts.bypassed,
        no_shows=None if counts is None else counts.lapsed,
        left=None if counts is None else counts.left,
        ordered=None if counts is None else counts.ordered,
        unused=None if counts is None else counts.expired,
        throttled=None if counts is None else counts.throttled,
        sampled=None if room is None else room.step,
    )


RATE_PER_S = 10.0
"""Of a room whose rate was never set."""


def _sale(known: Known, went: Course) -> ReportedSale:
    sale = known.sale
    return ReportedSale(
        sale_id=sale.sale_id,
        sale_number=sale.number,
        name=sale.name,
        phase=known.phase,
        starts_at=sale.starts_at,
        ends_at=sale.ends_at,
        over_at=known.over_at,
        payment=sale.payment,
        currency=went.currency,
        partitions=sale.partitions,
    )
