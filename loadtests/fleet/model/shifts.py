"""The shifts: a drain and a settle shift a partition, one relay; each on a worker while there is one. Owns their pace.

The pace is that of workers/runtime/shift.py: a busy step begins 50 ms after the one before, unless it was full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import simpy

from loadtests.fleet.model.order_store import Chore

if TYPE_CHECKING:
    from random import Random

    from simpy.events import Process

    from loadtests.fleet.costs import Costs
    from loadtests.fleet.model.books import Books, Bunch, Waiting
    from loadtests.fleet.model.layout import Layout
    from loadtests.fleet.model.machine import Machine, Steps
    from loadtests.fleet.model.order_store import OrderStore
    from loadtests.fleet.model.postgres import Postgres

PACE_S, BUSY = 0.05, 50
SLICE_S = 2.0
"""A shift gives way to others that wait once it has run this long."""
LOOK_S = 0.2
"""How often an idle shift looks whether others wait for its worker."""
START_S = 0.1
"""Until a shift that has a worker works: the job is fetched, a process forked, the lease taken."""
SCHEDULER_S = 0.5
"""How often it is looked for work without a shift."""
BACKOFF_S = 1.0
RELAY_BATCH = 1_000
"""Orders; each has two events."""


class Standstill:
    """Whether shifts may take a step; those under way go on to their end."""

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._over = env.event().succeed()

    def there(self) -> simpy.events.Event:
        """Return what happens when they may again, or has happened."""
        return self._over

    def go(self) -> None:
        """Have them stand still."""
        self._over = self._env.event()

    def come_back(self) -> None:
        """Have them go on."""
        self._over.succeed()


class Crew(NamedTuple):
    """The workers and what their shifts work with."""

    env: simpy.Environment
    slots: simpy.PriorityResource
    machine: Machine
    postgres: Postgres
    costs: Costs
    books: Books
    layout: Layout
    random: Random
    used_s: dict[str, float]
    """Processor time of shifts by kind."""
    standstill: Standstill


class Shift:
    """One shift and its successors. A subclass says what there is to do, and does a step of it."""

    kind = "shift"
    paced = True

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.process: Process = crew.env.process(self._live())
        self.is_running = False
        self.used_s = 0.0

    @property
    def todo(self) -> int:
        """How much there is to do now."""
        raise NotImplementedError

    @property
    def full(self) -> int:
        """What fits into a step."""
        return self.crew.layout.drain_batch_max

    def step(self, orders: int) -> Steps:
        """Do so much."""
        raise NotImplementedError

    def ready(self) -> simpy.events.Event:
        """Return what must have happened before a step can begin."""
        return self.crew.postgres.there()

    def arrival(self) -> simpy.events.Event:
        """Return what happens when there is something to do."""
        return self.crew.env.timeout(LOOK_S)

    def _live(self) -> Steps:
        env = self.crew.env
        while True:
            try:
                if not self.todo:
                    yield self.arrival()
                    continue
                with self.crew.slots.request(priority=0) as slot:
                    yield slot
                    self.is_running = True
                    yield env.timeout(START_S)
                    yield from self._run()
            except simpy.Interrupt:  # its worker died: the lease runs out, and somebody looks
                self.is_running = False
                yield env.timeout(self.crew.layout.lease_s + SCHEDULER_S)
            self.is_running = False

    def _run(self) -> Steps:
        """Work until others wait for the worker and there is a reason to let them."""
        crew, env = self.crew, self.crew.env
        began = env.now
        while True:
            others = bool(crew.slots.queue)
            if others and (not self.todo or env.now - began > SLICE_S):
                return
            if not self.todo:
                yield self.arrival() | env.timeout(LOOK_S)
                continue
            if not (may := crew.standstill.there()).triggered:
                yield may
                continue
            ready = self.ready()
            if not ready.triggered:
                yield ready
                yield env.timeout(crew.random.random() * BACKOFF_S)
                continue
            stepped, orders = env.now, min(self.todo, self.full)
            yield from self.step(orders)
            if self.paced and orders < self.full:
                pause_s = stepped + PACE_S * min(orders / BUSY, 1.0) - env.now
                yield env.timeout(max(pause_s, 0.0))

    def use(self, microseconds: float) -> Steps:
        """Use the worker's core."""
        used = self.crew.used_s
        used[self.kind] = used.get(self.kind, 0.0) + microseconds / 1e6
        self.used_s += microseconds / 1e6
        return self.crew.machine.work(microseconds / 1e6)


class Drain(Shift):
    """Brings a partition's orders into Postgres, batch by batch."""

    kind = "drain"

    def __init__(self, crew: Crew, partition: int, store: OrderStore, relay: Relay) -> None:
        self.partition, self._store, self._relay = partition, store, relay
        self._waiting: Waiting = crew.books.waiting[partition]
        self.settle: Settle | None = None
        postgres = crew.postgres
        self._stock = postgres.stocks[partition % len(postgres.stocks)]
        super().__init__(crew)

    @property
    def todo(self) -> int:
        """Orders that wait."""
        return self._waiting.orders

    def arrival(self) -> simpy.events.Event:
        """Return what happens with the next order."""
        return self._waiting.arrival()

    def ready(self) -> simpy.events.Event:
        """Both the order store and Postgres must be there."""
        there = self._store.there()
        return self.crew.postgres.there() if there.triggered else there

    def step(self, orders: int) -> Steps:
        """One transaction: lock, decide and copy, commit; then tell the order store."""
        crew, costs, postgres = self.crew, self.crew.costs, self.crew.postgres
        life = postgres.lives
        own_us = costs.drain_batch_us + orders * costs.drain_order_us
        with self._stock.rows.request() as lock:
            yield lock
            locked = crew.env.now
            yield from self.use(own_us * (1 - costs.drain_overlap))
            beside = crew.env.process(self.use(own_us * costs.drain_overlap))
            session = postgres.work((costs.drain_pg_batch_us + orders * costs.drain_pg_order_us) / 1e6)
            yield beside & crew.env.process(session)
            yield from postgres.commit(orders * costs.wal_bytes_order)
            self._stock.held_s += crew.env.now - locked
        if life != postgres.lives or not postgres.is_up:
            return  # rolled back: they wait as before
        self._committed(crew.books.drain(self.partition, orders), orders)

    def _committed(self, bunches: list[Bunch], orders: int) -> None:
        crew, costs = self.crew, self.crew.costs
        crew.env.process(crew.postgres.work(orders * costs.pg_rest_order_us / 1e6))
        self._store.put(Chore((costs.store_after_batch_us + orders * costs.store_after_order_us) / 1e6))
        self._relay.untold += orders
        if self.settle is None:
            crew.books.confirm(bunches)
        else:
            self.settle.hear(bunches)


class Settle(Shift):
    """Asks a provider for the payments of a partition, so many in flight."""

    kind = "settle"
    paced = False

    def __init__(self, crew: Crew) -> None:
        self._due: list[Bunch] = []
        self._in_flight = 0
        self._news = crew.env.event()
        super().__init__(crew)

    @property
    def todo(self) -> int:
        """Payments that are due and may be asked for now."""
        most = self.crew.layout.settle_concurrency - self._in_flight
        return min(sum(orders for _, orders in self._due), most)

    def hear(self, bunches: list[Bunch]) -> None:
        """Take in orders that were drained."""
        self._due += bunches
        self._tell()

    def arrival(self) -> simpy.events.Event:
        """Return what happens when orders are drained or payments answered."""
        return self._news

    def _tell(self) -> None:
        news, self._news = self._news, self.crew.env.event()
        news.succeed()

    def step(self, orders: int) -> Steps:
        """Ask for so many; they are confirmed when the provider has answered."""
        taken: list[Bunch] = []
        self._in_flight += orders
        left = orders
        while left:
            came, count = self._due.pop(0)
            if count > left:
                self._due.insert(0, (came, count - left))
                count = left
            taken.append((came, count))
            left -= count
        yield from self.use(orders * self.crew.costs.settle_order_us)
        self.crew.env.process(self._answered(taken, orders))

    def _answered(self, bunches: list[Bunch], orders: int) -> Steps:
        crew = self.crew
        yield crew.env.timeout(crew.layout.provider_s)
        while True:
            yield crew.postgres.there()
            life = crew.postgres.lives
            yield from crew.postgres.work(orders * crew.costs.settle_pg_order_us / 1e6)
            yield from crew.postgres.commit(orders * crew.costs.wal_bytes_order / 4)
            if life == crew.postgres.lives:
                break
        self._in_flight -= orders
        crew.books.confirm(bunches)
        self._tell()


class Relay(Shift):
    """Tells the events of all orders; there is one, whatever the partitions."""

    kind = "relay"

    def __init__(self, crew: Crew) -> None:
        self.untold = 0
        super().__init__(crew)

    @property
    def todo(self) -> int:
        """Orders whose events are not told."""
        return self.untold

    @property
    def full(self) -> int:
        """What it reads at a time."""
        return RELAY_BATCH

    def step(self, orders: int) -> Steps:
        """Read, tell, move the cursor."""
        costs, postgres = self.crew.costs, self.crew.postgres
        life = postgres.lives
        yield from postgres.work((costs.relay_pg_batch_us + orders * costs.relay_pg_order_us) / 1e6)
        yield from self.use(costs.relay_batch_us + orders * costs.relay_order_us)
        yield from postgres.commit(0.0)
        if life == postgres.lives and postgres.is_up:
            self.untold -= orders
            self.crew.books.told += orders
