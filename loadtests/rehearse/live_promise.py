"""What a sale that is on is owed while it is rehearsed beside it: its orders take no longer than before. Pure.

Owns the comparison; the figures are the intake's own (`live` of a rehearsal), so nothing is sent to the sale.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doorbuster.contract.night.rehearsal import LiveAccepting

RISE = 1.05
"""How much longer its slowest order in a hundred may take: half of what is promised, for it shows only afterwards."""
WINDOW_S = 12.0
"""So long a rate is held beside a sale, or nothing is offered, until the figure is of that alone."""


class GaveWayError(RuntimeError):
    """The sale that is on leaves no room for more, and how that showed."""


class LivePromise:
    """Follows how long orders of sales take."""

    def __init__(self) -> None:
        """Begin without knowing."""
        self.before_ms: float | None = None
        """The 99th percentile without a rehearsal; None: none was taken, or there were too few orders to tell."""
        self.now_ms: float | None = None

    def take(self, live: LiveAccepting | None, *, quiet_s: float) -> None:
        """Take a look; `quiet_s`: for how long nothing was offered."""
        self.now_ms = None if live is None else live.p99_ms
        if live is not None and self.before_ms is None and quiet_s >= WINDOW_S:
            self.before_ms = live.p99_ms_20s or live.p99_ms

    @property
    def wants_quiet(self) -> bool:
        """Whether orders come of which it is not known how long they take by themselves."""
        return self.before_ms is None and self.now_ms is not None

    @property
    def broken(self) -> str:
        """Say that they take longer than before; empty: they do not, or nobody can know."""
        if self.before_ms is None or self.now_ms is None or self.now_ms <= self.before_ms * RISE:
            return ""
        return (
            f"p99 of an acceptance rose from {self.before_ms:.1f} to {self.now_ms:.1f} ms there, "
            f"above {RISE - 1:.0%} more"
        )
