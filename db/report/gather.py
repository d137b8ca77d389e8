"""Asks everybody a report is told by: Postgres, the order store, the room. Owns whom to ask; keeps nothing.

What another store cannot say is left out of the report, and said there: only Postgres must answer.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import msgspec

from db.report import stored
from db.report.assemble import Known, assemble
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import REDIS_FAILED
from doorbuster.orderstore import backlog
from doorbuster.redis_roles.age import age_s

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.report.minutes import CountedMinute
    from db.report.visits import TellsRoom
    from db.sales import Sale
    from doorbuster.contract.fields import EffectivePhase
    from doorbuster.contract.night.promises import PromisesView
    from doorbuster.contract.night.report import SaleReport

T = TypeVar("T")
NOT_ANSWERED = "the order store does not say how many accepted orders wait"


class TellsMemory(Protocol):
    """What the room's store remembers of sales, by their numbers; each may raise that it does not answer."""

    def visits(self, sale_number: int, /) -> Awaitable[TellsRoom | None]:
        """Return what is known of visits; None: there was no room."""

    def minutes(self, sale_number: int, /) -> Awaitable[Mapping[int, CountedMinute]]:
        """Return what was counted and is not in Postgres yet, by Unix minute."""


class Stores(NamedTuple):
    """Whom to ask beside Postgres."""

    orders: Redis
    room: Redis
    memory: TellsMemory


class Wanted(NamedTuple):
    """Which report, and the audit that goes into it."""

    sale: Sale
    phase: EffectivePhase
    over_at: datetime | None
    """None: the sale is not over, this is a preview."""
    audit: PromisesView | None
    no_audit: str = ""
    needs_room: bool = False
    """Whether it is no report where the room's store does not answer: it may be back in a moment."""


async def gather(connection: Connection, stores: Stores, wanted: Wanted) -> SaleReport:
    """Return a sale's report as of now.

    Raises:
        StoreUnavailableError: the room's store does not answer, and is needed.
    """
    sale = wanted.sale
    known = Known(
        sale=sale,
        phase=wanted.phase,
        over_at=wanted.over_at,
        preview=wanted.over_at is None,
        unsettled=await unsettled(connection, stores.orders, sale),
        room=await _told(partial(stores.memory.visits, sale.number), needed=wanted.needs_room),
        minutes=await _told(partial(stores.memory.minutes, sale.number), needed=wanted.needs_room) or {},
        audit=wanted.audit,
        no_audit=wanted.no_audit,
        restarts=await _restarts(stores),
    )
    report = await assemble(connection, known)
    before = await stored.get(connection, sale.number)
    return report if before is None else _remembered(report, before.report)


async def unsettled(connection: Connection, orders: Redis, sale: Sale) -> list[str]:
    """Return in words what of a sale is still under way."""
    partitions = [(sale.number, partition) for partition in range(sale.partitions)]
    try:
        waiting = sum(count for count, _ in await backlog.counts(orders, partitions))
        not_told = []
    except REDIS_FAILED:
        waiting, not_told = 0, [NOT_ANSWERED]
    return stored.unsettled(await stored.under_way(connection, sale.number), waiting) + not_told


async def _told(ask: Callable[[], Awaitable[T]], *, needed: bool) -> T | None:
    try:
        return await ask()
    except StoreUnavailableError:
        if needed:
            raise
        return None  # the report says that nothing is known of it


async def _restarts(stores: Stores) -> dict[str, datetime]:
    """Return since when the Redis stores have been up; one that does not answer is left out."""
    found = {}
    for name, redis in (("the order store", stores.orders), ("the room's store", stores.room)):
        try:
            found[name] = datetime.fromtimestamp(time.time() - await age_s(redis), UTC)
        except REDIS_FAILED:
            continue
    return found


def _remembered(report: SaleReport, before: SaleReport) -> SaleReport:
    """Return a report with what an earlier one was told by the room, where the room has forgotten it since."""
    had, has = before.waits.join_to_admission.count, report.waits.join_to_admission.count
    if has or not had:
        return report
    waits = msgspec.structs.replace(
        report.waits, join_to_admission=before.waits.join_to_admission, join_to_order=before.waits.join_to_order
    )
    fairness = msgspec.structs.replace(
        report.fairness, admission=before.fairness.admission, admissions=before.fairness.admissions
    )
    return msgspec.structs.replace(report, waits=waits, fairness=fairness, estimates=before.estimates, room=before.room)
