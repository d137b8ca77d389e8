"""Questions that are asked together: what comes while enough calls are out goes in the next. Owns the waiting alone.

The less a store is asked at a time the sooner it answers one; the more, the less each costs. So a question that finds
nothing under way is asked at once, alone, and a rush makes batches by itself.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from doorbuster.log import shared_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Q = TypeVar("Q")
A = TypeVar("A")


class Gathering(Generic[Q, A]):
    """Asks questions of one kind."""

    def __init__(
        self, ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], *, calls: int, most: int, pace_s: float = 0.0
    ) -> None:
        """Take what answers several, in their order; how many calls may be out; how many questions go in one.

        `pace_s`: from one call's beginning to the next one's, while fewer wait than go in one.
        """
        self._ask, self._calls, self._most, self._pace_s = ask, calls, most, pace_s
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._out: set[asyncio.Task[None]] = set()
        """Who will look again whether anybody waits: who is answered may ask on before a task is done."""

    async def get(self, question: Q) -> A:
        """Return the answer.

        Raises:
            Exception: whatever the call raised that the question went in.
        """
        return await self.ask(question)

    def ask(self, question: Q) -> asyncio.Future[A]:
        """Return the answer as it will be, or whatever the call raised that the question went in."""
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if len(self._out) < self._calls:
            task = asyncio.create_task(self._work(), context=shared_context())
            self._out.add(task)
            task.add_done_callback(self._out.discard)
        return future

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            wanted = [(question, future) for question, future in batch if not future.done()]
            if wanted:
                began = time.monotonic()
                await self._answer(wanted)
                if 0 < len(self._waiting) < self._most and (early_s := began + self._pace_s - time.monotonic()) > 0:
                    await asyncio.sleep(early_s)
        task = asyncio.current_task()
        assert task is not None
        self._out.discard(task)

    async def _answer(self, wanted: list[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._ask([question for question, _ in wanted])
            answered = list(zip(wanted, answers, strict=True))
        except Exception as error:  # noqa: BLE001  # it is raised where the answer is waited for
            for _, future in wanted:
                if not future.done():
                    future.set_exception(error)
        except asyncio.CancelledError:
            for _, future in wanted:
                future.cancel()
            raise
        else:
            for (_, future), answer in answered:
                if not future.done():
                    future.set_result(answer)
