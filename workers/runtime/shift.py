"""What all shifts share: a time budget, the reasons to end, going on after a store failed.

A shift is one RQ job that works on one thing (a partition's stream, its payments, the outbox) for up to `shift_s`.
Owns the loop and the clients of the shift; the lease is `lease.py`. Never knows what the work is.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from db.connections.fence import remember_in
from doorbuster.errors import LeaseLostError
from doorbuster.failures import NOT_THE_DATABASE, TRANSIENT
from doorbuster.orderstore.beside.timelines import Timelines
from doorbuster.redis_clients import plain_client, reader_client
from readiness import shift_costs
from readiness.shift_costs import ShiftCost
from workers.runtime import job_queue
from workers.runtime.job_queue import QUEUE_KEY
from workers.runtime.lease import LeasedSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

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
COST_S = 2.0
"""How often a shift tells what it did."""

log = logging.getLogger("doorbuster.workers.shift")


class EndReason(StrEnum):
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


WORK_REMAINS = frozenset({EndReason.TIME_UP, EndReason.OTHERS_WAIT, EndReason.STOPPED, EndReason.ORPHANED})
"""Endings after which a successor is enqueued."""
IMMEDIATE = frozenset({EndReason.STOPPED, EndReason.ORPHANED})


@dataclass(slots=True)
class Shift(LeasedSession):
    """One shift: its leased session, its clients, its reasons to end. Time is in seconds of the monotonic clock."""

    stop: asyncio.Event
    orders: Redis
    reader: Redis
    jobs: Redis
    began: float = field(default_factory=time.monotonic)
    parent: int = field(default_factory=os.getppid)
    _looked: float = 0.0
    _crowded: bool = False
    _told: float = field(default_factory=time.monotonic)
    _done: int = 0

    async def clear_starting(self) -> None:
        """Let a successor be enqueued: this shift is no longer on its way."""
        try:
            await job_queue.arrived(self.jobs, self.name)
        except TRANSIENT as error:  # the key expires by itself
            log.warning("the jobs store does not answer", extra={"shift": self.name, "error": error})

    async def reason_to_end(self, idle_s: float) -> EndReason | None:
        """Say why the shift should end now, or None; `idle_s` is for how long it has looked and found nothing."""
        now = time.monotonic()
        if self.stop.is_set():
            return EndReason.STOPPED
        if os.getppid() != self.parent:
            return EndReason.ORPHANED
        if now - self.began > self.settings.shift_s:
            return EndReason.TIME_UP
        if idle_s > IDLE_S:
            return EndReason.IDLE
        if (idle_s > IDLE_CROWDED_S or now - self.began > SLICE_S) and await self._others_wait(now):
            return EndReason.IDLE if idle_s > IDLE_CROWDED_S else EndReason.OTHERS_WAIT
        return None

    async def _others_wait(self, now: float) -> bool:
        if now - self._looked > LOOK_S:
            self._looked = now
            try:
                self._crowded = bool(await self.jobs.llen(QUEUE_KEY))
            except TRANSIENT as error:  # nobody can be waiting where nobody answers
                log.warning("the jobs store does not answer", extra={"shift": self.name, "error": error})
                self._crowded = False
        return self._crowded

    async def tell_cost(self, count: int, *, every_s: float = COST_S) -> None:
        """Tell now and then what was done, and for how long in transactions."""
        self._done += count
        if time.monotonic() - self._told < every_s:
            return
        self._told = time.monotonic()
        cost = ShiftCost(self.transaction_s, self.transactions, self._done)
        if not cost.transactions and not cost.done:
            return
        try:
            await shift_costs.tell(self.jobs, self.name.partition(":")[0], cost)
        except TRANSIENT as error:  # it is told the next time
            log.debug("what the shift did cannot be told", extra={"shift": self.name, "error": error})
        else:
            self.transaction_s, self.transactions, self._done = 0.0, 0, 0

    async def close(self) -> None:
        """Release the lease, if it is still held, and every connection."""
        try:
            await self.release()
        finally:
            for client in (self.orders, self.reader, self.jobs):
                await client.aclose()


class Work(Protocol):
    """What a shift does."""

    full: int
    """What fits in a batch when all is well; less is taken of a store that is slow (`Shift.size`)."""
    paced: bool
    """Whether there is a pause after a busy step that did less than fits."""

    @property
    def is_busy(self) -> bool:
        """Whether something was begun that has not ended: whoever waits for it is not idle."""

    async def begin(self) -> None:
        """Begin, or begin again after a failure: forget what was under way, read what is committed."""

    async def step(self) -> int | None:
        """Do what is there, waiting at most about `BLOCK_S` for it; return how much, None when all is done for good."""

    async def end(self, *, immediately: bool) -> None:
        """Finish or give up what is under way."""


async def run(name: str, settings: Settings, stop: asyncio.Event, make: Callable[[Shift], Work]) -> EndReason:
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
    ended = EndReason.FAILED
    remember_in(Timelines(shift.orders))
    try:
        if not await shift.acquire():
            ended = EndReason.NOT_FREE
            return ended
        await shift.clear_starting()
        ended, done = await _work(shift, make(shift))
    except LeaseLostError as error:
        ended = EndReason.LEASE_LOST
        log.warning("lease lost", extra={"shift": name, "error": error.detail})
    except TRANSIENT as error:
        ended = EndReason.STORE_AWAY
        log.warning("the shift could not go on", extra={"shift": name, "error": error})
    finally:
        remember_in(None)
        await shift.close()
        seconds = round(time.monotonic() - shift.began, 3)
        log.info("shift ended", extra={"shift": name, "ended": ended, "done": done, "seconds": seconds})
    return ended


async def _work(shift: Shift, work: Work) -> tuple[EndReason, int]:
    ended: EndReason | None = None
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
                log.warning(
                    "a step of the shift failed; it tries again",
                    extra={"shift": shift.name, "failures": failures, "error": error},
                )
                await shift.drop_connection()
                if not isinstance(error, NOT_THE_DATABASE):
                    shift.size.failed(f"a batch failed: {type(error).__name__}")
                await _pause(shift.stop, _back_off_s(failures))
            else:
                failures = 0
                if count is None:
                    return EndReason.DONE, done
                done += count
                await shift.tell_cost(count)
                idle_from = None if count or work.is_busy else idle_from or stepped
                if work.paced and 0 < count < shift.size.now:
                    await _pause(shift.stop, stepped + pace_s(count) - time.monotonic())
            # From look to look: how long the last one took is no reason not to look again.
            ended = await shift.reason_to_end(0.0 if idle_from is None else stepped - idle_from)
    finally:
        await work.end(immediately=ended is None or ended in IMMEDIATE or not fresh)
        await shift.tell_cost(0, every_s=0.0)
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
