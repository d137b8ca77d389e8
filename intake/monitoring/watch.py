"""What is watched beside the stages: stores, processes, promises, pre-warms. Owns the looks; judges nothing.

What nobody can know now is left out, so that no figure is made up; every process sees the same.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from db import status
from db.prewarm import reports
from db.work import store_losses
from doorbuster.failures import STORE_FAILED
from intake.monitoring.progress import WITHIN_S
from intake.monitoring.watched import Watched
from readiness import audited, shift_costs
from readiness.processes import processes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from intake.accepting.durability import Durability
    from intake.accepting.store_memory import StoreMemory
    from intake.database import Database
    from intake.monitoring.metrics import Metrics
    from intake.monitoring.progress import Progress, Seen
    from readiness.audited import LastAudit
    from readiness.shift_costs import ShiftCost
    from readiness.stores import StoreChecks

    Judges = tuple[Durability, StoreMemory]
    """What this process knows of the order store."""

log = logging.getLogger("doorbuster.intake.watch")

T = TypeVar("T")

KEEP_S = 2.0
ROLES = ("worker", "scheduler")


class Watch:
    """Looks at everything that alerts are about, at most once in `KEEP_S`, and hands it to the metrics."""

    def __init__(
        self, database: Database, checks: StoreChecks, progress: Progress, metrics: Metrics, judges: Judges
    ) -> None:
        self._database, self._checks, self._progress, self._metrics = database, checks, progress, metrics
        self._durability, self._memory = judges
        self._looked_at = -KEEP_S
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """See that the metrics show how all of it is, as of `KEEP_S` ago at most; never raises for a store."""
        async with self._looking:
            if time.monotonic() - self._looked_at < KEEP_S:
                return
            stores, work, seen, promises = await asyncio.gather(
                self._checks.look(), _or_nothing(self._work), _or_nothing(self._progress.look),
                _or_nothing(self._promises),
            )  # fmt: skip
            self._metrics.progress(seen)
            self._metrics.watched(
                Watched(
                    stores={name: "took_ms" in check for name, check in stores.items()},
                    processes={} if work is None else work.processes,
                    costs={} if work is None else work.costs,
                    jobs_waiting=None if work is None else work.waiting,
                    audit_breaches={} if work is None or work.audit is None else work.audit.breaches,
                    audit_age_s=None if work is None or work.audit is None else work.audit.age_s,
                    durable=not self._durability.faults,
                    memory_ratio=self._memory.ratio,
                    dead_letters=_letters(seen, promises),
                    ledger_breaches=None if promises is None else promises.ledger,
                    store_losses={} if promises is None else promises.losses,
                    standby=None if promises is None else promises.standby,
                    no_go={} if promises is None else promises.no_go,
                )
            )
            self._looked_at = time.monotonic()

    async def _work(self) -> _Work:
        jobs = self._checks.redis["jobs_store"]
        alive = await processes(jobs)
        return _Work(
            {role: sum(view.role == role and view.ok for view in alive) for role in ROLES},
            await shift_costs.read(jobs), await shift_costs.waiting(jobs), await audited.read(jobs),
        )  # fmt: skip

    async def _promises(self) -> _Promises:
        async with self._database.reading("watching") as connection:
            lost = await store_losses.summary(connection)
            return _Promises(
                {"orders": lost.lost, "unknown": lost.unwitnessed, "drained": lost.missing},
                await status.ledger_breaches(connection), await status.open_dead_letters(connection),
                await status.standing_by(connection),
                {one.sale_id: len(one.no_go) for one in await reports.verdicts_ahead(connection)},
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Promises:
    losses: dict[str, int]
    ledger: int
    letters: int
    standby: int
    no_go: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Work:
    processes: dict[str, int]
    costs: dict[str, ShiftCost]
    waiting: int
    audit: LastAudit | None


async def _or_nothing(look: Callable[[], Awaitable[T]]) -> T | None:
    try:
        async with asyncio.timeout(WITHIN_S):
            return await look()
    except STORE_FAILED as error:  # that the store is away is told by the look at it
        log.debug("a figure cannot be had", extra={"error": error})
        return None


def _letters(seen: Seen | None, promises: _Promises | None) -> dict[str, int]:
    letters = {} if promises is None else {"order": promises.letters}
    if seen is not None:
        letters |= {"payment": seen.money.failed, "delivery": sum(one.dead for one in seen.webhooks)}
    return letters
