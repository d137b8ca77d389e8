"""The one Postgres: its cores, its write-ahead log, and the rows of stock that batches lock. Owns the flush."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import simpy

from loadtests.fleet.model.machine import Inbox, Machine, Steps

if TYPE_CHECKING:
    from simpy.events import Event

    from loadtests.fleet.costs import Costs


class Stock:
    """The rows of the products that some partitions sell; a batch has them from its beginning to its commit."""

    def __init__(self, env: simpy.Environment) -> None:
        self.rows = simpy.Resource(env)
        self.held_s = 0.0


class Postgres:
    """A primary that all drains, settle shifts and the relay share."""

    def __init__(self, env: simpy.Environment, machine: Machine, costs: Costs, stocks: int) -> None:
        """`stocks`: how many sets of products there are that no two partitions share."""
        self._env, self._costs = env, costs
        self.machine = machine
        self.stocks = [Stock(env) for _ in range(stocks)]
        self.is_up = True
        self.lives = 0
        """How often it went away: a transaction of a former life is lost."""
        self.used_s = 0.0
        self._back = env.event().succeed()
        self._commits: Inbox[tuple[Event, float]] = Inbox(env)
        env.process(self._flush())

    def work(self, seconds: float) -> Steps:
        """Use a core of it."""
        self.used_s += seconds
        return self.machine.work(seconds)

    def commit(self, bytes_written: float) -> Generator[Event, Any, None]:
        """Wait until so much of the log is on the disk; commits that come while it is busy share the next flush."""
        done = self._env.event()
        self._commits.put((done, bytes_written))
        yield done

    def there(self) -> Event:
        """Return what happens when it is back, or has happened."""
        return self._back

    def go(self) -> None:
        """Go away: no transaction that is open is committed."""
        self.is_up, self._back = False, self._env.event()
        self.lives += 1

    def come_back(self) -> None:
        """Be there again, or have a standby promoted."""
        self.is_up = True
        self._back.succeed()

    def _flush(self) -> Steps:
        while True:
            waiting = yield from self._commits.take()
            written = sum(size for _, size in waiting)
            yield self._env.timeout(self._costs.commit_s + written / self._costs.wal_bytes_per_s)
            for done, _ in waiting:
                done.succeed()
