"""What lives as long as the process: pools, subscriptions, pollers. Owns their beginning and end; answers nobody."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping

AGAIN_S = 0.5
"""How long a task has to end before it is cancelled once more."""

log = logging.getLogger("doorbuster.intake")


class Lifespan:
    """Falcon middleware of the process's start and end; it is on no request's path."""

    def __init__(
        self,
        *,
        opening: list[Callable[[], Awaitable[None]]],
        running: list[Callable[[], Coroutine[Any, Any, None]]],
        closing: list[Callable[[], Awaitable[None]]],
    ) -> None:
        self._opening = opening
        self._running = running
        self._closing = closing
        self._tasks: list[asyncio.Task[None]] = []

    async def process_startup(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Open what must be open, then start what runs beside the requests."""
        for step in self._opening:
            await step()
        self._tasks = [asyncio.create_task(_kept_up(start)) for start in self._running]

    async def process_shutdown(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:  # noqa: ARG002
        """End what runs, then close what is open."""
        await _end(self._tasks)
        for step in self._closing:
            await step()


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks until all have ended: a time-out that ends at the same moment may swallow a cancellation."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)


async def _kept_up(start: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start it again if a defect ends it: a dead poller must not leave the process half alive."""
    while True:
        try:
            await start()
        except Exception:
            log.exception("background task ended; it is started again", extra={"task": _name(start)})
            await asyncio.sleep(1.0)


def _name(start: Callable[[], Coroutine[Any, Any, None]]) -> str:
    return str(getattr(start, "__qualname__", start))
