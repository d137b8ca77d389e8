"""What became of the orders: offered, accepted, drained, confirmed, told. Owns the counts, and who waits how long.

Between any two steps `accepted = drained + what waits`; whoever asks for more than waits gets an error.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec
import simpy

if TYPE_CHECKING:
    from simpy.events import Event

Bunch = tuple[float, int]
"""Orders that came at one moment: when, how many."""


class Sample(msgspec.Struct, frozen=True):
    """A moment of a run."""

    at_s: float
    accepted: int
    drained: int
    confirmed: int
    told: int
    waiting: int
    """Accepted and not drained."""
    lag_s: float
    """Since when the oldest of them waits."""


class Waiting:
    """The orders of a partition that are accepted and not drained."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self.orders = 0
        self._bunches: deque[Bunch] = deque()
        self._wake: Event | None = None

    @property
    def oldest_s(self) -> float:
        """How long the oldest has waited."""
        return self._env.now - self._bunches[0][0] if self._bunches else 0.0

    def add(self, orders: int) -> None:
        """Take in orders that were accepted now."""
        self._bunches.append((self._env.now, orders))
        self.orders += orders
        if self._wake is not None:
            wake, self._wake = self._wake, None
            wake.succeed()

    def arrival(self) -> Event:
        """Return what happens with the next order, or has happened if one waits."""
        if self.orders:
            return self._env.event().succeed()
        if self._wake is None:
            self._wake = self._env.event()
        return self._wake

    def remove(self, orders: int) -> list[Bunch]:
        """Return the oldest so many, which are drained.

        Raises:
            ValueError: there are not so many.
        """
        if orders > self.orders:
            raise ValueError(f"{orders} orders are to be drained, {self.orders} wait")
        self.orders -= orders
        gone: list[Bunch] = []
        while orders:
            came, count = self._bunches.popleft()
            taken = min(count, orders)
            if taken < count:
                self._bunches.appendleft((came, count - taken))
            gone.append((came, taken))
            orders -= taken
        return gone


class Books:
    """The counts of a run."""

    def __init__(self, env: simpy.Environment, partitions: int) -> None:
        self._env = env
        self.waiting = [Waiting(env) for _ in range(partitions)]
        self.offered = self.accepted = self.drained = self.confirmed = self.told = self.sent_again = 0
        self.first_accepted_s = self.last_confirmed_s = 0.0
        self.latencies: list[tuple[float, int]] = []
        """From the post to the answer: seconds, orders."""
        self.to_final: list[tuple[float, int]] = []
        """From the acceptance to the final outcome."""
        self.calls = self.batches = 0

    def accept(self, partition: int, orders: int) -> None:
        """Note orders that are in the stream now."""
        self.first_accepted_s = self.first_accepted_s or self._env.now
        self.accepted += orders
        self.calls += 1
        self.waiting[partition].add(orders)

    def drain(self, partition: int, orders: int) -> list[Bunch]:
        """Note orders that are in Postgres now; return them."""
        self.drained += orders
        self.batches += 1
        return self.waiting[partition].remove(orders)

    def confirm(self, bunches: list[Bunch]) -> None:
        """Note orders that are confirmed now."""
        now = self._env.now
        self.last_confirmed_s = now
        for came, orders in bunches:
            self.confirmed += orders
            self.to_final.append((now - came, orders))

    def sample(self) -> Sample:
        """Return how it stands."""
        return Sample(
            self._env.now,
            self.accepted,
            self.drained,
            self.confirmed,
            self.told,
            sum(one.orders for one in self.waiting),
            max(one.oldest_s for one in self.waiting),
        )


def percentile(found: list[tuple[float, int]], share: float) -> float:
    """Return the value that so large a share of weighted values does not exceed; 0 of none."""
    left = share * sum(weight for _, weight in found)
    for value, weight in sorted(found):
        left -= weight
        if left <= 0:
            return value
    return 0.0
