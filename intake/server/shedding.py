"""What is refused first when there is too much to do: the order of promise P9, and by what it is judged.

Owns the classes of requests and the decision; knows nothing of ASGI and answers nobody. Two measures: how many requests
are in work, for every class; and how late the process's event loop runs, for what can be done without. Lateness counts
only where many requests come, and if it stands, as CoDel judges a queue (Nichols and Jacobson 2012): the median of half
a second, so that one stall of a busy machine refuses nobody.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE_S = 0.02
"""How often the loop is asked how late it is."""
WINDOW_S = 0.5
BUSY_PER_S = 50
"""Requests a second from which on a process is held to be late for what it does; below, refusing would help nobody."""
PRODUCT_LATE_S = 2.0
"""How long searches and category pages stay refused once a product's page had to wait too long for the database."""
KEEP_S = 1.0
"""How long a class stays refused once lateness stood: as long as who was refused is told to wait, at least."""


class RequestClass(IntEnum):
    """What a request is for; the lower, the sooner it is refused."""

    SEARCH = 0
    LISTING = 1
    """Category pages."""
    PRODUCT = 2
    ROOM = 3
    ORDER = 4
    """Orders, and all that belongs to none of the others."""


SHARES = {
    RequestClass.SEARCH: 0.25,
    RequestClass.LISTING: 0.4,
    RequestClass.PRODUCT: 0.6,
    RequestClass.ROOM: 0.8,
    RequestClass.ORDER: 1.0,
}
"""Of `IN_FLIGHT_MAX`: with so many requests in work a class is refused."""
LATE_TIMES = {RequestClass.SEARCH: 1.0, RequestClass.LISTING: 2.0}
"""Of `SHED_LAG_MS`: with so much lateness a class is refused. A product page costs hardly more than its refusal, and
the room and orders are what the process is for: of those lateness refuses none."""
WHY = {
    RequestClass.SEARCH: "Searches are refused while there is too much to do; product pages and orders are not",
    RequestClass.LISTING: "Category pages are refused while there is too much to do; product pages and orders are not",
}
TOO_MANY = "Too many requests are in work; try again soon"


def class_of(path: str) -> RequestClass:
    """Return what a request is for."""
    if path.startswith("/products"):
        return RequestClass.PRODUCT if path.startswith("/products/") else RequestClass.LISTING
    if path.startswith("/search"):
        return RequestClass.SEARCH
    if path.startswith("/sales/"):
        verb = path[len("/sales/") :].partition("/")[2]
        return RequestClass.ROOM if verb == "wait" or verb.partition("/")[0] == "room" else RequestClass.ORDER
    return RequestClass.ORDER


class Lateness:
    """How late the event loop runs: the median of the last window's samples, the lower of two."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, float]] = deque()
        self.standing_s = 0.0

    def take(self, late_s: float) -> None:
        """Take a sample."""
        now = self._clock()
        self._samples.append((now, late_s))
        while self._samples[0][0] < now - WINDOW_S and len(self._samples) > 1:
            self._samples.popleft()
        self.standing_s = sorted(late for _, late in self._samples)[(len(self._samples) - 1) // 2]


class Shedding:
    """Decides by class whether a request is taken."""

    def __init__(self, *, in_flight_max: int, lag_ms: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the most requests in work, and how late the loop may run before searches are refused; 0: no matter."""
        self.lateness = Lateness(clock)
        self.refused: Counter[RequestClass] = Counter()
        """By class, since they were told last."""
        self._clock = clock
        self._most = {one: math.ceil(in_flight_max * share) for one, share in SHARES.items()}
        self._least = min(self._most.values())
        self._late_s = {one: times * lag_ms / 1000 for one, times in LATE_TIMES.items()} if lag_ms else {}
        self._until = dict.fromkeys(self._late_s, 0.0)
        self.seen = 0
        """Requests that came, whatever became of them; counted by who asks."""
        self._seen_at: deque[tuple[float, int]] = deque()
        self._late_until = 0.0

    def is_pressed(self, in_flight: int) -> bool:
        """Say whether any class is refused now: while none is, nobody needs to know a request's."""
        return in_flight >= self._least or self._late_until > 0.0

    def takes(self, wanted: RequestClass, in_flight: int) -> bool:
        """Say whether a request of a class is taken with so many in work."""
        return in_flight < self._most[wanted] and self._clock() >= self._until.get(wanted, 0.0)

    def note_refused(self, refused: RequestClass) -> str:
        """Count a refusal; return its words."""
        self.refused[refused] += 1
        return WHY.get(refused, TOO_MANY)

    def pop_refused(self) -> list[tuple[str, int]]:
        """Return how many were refused by class since the last time."""
        told, self.refused = self.refused, Counter()
        return [(one.name.lower(), times) for one, times in told.items()]

    def note_late_product(self) -> None:
        """Refuse searches and category pages for a while: a product's page waits for the database that they read."""
        until = self._clock() + PRODUCT_LATE_S
        for one in RequestClass:
            if one < RequestClass.PRODUCT:
                self._until[one] = max(self._until.get(one, 0.0), until)
        self._late_until = max(self._late_until, until)

    def judge(self, late_s: float) -> None:
        """Take how late the loop was just now, and decide which classes are refused for a while."""
        self.lateness.take(late_s)
        now = self._clock()
        is_busy = self._is_busy(now)
        for one, bound_s in self._late_s.items():
            if is_busy and self.lateness.standing_s >= bound_s:
                self._until[one] = max(self._until[one], now + KEEP_S)
                self._late_until = max(self._late_until, now + KEEP_S)
        if now >= self._late_until:
            self._late_until = 0.0

    def _is_busy(self, now: float) -> bool:
        """Say whether requests come so fast that they can be what makes the loop late."""
        self._seen_at.append((now, self.seen))
        while len(self._seen_at) > 2 and self._seen_at[1][0] <= now - WINDOW_S:
            self._seen_at.popleft()
        since, before = self._seen_at[0]
        return self.seen - before >= BUSY_PER_S * max(now - since, WINDOW_S)

    async def keep_judging(self) -> None:
        """Ask the loop again and again how late it is, until cancelled."""
        while True:
            due = time.monotonic() + SAMPLE_S
            await asyncio.sleep(SAMPLE_S)
            self.judge(time.monotonic() - due)
