"""Work beside the scheduler's turns: one piece at a time, for it may take longer than a turn. Owns that one task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Beside:
    """One piece of work at a time."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether work is under way; a defect that ended the last piece comes out here, once."""
        task, self._task = self._task, None
        if task is None or task.cancelled():
            return False
        if task.done():
            task.result()
            return False
        self._task = task
        return True

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin a piece of work."""
        self._task = asyncio.create_task(work)

    async def finish(self) -> None:
        """Wait until nothing is under way."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """End what is under way in its middle."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
