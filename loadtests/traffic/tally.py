"""Counts what came of each order of a run. Owns the reading of answers; never sends."""

from __future__ import annotations

from array import array
from collections import Counter
from uuid import UUID

import msgspec

from loadtests.traffic.connection import Reply
from loadtests.traffic.plan import Result
from loadtests.traffic.samples import Samples


class _Accepted(msgspec.Struct):
    order_id: UUID


class _Problem(msgspec.Struct):
    code: str = "unnamed"


_read_accepted = msgspec.json.Decoder(_Accepted).decode
_read_problem = msgspec.json.Decoder(_Problem).decode


class Tally:
    """The counts of one run."""

    def __init__(self, *, keep_ids: bool) -> None:
        self.offered = 0
        self.retries = 0
        self.finished = 0
        self.late_s = 0.0
        self._offered_late = Samples()
        self._offered_at: array[float] = array("d")
        self._keep_ids = keep_ids
        self._outcomes: Counter[str] = Counter()
        self._answers: Counter[int] = Counter()
        self._accepted = Samples()
        self._accepted_at: array[float] = array("d")
        self._answered = Samples()
        self._ids = bytearray()
        self._last = 0.0

    def offer(self, at_s: float, late_s: float) -> None:
        """Note that an order was meant to come so long after the run's start, and came so much later."""
        self._offered_at.append(at_s)
        self._offered_late.add(late_s)

    def answer(self, reply: Reply) -> None:
        """Count an answer, final or not."""
        self._answers[reply.status] += 1

    def final(self, reply: Reply, waited_s: float, at_s: float) -> None:
        """Count an order's final answer, `waited_s` after its intended arrival, `at_s` after the run's start."""
        self.finished += 1
        self._last = at_s
        if 200 <= reply.status < 300:
            self._outcomes["accepted"] += 1
            self._accepted.add(waited_s)
            self._accepted_at.append(at_s)
            if self._keep_ids:
                self._ids += _read_accepted(reply.body).order_id.bytes
        else:
            self._outcomes[_code(reply)] += 1
            self._answered.add(waited_s)

    def ended(self, code: str, waited_s: float, at_s: float) -> None:
        """Count an order that was never sent, by why."""
        self.finished += 1
        self._last = at_s
        self._outcomes[code] += 1
        self._answered.add(waited_s)

    def unfinished(self, orders: int) -> None:
        """Count orders that the run's bound cut off."""
        if orders:
            self._outcomes["unanswered"] += orders

    def result(self) -> Result:
        """Return the run's result."""
        return Result(
            outcomes=dict(self._outcomes),
            answers={str(status) if status else "lost": count for status, count in sorted(self._answers.items())},
            offered=self.offered,
            seconds=self._last,
            late_s=self.late_s,
            offered_late=self._offered_late.to_bytes(),
            offered_at=self._offered_at.tobytes(),
            accepted=self._accepted.to_bytes(),
            accepted_at=self._accepted_at.tobytes(),
            answered=self._answered.to_bytes(),
            order_ids=bytes(self._ids),
            retries=self.retries,
        )


def _code(reply: Reply) -> str:
    if reply.status == 0:
        return "unanswered"
    try:
        return _read_problem(reply.body).code
    except msgspec.DecodeError:
        return f"http_{reply.status}"
