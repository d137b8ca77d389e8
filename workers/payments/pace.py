"""How many payments a second a gateway takes: as many as may be in flight, by how long one takes. Owns that sum."""

from __future__ import annotations

import time

SAY_S = 1.0
SHARE = 0.02
"""Of each new payment in the mean."""
LEAST_S = 0.001
"""A gateway quicker than this answers at once: nothing bounds it but what is written."""


class PaymentPace:
    """A moving mean of the gateway's time, and what follows from it."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._mean_s: float | None = None
        self._said = time.monotonic()
        self._news = False

    def took(self, seconds: float) -> None:
        """Hear how long a payment took, answered or not."""
        before = seconds if self._mean_s is None else self._mean_s
        self._mean_s = before + SHARE * (seconds - before)
        self._news = True

    def per_s(self, limit: int) -> float | None:
        """Return payments a second with so many in flight; None: not known, or the gateway answers at once."""
        if self._mean_s is None or self._mean_s < LEAST_S:
            return None
        return min(limit, self._concurrency) / self._mean_s

    def is_time(self) -> bool:
        """Say whether it should be said again; says so once a second at most, and only after a payment."""
        now = time.monotonic()
        if not self._news or now - self._said < SAY_S:
            return False
        self._said, self._news = now, False
        return True
