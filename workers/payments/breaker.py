"""When a provider is asked, and how many payments at once. Owns that law alone; asks nobody and writes nothing.

A provider that is down is left alone for a while, longer each time; then one payment tries it, and with its answer all
go on. One that takes no more for now is left alone as long as it says, and then asked less at once, more again with
every answer.
"""

from __future__ import annotations

import random
import time

from db.work.shifts import Pause

BREAK_AFTER = 10
"""Failures in a row, without an answer between them."""
PAUSE_S = (1.0, 30.0)
"""Of a provider that is down: the first pause and the longest."""
RETRY_AFTER_S = (1.0, 120.0)
"""Of one that takes no more: when it does not say how long, and the most that it is believed."""


class Breaker:
    """What is known of a provider's health; each shift has its own."""

    def __init__(self, concurrency: int) -> None:
        self._most = concurrency
        self._limit = concurrency
        self._failures = 0
        self._pauses = 0
        self._until = 0.0
        self.why: Pause | None = None
        """Why it is left alone, or asked carefully after that; None: all is well."""

    @property
    def limit(self) -> int:
        """How many may be under way now; 0: it is left alone."""
        if self.why is None:
            return self._limit
        if self.paused_s > 0:
            return 0
        return 1 if self.why == "down" else self._limit

    @property
    def paused_s(self) -> float:
        """For how long it is left alone still."""
        return max(self._until - time.monotonic(), 0.0)

    def answered(self) -> None:
        """Hear that the provider answered, whatever it said."""
        if self.why is None and not self._failures and self._limit == self._most:
            return
        self._failures = 0
        if self.paused_s == 0:
            self._pauses, self.why = 0, None
            self._limit = min(self._limit + 1, self._most)

    def failed(self) -> None:
        """Hear that the provider did not answer, or could not be reached."""
        self._failures += 1
        if self.paused_s == 0 and (self._failures >= BREAK_AFTER or self.why == "down"):
            first, most = PAUSE_S
            self._pause(min(most, first * 2.0**self._pauses) * random.uniform(0.5, 1.0), "down")  # noqa: S311
            self._pauses = min(self._pauses + 1, 10)

    def limited(self, retry_after_s: float | None) -> None:
        """Hear that the provider takes no more for now."""
        shortest, most = RETRY_AFTER_S
        if self.paused_s == 0:
            self._limit = max(self._limit // 2, 1)
        wanted = min(shortest if retry_after_s is None else max(retry_after_s, 0.0), most)
        self._pause(max(wanted, self.paused_s), "rate_limited")

    def go_on(self, why: Pause | None, paused_s: float) -> None:
        """Begin with what the shift before knew."""
        if why is not None and paused_s > 0:
            self._pause(paused_s, why)

    def _pause(self, seconds: float, why: Pause) -> None:
        self._until, self.why = time.monotonic() + seconds, why
