"""Writes down what a report tells of later: when a plan was seen in force, which processes were started.

Owns what was written already; puts nothing in force itself. A look costs Postgres nothing while there is nothing new.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from db.report import marks
from db.report.marks import PlanMark, ProcessStart
from doorbuster.redis_clients import plain_client
from doorbuster.values.timeline import due
from readiness import signs
from readiness.processes import processes
from workers.runtime import job_queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis as JobsRedis

    from db.connections.pool import Connection
    from db.sales import LiveSale

TURN_MS = 5_000
TIMEOUT_S = 2.0


class ReportMarks:
    """Notes what happens around sales."""

    def __init__(self, jobs: JobsRedis, jobs_url: str) -> None:
        self._jobs, self._redis = jobs, plain_client(jobs_url, timeout_s=TIMEOUT_S, connections=2)
        self._marked: set[PlanMark] = set()
        self._noted: set[tuple[str, str, int]] = set()

    async def look(self, connection: Connection, sales: Sequence[LiveSale]) -> None:
        """Note what of these sales' plans is in force by now, and who was started."""
        now = {PlanMark(sale.sale_number, one.at) for sale in sales for one in due(sale.timeline, None, sale.read_at)}
        if new := now - self._marked:
            await marks.mark(connection, sorted(new))
        self._marked = now
        if sales:
            is_mine: bool = await asyncio.to_thread(job_queue.takes_turn, self._jobs, "starts", TURN_MS)
            if is_mine:
                await self._note_starts(connection)

    async def close(self) -> None:
        """Close the connection."""
        await self._redis.aclose()

    async def _note_starts(self, connection: Connection) -> None:
        now = time.time()
        starts = [ProcessStart("intake", one.name, _moment(one.began_s)) for one in await signs.alive(self._redis)]
        starts += [
            ProcessStart(one.role, one.name, _moment(now - one.age_s))
            for one in await processes(self._redis)
            if one.ok and one.age_s is not None
        ]
        # A name may come again, of another process; an age in whole seconds is off by one now and then.
        found = {(one.role, one.name, round(one.began_at.timestamp() / 10)): one for one in starts}
        if new := [one for key, one in found.items() if key not in self._noted]:
            await marks.note_starts(connection, new)
        self._noted = found.keys() | set()


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)
