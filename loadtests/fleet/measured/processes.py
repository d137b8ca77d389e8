"""Processor time of a running system by part: roles, and the processes and sessions of shifts. Owns the looking."""

from __future__ import annotations

import asyncio
import re
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING

import httpx
import psutil

from db.query_files import load
from loadtests.check import ledger
from loadtests.scene.system import MACHINE

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from loadtests.scene.system import System

_SQL = load("loadtests")
_CALLS = re.compile(r"^doorbuster_accept_batch_orders_count(?:\{[^}]*\})? ([0-9.e+]+)", re.MULTILINE)


_LOOK_S = 0.1

Rest = dict[str, float]
"""Cores' worth of time that each role uses while nothing is ordered."""


class Watch:
    """Looks at the shifts' processes and sessions for a while, for they come and go; of roles at its two ends."""

    def __init__(self, system: System, connection: Connection, rest: Rest) -> None:
        self._system, self._connection, self._rest = system, connection, rest
        self._asking = psutil.Process(connection.get_server_pid())
        self._first: dict[tuple[str, int], float] = {}
        self._last: dict[tuple[str, int], float] = {}
        self._roles: dict[str, float] = {}
        self.took_s = 0.0

    def used_s(self, part: str) -> float:
        """Return the seconds of processor that a part used: a role, a kind of shift (`drain`), or its `drain session`.

        What a process used before it was first seen, a tenth of a second at most, is not in it; neither is what a role
        uses at rest.
        """
        if part in self._roles:
            return self._roles[part]
        return sum(self._last[key] - self._first[key] for key in self._first if key[0] == part)

    async def _look(self) -> None:
        for row in await self._connection.fetch(_SQL["shift_holders"]):
            self._see(_kind(row["name"]), int(row["holder"].rpartition(":")[2]))
        for row in await self._connection.fetch(_SQL["shift_sessions"]):
            self._see(f"{_kind(row['name'])} session", row["pid"])

    def _see(self, part: str, pid: int) -> None:
        with suppress(psutil.NoSuchProcess):  # it ended by itself
            used = _seconds_of(psutil.Process(pid))
            self._first.setdefault((part, pid), used)
            self._last[part, pid] = used

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            await self._look()

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[Watch]:
        """Look during the block; the figures are there behind it."""
        await self._look()
        began, before, asked = monotonic(), self._system.processor_s(), _seconds_of(self._asking)
        task = asyncio.create_task(self._go_on())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.result()  # it ended by itself: what it could not do is to be told
        await self._look()
        after = self._system.processor_s()
        self.took_s = monotonic() - began
        self._roles = {role: after[role] - before[role] - self._rest.get(role, 0.0) * self.took_s for role in before}
        self._roles["postgres"] -= _seconds_of(self._asking) - asked


@asynccontextmanager
async def watching(system: System, rest: Rest | None = None) -> AsyncIterator[Watch]:
    """Look at a system's processes during the block; the figures are there behind it, without what is used at rest."""
    async with (
        ledger.connected(system.ready.urls["database"]) as connection,
        Watch(system, connection, rest or {}).going_on() as watch,
    ):
        yield watch


async def calls(system: System) -> float:
    """Return how often the intake has called the accept script."""
    headers = {"Authorization": f"Bearer {system.ready.ops_key}"}
    async with httpx.AsyncClient(base_url=system.ready.ops_base, trust_env=False, timeout=30) as client:
        answer = await client.get("/metrics", headers=headers)
        answer.raise_for_status()
    return sum(float(count) for count in _CALLS.findall(answer.text))


async def log_written(connection: Connection) -> float:
    """Return the bytes of write-ahead log that were ever written."""
    return float(await connection.fetchval(_SQL["log_written"]))


def generator_s() -> float:
    """Return the seconds of processor of this process's children that have ended: all of the load generator's."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def at_rest(system: System, seconds: float = 3.0) -> Rest:
    """Return what each role uses while nothing is ordered."""
    before, began = system.processor_s(), monotonic()
    await asyncio.sleep(seconds)
    after, took_s = system.processor_s(), monotonic() - began
    return {role: (after[role] - before[role]) / took_s for role in before if role != MACHINE}


def _kind(shift: str) -> str:
    return shift.partition(":")[0]


def _seconds_of(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)
