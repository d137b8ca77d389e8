"""The timetable of a Locust run: fixed times of arrival that shoppers take one after another. Sends nothing itself.

Locust shapes users, and users who wait for a slow server arrive later; here the times stand before the run begins, and
who is late is counted late.
"""

from __future__ import annotations

from collections import Counter
from math import ceil
from time import perf_counter, time

from loadtests.generate.shapes import Shape


class Timetable:
    """Arrivals to take, and what came of them."""

    def __init__(
        self,
        shape: Shape,
        *,
        seconds_per_order: float,
        users_max: int,
        share: tuple[int, int] = (0, 1),
        begins: float | None = None,
    ) -> None:
        """Take every n-th arrival of the shape, `share` is which and n; it `begins` at a Unix time, or when asked."""
        self.shape = shape
        self._place, self._of = share
        self._times = shape.arrivals()[self._place :: self._of]
        self._next = 0
        self._start = 0.0 if begins is None else perf_counter() + begins - time()
        self._seconds_per_order = seconds_per_order
        self._users_max = users_max
        self._users = 1
        self.sent: Counter[int] = Counter()
        self.late_s = 0.0

    def elapsed(self) -> float:
        """Return the seconds since the beginning, or since the first call of this; before it, less than nothing."""
        if not self._start:
            self._start = perf_counter()
        return perf_counter() - self._start

    @property
    def offered(self) -> int:
        """How many orders the timetable holds."""
        return len(self._times)

    @property
    def taken(self) -> int:
        """How many orders shoppers took so far."""
        return self._next

    def take(self) -> tuple[int, float] | None:
        """Return the next order's number and the time it is due (of `perf_counter`); None when none is left."""
        if self._next >= len(self._times):
            return None
        self._next += 1
        taken = self._next - 1
        return taken * self._of + self._place, self._start + self._times[taken]

    def departed(self, due: float) -> None:
        """Note that an order that was due then is sent now."""
        now = perf_counter()
        self.late_s = max(self.late_s, now - due)
        self.sent[max(int(now - self._start), 0)] += 1

    def users_at(self, second: float) -> int:
        """Return how many shoppers the rate then needs; never fewer than before, so that none is stopped midway."""
        looked_at = (second, second + 1, second + 2, second + 3)
        ahead = max(self.shape.rate_at(min(max(at, 0.0), self.shape.seconds)) for at in looked_at)
        needed = min(ceil(ahead * self._seconds_per_order), self._users_max, max(len(self._times), 1))
        self._users = max(self._users, needed)
        return self._users

    def by_second(self) -> list[tuple[int, int, int]]:
        """Return (second, offered, achieved) for the whole run."""
        offered = Counter(int(time) for time in self._times)
        last = max([*offered, *self.sent], default=-1)
        return [(second, offered[second], self.sent[second]) for second in range(last + 1)]
