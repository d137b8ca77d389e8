"""Writes the report of each sale that is over and settled. Owns when; what is in it is `db/report`'s.

One report at a time in a process, beside the scheduler's other work and on a connection of its own, so that a long one
holds up nothing. Any number of schedulers may look: who takes the turn writes, and written twice it stands once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from db import sales
from db.audit import promises
from db.connections import pool
from db.report import stored
from db.report.gather import Stores, Wanted, gather, unsettled
from doorbuster.failures import TRANSIENT
from readiness import audited
from waitingroom.records.memory import RoomMemory
from workers.runtime import job_queue

if TYPE_CHECKING:
    from redis import Redis as JobsRedis
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.report.stored import DueReport
    from db.sales import Sale
    from doorbuster.contract.fields import EffectivePhase
    from doorbuster.contract.night.promises import PromisesView
    from workers.runtime.isolation import FailureIsolation

PART = "reports"
WRITE_S = 120.0
"""How long a report may take, and as long again the audit in it."""
TURN_MS = 60_000
TOLD_S = 3.0
"""The intakes tell what they counted once a second: no report is written sooner after the end."""
ANYWAY_S = 3_600.0
"""A sale that is not settled so long after its end is reported of as it is, and once more when it is."""
AGAIN_S = 60.0
"""A report that could not be written is tried again then."""
ROOM_S = 5.0

log = logging.getLogger("doorbuster.workers.report")


class _Writing(NamedTuple):
    task: asyncio.Task[None]
    sale_id: str
    sale_number: int

    async def ended(self) -> None:
        await self.task


class ReportWriter:
    """Writes reports, one after the other."""

    def __init__(self, dsn: str, orders: Redis, room: Redis, *, jobs: JobsRedis, isolation: FailureIsolation) -> None:
        self._dsn, self._orders = dsn, orders
        self._memory = RoomMemory(room, timeout_s=ROOM_S)
        self._stores = Stores(orders, room, self._memory)
        self._jobs, self._isolation = jobs, isolation
        self._writing: _Writing | None = None
        self._not_before: dict[int, float] = {}

    async def step(self, connection: Connection) -> None:
        """See to the report under way, or begin the next one; waits for none."""
        if self._writing is not None:
            if not self._writing.task.done():
                return
            done, self._writing = self._writing, None
            self._not_before[done.sale_number] = time.monotonic() + AGAIN_S
            await self._isolation.attempt(PART, done.ended, sale_id=done.sale_id)
        for due in await stored.due(connection):
            if self._not_before.get(due.sale_number, 0.0) <= time.monotonic() and await self._is_ready(connection, due):
                self._writing = _Writing(asyncio.create_task(self._write(due)), due.sale_id, due.sale_number)
                return

    async def finish(self) -> None:
        """Wait for the report under way, and say how it went."""
        if self._writing is not None:
            await asyncio.wait([self._writing.task])
            done, self._writing = self._writing, None
            await self._isolation.attempt(PART, done.ended, sale_id=done.sale_id)

    async def close(self) -> None:
        """Leave the report under way: another scheduler, or the next start, writes it."""
        if self._writing is not None:
            self._writing.task.cancel()
            await asyncio.wait([self._writing.task])
            self._writing = None

    async def _is_ready(self, connection: Connection, due: DueReport) -> bool:
        sale = await sales.get_sale_by_number(connection, due.sale_number)
        if sale is None:
            return False
        late_s = _late_s(due)
        if late_s < TOLD_S:
            return False
        kept = await stored.get(connection, due.sale_number) if late_s > ANYWAY_S else None
        told = kept is not None and kept.over_at == due.over_at
        if (late_s <= ANYWAY_S or told) and await unsettled(connection, self._orders, sale):
            return False
        return await asyncio.to_thread(job_queue.takes_turn, self._jobs, f"report:{due.sale_number}", TURN_MS)

    async def _write(self, due: DueReport) -> None:
        began = time.monotonic()
        connection = await pool.connect(
            self._dsn, command_timeout_s=WRITE_S, application="doorbuster-report", steady=False
        )
        try:
            sale = await sales.get_sale_by_number(connection, due.sale_number)
            if sale is None:
                return
            audit, why = await self._audit(connection)
            async with asyncio.timeout(WRITE_S):
                report = await gather(connection, self._stores, _wanted(sale, due, audit, why))
            await stored.put(connection, report, due.over_at)
        finally:
            await connection.close()
        took_s = round(time.monotonic() - began, 3)
        log.info("report written", extra={"sale_id": due.sale_id, "settled": report.settled, "took_s": took_s})
        await self._memory.forget_later(due.sale_number)

    async def _audit(self, connection: Connection) -> tuple[PromisesView | None, str]:
        """Return what the audit finds, or why there was none: the report is written all the same."""
        try:
            async with asyncio.timeout(WRITE_S):
                found = await promises.look(connection, self._orders)
        except TimeoutError:
            return None, f"the audit took longer than {WRITE_S:.0f} s; `doorbuster audit` takes the time it needs"
        except TRANSIENT as error:
            if connection.is_closed():
                raise
            return None, f"a store did not answer the audit: {type(error).__name__}"
        try:
            await asyncio.to_thread(audited.tell_from_thread, self._jobs, found)
        except TRANSIENT as error:  # the report has it all the same
            log.warning("the audit's result could not be noted", extra={"error": error})
        return found, ""


def _wanted(sale: Sale, due: DueReport, audit: PromisesView | None, why: str) -> Wanted:
    phase: EffectivePhase = "closed" if sale.phase == "closed" else "ended"
    needs_room = _late_s(due) <= ANYWAY_S and sale.room.get("mode", "off") != "off"
    return Wanted(sale, phase, due.over_at, audit, why, needs_room)


def _late_s(due: DueReport) -> float:
    return (datetime.now(UTC) - due.over_at).total_seconds()
