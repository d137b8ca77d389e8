"""What all shifts share: a lease, a time budget, the reasons to end, going on after a store failed.

A shift is one RQ job that works on one thing (a partition's stream, its payments, the outbox) for up to `shift_s`.
Owns the lease and the connections of the shift; never knows what the work is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from db.connections import pool
from db.work import shifts
from db.work.shifts import Lease
from doorbuster import keys
from doorbuster.errors import LeaseLostError
from doorbuster.failures import NOT_THE_DATABASE, TRANSIENT
from doorbuster.redis_clients import plain_client, reader_client
from workers.runtime.batch_size import BatchSize, transaction_bound_s
from workers.runtime.job_queue import QUEUE_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from doorbuster.settings import Settings

IDLE_S = 2.0
"""A shift that found nothing for this long ends; the scheduler starts another when there is work."""
IDLE_CROWDED_S = 0.2
"""As above, while other jobs wait for a worker."""
SLICE_S = 2.0
"""A shift gives way to other jobs in the queue once it has run this long."""
LOOK_S = 0.25
"""How often a shift looks whether others wait."""
BLOCK_S = 0.2
"""How long a step may wait for work, so that reasons to end are seen in time."""
PACE_S = 0.05
"""From the beginning of a busy step to the next one's, unless there is as much to do as fits."""
BUSY = 50
"""A step that did this much is a busy one; after less, the pause is as much shorter. So below `BUSY / PACE_S` a second
nothing waits; above, what comes meanwhile shares a transaction, which is what makes it cheap."""
BACKOFF_S = (0.05, 1.0)

log = logging.getLogger("doorbuster.workers.shift")


class Ended(StrEnum):
    """Why a shift ended."""

    NOT_FREE = "not_free"
    LEASE_LOST = "lease_lost"
    IDLE = "idle"
    DONE = "done"
    TIME_UP = "time_up"
    OTHERS_WAIT = "others_wait"
    STOPPED = "stopped"
    ORPHANED = "orphaned"
    STORE_AWAY = "store_away"
    FAILED = "failed"


WORK_REMAINS = frozenset({Ended.TIME_UP, Ended.OTHERS_WAIT, Ended.STOPPED, Ended.ORPHANED})
"""Endings after which a successor is enqueued."""
AT_ONCE = frozenset({Ended.STOPPED, Ended.ORPHANED})


def holder_name() -> str:
    """Return who holds a lease: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(slots=True)
class Shift:
    """One shift's lease and connections. Time is in seconds of the monotonic clock."""

    name: str
    settings: Settings
    stop: asyncio.Event
    orders: Redis
    reader: Redis
    jobs: Redis
    fence: int = 0
    began: float = field(default_factory=time.monotonic)
    renewed: float = 0.0
    parent: int = field(default_factory=os.getppid)
    _connection: Connection | None = None
    _looked: float = 0.0
    _crowded: bool = False
    _taken: shifts.Taken | None = None
    size: BatchSize = field(init=False)
    """How much it takes at a time."""

    def __post_init__(self) -> None:
        self.size = BatchSize(self.name, lease_s=self.settings.lease_s)

    @property
    def lease(self) -> Lease:
        """The lease, as transactions hold it."""
        return Lease(self.name, self.fence, self.settings.lease_s, self.size.kept)

    async def connection(self) -> Connection:
        """Return the shift's connection to Postgres, made anew when the last one broke."""
        if self._connection is None or self._connection.is_closed():
            url = self.settings.database_url.get_secret_value()
            self._connection = await pool.connect(
                url,
                application=self._application,
                command_timeout_s=self.settings.lease_s,
                transaction_timeout_s=transaction_bound_s(self.settings.lease_s),
            )
        return self._connection

    @property
    def _application(self) -> str:
        return f"doorbuster-{self.name}"

    async def acquire(self) -> bool:
        """Take the lease; say whether it was free. A holder that is stuck inside a transaction loses its session."""
        connection, lease_s = await self.connection(), self.settings.lease_s
        if await shifts.end_overdue(connection, self.name, application=self._application, lease_s=lease_s):
            log.warning("a holder outlived its lease in a transaction: session ended", extra={"shift": self.name})
        self._taken = await shifts.take(connection, self.name, holder=holder_name(), lease_s=lease_s)
        self.fence, self.renewed = self._taken.fence if self._taken else 0, time.monotonic()
        return self._taken is not None

    async def begin_batches(self, full: int) -> None:
        """Take as much at a time as the last holder could, or less if it was ended; keep that before any batch."""
        assert self._taken is not None
        self.size.begin(full, self._taken.batch_max, not_given_back=self._taken.not_given_back)
        await self._hold()

    async def _hold(self) -> None:
        await shifts.hold(
            await self.connection(), self.name, self.fence, lease_s=self.settings.lease_s, batch_max=self.size.kept
        )
        self.renewed = time.monotonic()

    async def clear_starting(self) -> None:
        """Let a successor be enqueued: this shift is no longer on its way."""
        try:
            await self.jobs.delete(keys.starting(self.name))
        except TRANSIENT as error:  # the key expires by itself
            log.warning("the jobs store does not answer", extra={"shift": self.name, "error": repr(error)})

    async def renew(self) -> None:
        """Renew the lease when no batch has done so for a while.

        Raises:
            LeaseLostError: another shift holds it.
        """
        if time.monotonic() - self.renewed > self.settings.lease_s / 4:
            await self._hold()

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[Connection]:
        """Give a transaction in which the lease is held: nothing is committed once another shift has it.

        Raises:
            LeaseLostError: another shift holds it.
        """
        connection = await self.connection()
        with self.timed():
            async with connection.transaction():
                await shifts.hold(connection, **self.lease._asdict())
                yield connection

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure the transaction of a batch, which renews the lease: what comes next is sized by it."""
        began = time.monotonic()
        yield
        self.renewed = time.monotonic()
        self.size.took(self.renewed - began)

    async def reason_to_end(self, idle_from: float | None) -> Ended | None:
        """Say why the shift should end now, or None; `idle_from` is since when it has found nothing, None if it did."""
        now = time.monotonic()
        if self.stop.is_set():
            return Ended.STOPPED
        if os.getppid() != self.parent:
            return Ended.ORPHANED
        if now - self.began > self.settings.shift_s:
            return Ended.TIME_UP
        idle_s = 0.0 if idle_from is None else now - idle_from
        if idle_s > IDLE_S:
            return Ended.IDLE
        if (idle_s > IDLE_CROWDED_S or now - self.began > SLICE_S) and await self._others_wait(now):
            return Ended.IDLE if idle_s > IDLE_CROWDED_S else Ended.OTHERS_WAIT
        return None

    async def _others_wait(self, now: float) -> bool:
        if now - self._looked > LOOK_S:
            self._looked = now
            try:
                self._crowded = bool(await self.jobs.llen(QUEUE_KEY))
            except TRANSIENT as error:  # nobody can be waiting where nobody answers
                log.warning("the jobs store does not answer", extra={"shift": self.name, "error": repr(error)})
                self._crowded = False
        return self._crowded

    async def drop_connection(self) -> None:
        """Break with Postgres: after a failure the connection's state is unknown."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Release the lease, if it is still held, and every connection."""
        try:
            if self.fence:
                await shifts.release(await self.connection(), self.name, self.fence)
        except TRANSIENT as error:  # it expires by itself
            log.warning("the lease could not be released", extra={"shift": self.name, "error": repr(error)})
        finally:
            await self.drop_connection()
            for client in (self.orders, self.reader, self.jobs):
                await client.aclose()


class Work(Protocol):
    """What a shift does."""

    full: int
    """What fits in a batch when all is well; less is taken of a store that is slow (`Shift.size`)."""
    paced: bool
    """Whether there is a pause after a busy step that did less than fits."""

    @property
    def under_way(self) -> bool:
        """Whether something was begun that has not ended: whoever waits for it is not idle."""

    async def begin(self) -> None:
        """Begin, or begin again after a failure: forget what was under way, read what is committed."""

    async def step(self) -> int | None:
        """Do what is there, waiting at most about `BLOCK_S` for it; return how much, None when all is done for good."""

    async def end(self, *, at_once: bool) -> None:
        """Finish or give up what is under way."""


async def run(name: str, settings: Settings, stop: asyncio.Event, make: Callable[[Shift], Work]) -> Ended:
    """Run one shift from lease to release; return why it ended."""
    shift = Shift(
        name,
        settings,
        stop,
        orders=plain_client(settings.orders_redis_url.get_secret_value()),
        reader=reader_client(settings.orders_redis_url.get_secret_value(), block_s=BLOCK_S),
        jobs=plain_client(settings.jobs_redis_url.get_secret_value(), timeout_s=1.0),
    )
    done = 0
    ended = Ended.FAILED
    try:
        if not await shift.acquire():
            ended = Ended.NOT_FREE
            return ended
        await shift.clear_starting()
        ended, done = await _work(shift, make(shift))
    except LeaseLostError as error:
        ended = Ended.LEASE_LOST
        log.warning("lease lost", extra={"shift": name, "error": error.detail})
    except TRANSIENT as error:
        ended = Ended.STORE_AWAY
        log.warning("the shift could not go on", extra={"shift": name, "error": repr(error)})
    finally:
        await shift.close()
        seconds = round(time.monotonic() - shift.began, 3)
        log.info("shift ended", extra={"shift": name, "ended": ended, "done": done, "seconds": seconds})
    return ended


async def _work(shift: Shift, work: Work) -> tuple[Ended, int]:
    ended: Ended | None = None
    done, failures = 0, 0
    idle_from: float | None = None
    begun = fresh = False
    try:
        while ended is None:
            stepped = time.monotonic()
            try:
                if not begun:
                    await shift.begin_batches(work.full)
                    begun = True
                if not fresh:
                    await work.begin()
                    fresh = True
                count = await work.step()
                await shift.renew()
            except TRANSIENT as error:
                failures += 1
                fresh = False
                idle_from = None
                log.warning("trying again", extra={"shift": shift.name, "failures": failures, "error": repr(error)})
                await shift.drop_connection()
                if not isinstance(error, NOT_THE_DATABASE):
                    shift.size.failed(f"a batch failed: {type(error).__name__}")
                await _pause(shift.stop, _back_off_s(failures))
            else:
                failures = 0
                if count is None:
                    return Ended.DONE, done
                done += count
                idle_from = None if count or work.under_way else idle_from or time.monotonic()
                if work.paced and 0 < count < shift.size.now:
                    await _pause(shift.stop, stepped + pace_s(count) - time.monotonic())
            ended = await shift.reason_to_end(idle_from)
    finally:
        await work.end(at_once=ended is None or ended in AT_ONCE or not fresh)
    return ended, done


def pace_s(count: int) -> float:
    """Return how long after the beginning of a step that did so much the next one may begin."""
    return PACE_S * min(count / BUSY, 1.0)


def _back_off_s(failures: int) -> float:
    first, most = BACKOFF_S
    spread = random.uniform(0.5, 1.0)  # noqa: S311  hides nothing
    return float(min(most, first * 2 ** min(failures - 1, 10)) * spread)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not longer than until the shift is asked to stop."""
    if seconds <= 0:
        return
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
