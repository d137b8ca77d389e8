"""How many a process lets in by itself while the room's store is away. Owns the count; the room says whether it may."""

from __future__ import annotations

import time


class Allowance:
    """A token bucket of the process's own, for the time without a store."""

    def __init__(self) -> None:
        self._tokens = 0.0
        self._at = time.monotonic()

    def take(self, rate_per_s: float, burst: int) -> bool:
        """Take one if there is one."""
        now = time.monotonic()
        self._tokens = min(burst, self._tokens + rate_per_s * (now - self._at))
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
