"""The entry points that RQ calls by name, `workers.jobs.<kind>`, one a kind of the registry (`shifts.py`).

Owns how a job becomes a running shift; knows no kind by name.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from typing import TYPE_CHECKING

import uvloop

from doorbuster import tracing
from doorbuster.failures import TRANSIENT
from doorbuster.settings import Settings, load_settings
from workers.runtime import job_queue, shift
from workers.shifts import SHIFTS, ShiftKind, shift_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.runtime.shift import EndReason, Shift, Work

GARBAGE = 100_000
"""Objects made beyond those gone before the collector looks."""

log = logging.getLogger("doorbuster.workers.jobs")


def _entry_point(kind: ShiftKind) -> Callable[..., None]:
    def job(*numbers: int) -> None:
        _run(shift_name(kind.name, numbers), lambda mine: kind.make(mine, numbers))

    return job


_ENTRY_POINTS = {kind.name: _entry_point(kind) for kind in SHIFTS}


def __getattr__(name: str) -> Callable[..., None]:
    """Return a kind's entry point: RQ looks `workers.jobs.drain` up as an attribute of this module."""
    if name not in _ENTRY_POINTS:
        raise AttributeError(f"there is no kind of shift {name!r}")
    return _ENTRY_POINTS[name]


def _run(name: str, make: Callable[[Shift], Work]) -> None:
    _collect_rarely()
    settings = load_settings()
    tracing.begin(settings, "doorbuster-worker")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            ended = runner.run(_until_stopped(name, settings, make))
    finally:
        tracing.end()
    if ended in shift.WORK_REMAINS:
        _enqueue_successor(name, settings)


def _collect_rarely() -> None:
    """Look for garbage in cycles rarely: a batch makes tens of thousands of objects and no cycles."""
    gc.freeze()
    gc.set_threshold(GARBAGE)


async def _until_stopped(name: str, settings: Settings, make: Callable[[Shift], Work]) -> EndReason:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    # The worker forks with SIGTERM blocked; one that came meanwhile is delivered now.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        return await shift.run(name, settings, stop, make)
    finally:
        # What follows is RQ's bookkeeping, done in milliseconds: a signal now would only leave it half done.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _enqueue_successor(name: str, settings: Settings) -> None:
    with job_queue.connect(settings.jobs_redis_url.get_secret_value(), timeout_s=1.0) as connection:
        try:
            job_queue.enqueue(job_queue.open_queue(connection), name, settings)
        except TRANSIENT as error:  # the scheduler sees the work and the free lease
            log.warning("no successor could be enqueued", extra={"shift": name, "error": error})
