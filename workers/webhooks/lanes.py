"""An endpoint's own queue, and how it has fared: what keeps one that is slow or fails from delaying any other.

Owns how many deliveries of it may be in flight, when the next may begin, and when it is paused or disabled. Knows
neither the database nor HTTP.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from db.webhooks.deliveries import LaneRoom, Result
from db.webhooks.endpoints import Attempts
from doorbuster.contract.webhooks import TEST
from workers.webhooks.back_off import PROBE_AFTER, delivery_s, endpoint_s, retry_after_s
from workers.webhooks.sending import GONE

if TYPE_CHECKING:
    from db.webhooks.deliveries import Due
    from db.webhooks.endpoints import Receiver, State
    from doorbuster.settings import Settings
    from workers.webhooks.sending import Answer

AHEAD = 4
"""Deliveries read ahead for each that may be in flight."""


@dataclass(slots=True)
class Lane:
    """One endpoint's deliveries."""

    receiver: Receiver
    settings: Settings
    queued: deque[Due] = field(default_factory=deque)
    taken: int = 0
    """Read and not written yet: queued, in flight, answered."""
    in_flight: int = 0
    failures: int = 0
    not_before: float = 0.0
    """On the monotonic clock."""
    state: State = "active"
    reason: str | None = None
    has_news: bool = False
    """Whether what was seen is still to be written."""

    def renew(self, receiver: Receiver) -> None:
        """Take what the database says of the endpoint, unless there is something newer to be written."""
        self.receiver = receiver
        if not self.has_news:
            self.failures = receiver.failures
            self.not_before = min(self.not_before, time.monotonic()) if receiver.ready else float("inf")
            self.state, self.reason = "active", None

    @property
    def is_open(self) -> bool:
        """Whether more than tests may be sent now."""
        return self.state == "active" and time.monotonic() >= self.not_before

    @property
    def width(self) -> int:
        """How many deliveries may be in flight."""
        return 1 if self.failures >= PROBE_AFTER else self.settings.webhook_concurrency

    def room(self) -> LaneRoom | None:
        """Return how many deliveries are wanted; None: none."""
        most = self.width * AHEAD - len(self.queued)
        if self.is_open and len(self.queued) > self.width:
            return None
        return LaneRoom(self.receiver.webhook_id, self.taken + max(most, 1), not self.is_open)

    def next(self) -> Due | None:
        """Return a delivery that may be sent now."""
        if not self.queued or self.in_flight >= self.width:
            return None
        if not self.is_open and self.queued[0].type != TEST:
            return None
        self.in_flight += 1
        return self.queued.popleft()

    def drop_queued(self) -> list[Due]:
        """Give back what was read and not sent."""
        dropped = list(self.queued)
        self.queued.clear()
        self.taken -= len(dropped)
        return dropped

    def answered(self, delivery: Due, answer: Answer, body: str) -> Result:
        """Return what comes of an attempt, and remember how the endpoint fares."""
        self.in_flight -= 1
        if delivery.type == TEST:
            state: Literal["delivered", "discarded"] = "delivered" if answer.error is None else "discarded"
            return Result(delivery.delivery_id, state, answer.status_code, answer.error, None, None)
        if answer.error is None:
            self.has_news = self.has_news or self.failures > 0
            self.failures, self.not_before = 0, 0.0
            return Result(delivery.delivery_id, "delivered", answer.status_code, None, None, None)
        return self._failed(delivery, answer, body)

    def _failed(self, delivery: Due, answer: Answer, body: str) -> Result:
        self.failures += 1
        self.has_news = True
        first_s = self.settings.webhook_retry_s
        asked_s = retry_after_s(answer.retry_after, datetime.now(UTC))
        again_s = max(delivery_s(delivery.attempts + 1, first_s), asked_s or 0.0)
        closed_s = max(endpoint_s(self.failures, first_s) or 0.0, asked_s or 0.0)
        if closed_s:
            self.not_before = time.monotonic() + closed_s
        if answer.status_code == GONE:
            self.state, self.reason = "disabled", answer.error
        elif self.failures >= self.settings.webhook_pause_after and self.state == "active":
            self.state, self.reason = "paused", f"{self.failures} attempts in a row failed; the last: {answer.error}"
        is_over = delivery.tried_for_s + again_s > self.settings.webhook_retry_for_s
        outcome: Literal["dead", "due"] = "dead" if is_over and answer.status_code != GONE else "due"
        return Result(delivery.delivery_id, outcome, answer.status_code, answer.error, again_s, body)

    def attempts(self) -> Attempts:
        """Return what was seen of the endpoint, to be written."""
        wait_s = self.not_before - time.monotonic()
        return Attempts(
            failures=self.failures, again_s=wait_s if wait_s > 0 else None, state=self.state, reason=self.reason
        )
