"""How much a shift takes at a time: less after a batch that was slow or was ended, down to one; more when it is quick.

Owns the size and its law: halved when slow, doubled when quick, a sixteenth after a failure. The relation that makes
progress certain stands here as well. A batch's transaction is ended by Postgres after half of its lease, so that taking
over ends none that would have been finished, and a batch of a sixteenth fits in the other half: when the database
becomes a hundred times slower at once, the batch under way is lost, and in every lease from then on something is done.
"""

from __future__ import annotations

import logging

TRANSACTION_SHARE = 0.5
"""Of a lease: how long the transaction of a batch may take, by Postgres's own clock."""
SLOW_SHARE = 0.5
"""Of that: a batch that took longer is followed by a smaller one, before any is ended."""
QUICK_SHARE = 0.125
"""Of that: after a batch that took less the next may be larger."""
SLOWER, FAILED, QUICKER = 2, 16, 2
"""What the size is divided by after a slow batch and after one that failed, and multiplied by after a quick one."""

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
            self._shrink(FAILED, "the last holder did not give its lease back")

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
            self._shrink(SLOWER, f"a batch took {seconds:.2f} s")
        elif seconds < self._bound_s * QUICK_SHARE and self._now < self._full:
            self._now = min(self._now * QUICKER, self._full)
            if self._now == self._full:
                log.info("batches are as large as before", extra={"shift": self._shift, "batch_max": self._now})

    def failed(self, why: str) -> None:
        """Hear that a batch was not written."""
        self._shrink(FAILED, why)

    def _shrink(self, by: int, why: str) -> None:
        if self._now > 1:
            self._now = max(self._now // by, 1)
            log.warning("batches are smaller", extra={"shift": self._shift, "batch_max": self._now, "why": why})
