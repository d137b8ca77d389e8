"""Cores that processes take turns on, and boxes in which one process finds what others leave. Owns the turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Any, Generic, TypeVar, cast

import simpy
from simpy.events import Event

Steps = Generator[Event, Any, None]
"""A process of the simulation."""
QUANTUM_S = 0.001_5
"""After it a process lets another have the core."""
MOVE_S = 0.000_5
"""Until an idle core takes over who waits for another."""
_IDLE_TURN_S = 0.01
_NOTHING_S = 1e-12

T = TypeVar("T")


class Machine:
    """Some cores. Who wants one takes an idle one, else waits for one that is busy, a quantum after the other.

    Who waits stays with that core while another has been idle for less than `MOVE_S`, as on Linux, where moving a
    process is thought to cost so much (`sched_migration_cost_ns`). So cores that many share are never all busy.
    """

    def __init__(self, env: simpy.Environment, cores: int, *, processes: int | None = None) -> None:
        """Take how many processes of one thread it is for, if no more than that ever want a core at once."""
        self._env = env
        self.cores = cores
        self.busy_s = 0.0
        self._is_shared = processes is None or processes > cores
        self._is_busy = [False] * cores
        self._waiting: list[deque[Event]] = [deque() for _ in range(cores)]

    def work(self, seconds: float) -> Steps:
        """Use a core for so long."""
        if not self._is_shared:
            if seconds > 0:
                yield self._env.timeout(seconds)
                self.busy_s += seconds
            return
        while seconds > _NOTHING_S:
            turn_s = min(seconds, QUANTUM_S)
            core = yield from self._take()
            try:
                yield self._env.timeout(turn_s)
            finally:
                self._leave(core)
            self.busy_s += turn_s
            seconds -= turn_s

    def _take(self) -> Generator[Event, Any, int]:
        if False in self._is_busy:
            free = self._is_busy.index(False)
            self._is_busy[free] = True
            return free
        queue = min(self._waiting, key=len)
        turn = self._env.event()
        queue.append(turn)
        try:
            core: int = yield turn
        except simpy.Interrupt:
            if turn in queue:
                queue.remove(turn)
            elif turn.triggered:
                self._leave(cast("int", turn.value))
            raise
        return core

    def _leave(self, core: int) -> None:
        if self._waiting[core]:
            self._waiting[core].popleft().succeed(core)
            return
        self._is_busy[core] = False
        if any(self._waiting):
            looked = self._env.timeout(MOVE_S)
            looked.callbacks.append(lambda _: self._pull(core))

    def _pull(self, core: int) -> None:
        """Have an idle core take who waits longest for another."""
        longest = max(self._waiting, key=len)
        if longest and not self._is_busy[core]:
            self._is_busy[core] = True
            longest.popleft().succeed(core)

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
