"""Cores that processes take turns on, and boxes in which one process finds what others leave. Owns the turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Any, Generic, TypeVar

import simpy
from simpy.events import Event

Steps = Generator[Event, Any, None]
"""A process of the simulation."""
QUANTUM_S = 0.001
"""After it a process lets another have the core."""
_IDLE_TURN_S = 0.01
_NOTHING_S = 1e-12

T = TypeVar("T")


class Machine:
    """Some cores. A process has one at a time; who waits is served in turn, a quantum each."""

    def __init__(self, env: simpy.Environment, cores: int, *, processes: int | None = None) -> None:
        """Take how many processes of one thread it is for, if no more than that ever want a core at once."""
        self._env = env
        self.cores = cores
        self.busy_s = 0.0
        self._turns = None if processes is not None and processes <= cores else simpy.Resource(env, capacity=cores)

    def work(self, seconds: float) -> Steps:
        """Use a core for so long."""
        if self._turns is None:
            if seconds > 0:
                yield self._env.timeout(seconds)
                self.busy_s += seconds
            return
        while seconds > _NOTHING_S:
            turn_s = min(seconds, QUANTUM_S)
            with self._turns.request() as turn:
                yield turn
                yield self._env.timeout(turn_s)
            self.busy_s += turn_s
            seconds -= turn_s

    def be_used(self, share: float) -> None:
        """Have others use so many cores' worth of it, all the time."""
        while share > 0:
            self._env.process(self._others(min(share, 1.0)))
            share -= 1.0

    def _others(self, share: float) -> Steps:
        while True:
            began = self._env.now
            yield from self.work(share * _IDLE_TURN_S)
            yield self._env.timeout(max(began + _IDLE_TURN_S - self._env.now, 0.0))


class Inbox(Generic[T]):
    """What others left for a process, in order."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._items: deque[T] = deque()
        self._wake: Event | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Leave something; whoever waits for it is woken."""
        self._items.append(item)
        if self._wake is not None:
            wake, self._wake = self._wake, None
            wake.succeed()

    def take(self) -> Generator[Event, Any, list[T]]:
        """Return all that is there, waiting for the first."""
        while not self._items:
            self._wake = self._env.event()
            yield self._wake
        items, self._items = list(self._items), deque()
        return items

    def clear(self) -> list[T]:
        """Return what is there, nothing perhaps, without waiting."""
        items, self._items = list(self._items), deque()
        return items
