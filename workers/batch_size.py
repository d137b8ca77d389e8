"""How much a shift takes at a time: less after a batch that was slow or was ended, down to one; more when it is quick.

Owns the size and its law, which is that of a queue's congestion (Chiu and Jain 1989), doubled on the way up so that a
store that was slow for a moment costs a moment. The relation that makes progress certain stands here as well: a batch's
transaction is ended by Postgres before the lease it began with runs out, so taking over ends none that would have been
finished in time, and what was ended comes back half as large, also in another process.
"""

from __future__ import annotations

import logging

TRANSACTION_SHARE = 0.75
"""Of a lease: how long the transaction of a batch may take, by Postgres's own clock."""
SLOW_SHARE = 0.5
"""Of that: a batch that took longer is followed by a smaller one, before any is ended."""
QUICK_SHARE = 0.125
"""Of that: after a batch that took less the next may be larger."""
SHRINK = 2
GROW = 2

log = logging.getLogger("doorbuster.workers.batch_size")


def transaction_bound_s(lease_s: float) -> float:
    """Return how long a batch's transaction may take."""
    return lease_s * TRANSACTION_SHARE


class BatchSize:
    """The size of one shift's batches."""

    def __init__(self, shift: str, *, lease_s: float) -> None:
        self._shift = shift
        self._bound_s = transaction_bound_s(lease_s)
        self._full = 1
        self._now = 1

    def begin(self, full: int, kept: int | None, *, not_given_back: bool) -> None:
        """Begin with what the last holder left; `full` is what fits when all is well.

        A holder that did not give its lease back was ended or killed, perhaps by what it had taken on.
        """
        self._full = full
        self._now = min(kept or full, full)
        if not_given_back:
            self.shrink("the last holder did not give its lease back")

    @property
    def now(self) -> int:
        """How much to take, at least 1."""
        return self._now

    @property
    def kept(self) -> int | None:
        """What to keep for the next holder; None: as much as fits."""
        return None if self._now >= self._full else self._now

    def took(self, seconds: float) -> None:
        """Hear how long a batch's transaction took."""
        if seconds > self._bound_s * SLOW_SHARE:
            self.shrink(f"a batch took {seconds:.2f} s")
        elif seconds < self._bound_s * QUICK_SHARE and self._now < self._full:
            self._now = min(self._now * GROW, self._full)
            if self._now == self._full:
                log.info("batches are as large as before", extra={"shift": self._shift, "batch_max": self._now})

    def shrink(self, why: str) -> None:
        """Take half as much from now on, at least 1."""
        if self._now > 1:
            self._now = max(self._now // SHRINK, 1)
            log.warning("batches are smaller", extra={"shift": self._shift, "batch_max": self._now, "why": why})
