"""Answers that a process keeps for a moment, and the questions under way. Owns their age and size; never asks itself.

The bound of promise P8 holds by age alone: an answer counts as old as the moment before its question was asked, and
nobody is given one older than `fresh_s`, be it kept or waited for. One question a key at a time; no failure is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

from doorbuster.log import shared_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

T = TypeVar("T")

EARLY = 0.8
"""Part of its life after which an answer in use is asked for anew behind the old one."""
ANSWERS_MAX, BYTES_MAX = 1_000, 64 * 2**20
"""Answers that are kept, and bytes that they and their questions may take, about."""
HEARD_MAX = 5
"""Changes within one life of an answer that outdate all of them; when more come, age alone does it."""


class _Question(Generic[T]):
    """A question under way."""

    __slots__ = ("began", "outdated", "task")

    def __init__(self, task: asyncio.Task[T], began: float) -> None:
        self.task, self.began = task, began
        self.outdated = False


class AnswerCache(Generic[T]):
    """Answers by key."""

    def __init__(
        self,
        *,
        fresh_s: float,
        weigh: Callable[[Hashable, T], int] = lambda _key, _answer: 0,
        answers_max: int = ANSWERS_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        """Take how long an answer may be given, and what tells how many bytes it takes with its key."""
        self._fresh_s, self._answers_max = fresh_s, answers_max
        self._weigh, self._bytes_max = weigh, bytes_max
        self.weight = 0
        """Bytes that are taken, about."""
        self._answers: OrderedDict[Hashable, tuple[float, T, int]] = OrderedDict()
        self._asking: dict[Hashable, _Question[T]] = {}
        self._heard_since, self._heard = 0.0, 0
        self.answered: Counter[str] = Counter()
        """Answers that were kept (`process`), waited for with another (`coalesced`), and asked for (`backend`)."""

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer at hand, or wait for one that was asked for recently enough, or ask.

        Raises:
            StoreUnavailableError: as the question does.
        """
        while True:
            now = time.monotonic()
            question = self._asking.get(key)
            began, answer, _ = self._answers.get(key, (0.0, None, 0))
            if answer is not None and now < began + self._fresh_s:
                if now >= began + self._fresh_s * EARLY and question is None:
                    self._ask(key, ask, now)
                self.answered["process"] += 1
                return answer
            if question is None:
                return await asyncio.shield(self._ask(key, ask, now).task)
            if not question.outdated and now < question.began + self._fresh_s:
                self.answered["coalesced"] += 1
                return await asyncio.shield(question.task)
            await asyncio.wait([question.task])  # too old to be waited for, but two at a time help nobody

    def outdate(self) -> None:
        """Forget what was asked before now, unless changes come so thick that nothing could be kept."""
        now = time.monotonic()
        if now >= self._heard_since + self._fresh_s:
            self._heard_since, self._heard = now, 0
        self._heard += 1
        if self._heard > HEARD_MAX:
            return
        self._answers.clear()
        self.weight = 0
        for question in self._asking.values():
            question.outdated = True

    def _ask(self, key: Hashable, ask: Callable[[], Awaitable[T]], now: float) -> _Question[T]:
        self.answered["backend"] += 1
        question = self._asking[key] = _Question(asyncio.create_task(_whole(ask), context=shared_context()), now)
        question.task.add_done_callback(lambda _: self._ended(key, question))
        return question

    def _ended(self, key: Hashable, question: _Question[T]) -> None:
        del self._asking[key]
        failed = question.task.cancelled() or question.task.exception() is not None
        if failed or question.outdated:
            return
        self._forget(key)
        weight = self._weigh(key, question.task.result())
        self._answers[key] = (question.began, question.task.result(), weight)
        self.weight += weight
        while len(self._answers) > self._answers_max or (self.weight > self._bytes_max and self._answers):
            self._forget(next(iter(self._answers)))

    def _forget(self, key: Hashable) -> None:
        _, _, weight = self._answers.pop(key, (0.0, None, 0))
        self.weight -= weight


async def _whole(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()
