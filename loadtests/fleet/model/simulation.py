"""Puts a fleet together, lets it run, returns what came of it. Owns the virtual clock; the same seed, the same run."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
import simpy

from loadtests.fleet.costs import Costs
from loadtests.fleet.model.books import Books, Sample, percentile
from loadtests.fleet.model.intake import Intake, Parts
from loadtests.fleet.model.layout import Fault, Layout, Load
from loadtests.fleet.model.machine import Machine, Steps
from loadtests.fleet.model.order_store import OrderStore
from loadtests.fleet.model.postgres import Postgres
from loadtests.fleet.model.shifts import Crew, Drain, Relay, Settle, Shift, Standstill
from loadtests.fleet.model.shoppers import Clients, Crowd, Shoppers

SAMPLE_S = 0.1
WARM = 1 / 3
AFTER_MAX_S = 120.0
"""How long after the load it may go on, until everything is told."""
CALM_S = 1.0
"""A fleet in which no order waits longer for its drain has recovered."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run."""

    accepted: int
    drained: int
    confirmed: int
    told: int
    sent_again: int
    accepted_per_s: float
    """While there was load, but for its first third, in which shifts begin."""
    drained_per_s: float
    """The same."""
    confirmed_per_s: float
    """From the first acceptance to the last confirmation."""
    p99_ms: float
    """From the post to its answer."""
    p99_to_final_ms: float
    lag_s: float
    """The longest that the oldest accepted order had waited for its drain."""
    waiting: int
    """The most that waited."""
    orders_a_call: float
    orders_a_batch: float
    us: dict[str, float]
    """Microseconds of processor an order, by part."""
    cores: float
    """Busy under load, of one machine that has everything; 0 where the parts have their own."""
    busy: dict[str, float]
    """Of the time under load: the busiest process of a part, for Postgres the mean of its cores, the locks of stock."""
    recovered_s: float | None = None
    """From the last fault until nothing waits longer than `CALM_S`; None: there was none, or it did not end."""
    samples: list[Sample] = []


class Simulation:
    """One run."""

    def __init__(
        self, costs: Costs, layout: Layout, load: Load, *, faults: list[Fault] | None = None, seed: int = 1
    ) -> None:
        costs = costs.in_company() if layout.together else costs
        self.costs, self.layout, self.load = costs, layout, load
        self.faults = faults or []
        self.random = Random(seed)
        env = self.env = simpy.Environment()
        self.books = Books(env, layout.partitions)
        one = self.one = Machine(env, layout.together) if layout.together else None
        if one:
            one.be_used(costs.rest_cores)
        self.nodes = [
            OrderStore(env, one or Machine(env, 1, processes=1), costs, self.books, layout) for _ in range(layout.nodes)
        ]
        self.shoppers = self._shoppers(one)
        store_of = [self.nodes[partition % layout.nodes] for partition in range(layout.partitions)]
        self.intakes = [
            Intake(
                Parts(env, one or Machine(env, 1, processes=1), costs, self.books, self.random),
                layout, store_of, self.shoppers.answered,
            )
            for _ in range(layout.intakes)
        ]  # fmt: skip
        self.postgres = Postgres(
            env, one or Machine(env, layout.postgres_cores), costs, 1 if layout.shared_stock else layout.partitions
        )
        self.shifts = self._hire(one, store_of)

    def _shoppers(self, one: Machine | None) -> Shoppers:
        generator = (one, self.costs) if one else None
        if self.load.clients:
            return Clients(self.env, self.books, self.load, self.random, generator)
        return Crowd(self.env, self.books, self.load, self.random, generator)

    def _hire(self, one: Machine | None, store_of: list[OrderStore]) -> list[Shift]:
        layout, env = self.layout, self.env
        self.slots = simpy.PriorityResource(env, capacity=layout.workers)
        machine = one or Machine(env, layout.worker_cores, processes=layout.workers)
        self.crew = Crew(
            env, self.slots, machine, self.postgres, self.costs, self.books, layout, self.random, {}, Standstill(env)
        )
        relay = Relay(self.crew)
        drains = [Drain(self.crew, partition, store, relay) for partition, store in enumerate(store_of)]
        settles: list[Shift] = []
        if layout.provider_s:
            for drain in drains:
                drain.settle = Settle(self.crew)
                settles.append(drain.settle)
        return [*drains, *settles, relay]

    def run(self, watch: Callable[[Sample], None] | None = None) -> Outcome:
        """Run until the load has ended and everything is told, and return what came of it."""
        self.shoppers.begin(self.intakes)
        for fault in self.faults:
            self.env.process(self._fail(fault))
        samples: list[Sample] = []
        ends = self.load.seconds + AFTER_MAX_S
        last_fault = max((fault.at_s + fault.for_s for fault in self.faults), default=0.0)
        busy: dict[str, float] = {}
        cores = 0.0
        while self.env.now < ends:
            self.env.run(until=self.env.now + SAMPLE_S)
            samples.append(self.books.sample())
            if watch:
                watch(samples[-1])
            if self.shoppers.is_over:
                if not busy:
                    busy, cores = self._busy(), self.one.busy_s / self.env.now if self.one else 0.0
                if self.env.now > last_fault and self._is_quiet:
                    break
        return self._outcome(samples, busy, cores)

    @property
    def _is_quiet(self) -> bool:
        books = self.books
        in_room = self.shoppers.in_room if isinstance(self.shoppers, Crowd) else 0
        return not in_room and books.offered == books.accepted == books.confirmed == books.told

    def _fail(self, fault: Fault) -> Steps:
        yield self.env.timeout(fault.at_s)
        if fault.kind == "workers":
            yield from self._lose_workers(fault.for_s)
            return
        parts: dict[str, OrderStore | Intake | Postgres | Standstill] = {
            "node": self.nodes[0],
            "intake": self.intakes[0],
            "postgres": self.postgres,
            "standstill": self.crew.standstill,
        }
        gone = parts[fault.kind]
        gone.go()
        yield self.env.timeout(fault.for_s)
        gone.come_back()

    def _lose_workers(self, for_s: float) -> Steps:
        """Have half of the workers die with their shifts; new ones come after a while."""
        held = [self.slots.request(priority=-1) for _ in range(self.layout.workers // 2)]
        running = [shift for shift in self.shifts if shift.is_running]
        for shift in running[: sum(not one.triggered for one in held)]:
            shift.process.interrupt()
        yield self.env.timeout(for_s)
        for one in held:
            self.slots.release(one) if one.triggered else one.cancel()

    def _outcome(self, samples: list[Sample], busy: dict[str, float], cores: float) -> Outcome:
        books, seconds = self.books, self.load.seconds
        begun, ended = _at(samples, seconds * WARM), _at(samples, seconds)
        window_s = max(ended.at_s - begun.at_s, SAMPLE_S)
        orders = max(books.confirmed, 1)
        span = books.last_confirmed_s - books.first_accepted_s
        used = {
            "intake": sum(one.used_s for one in self.intakes),
            "order store": sum(one.used_s for one in self.nodes),
            "Postgres": self.postgres.used_s,
            **self.crew.used_s,
        }
        if self.one:
            used["generator"] = self.shoppers.used_s
        return Outcome(
            accepted=books.accepted,
            drained=books.drained,
            confirmed=books.confirmed,
            told=books.told,
            sent_again=books.sent_again,
            accepted_per_s=(ended.accepted - begun.accepted) / window_s,
            drained_per_s=(ended.drained - begun.drained) / window_s,
            confirmed_per_s=books.confirmed / span if span > 0 else 0.0,
            p99_ms=percentile(books.latencies, 0.99) * 1000,
            p99_to_final_ms=percentile(books.to_final, 0.99) * 1000,
            lag_s=max(one.lag_s for one in samples),
            waiting=max(one.waiting for one in samples),
            orders_a_call=books.accepted / max(books.calls, 1),
            orders_a_batch=books.drained / max(books.batches, 1),
            us={part: seconds * 1e6 / orders for part, seconds in used.items()},
            cores=cores,
            busy=busy,
            recovered_s=_recovered(samples, self.faults[-1].at_s) if self.faults else None,
            samples=samples,
        )

    def _busy(self) -> dict[str, float]:
        seconds, drains = self.env.now, [shift for shift in self.shifts if isinstance(shift, Drain)]
        return {
            "intake": max(one.used_s for one in self.intakes) / seconds,
            "order store": max(one.used_s for one in self.nodes) / seconds,
            "drain": max(one.used_s for one in drains) / seconds,
            "relay": self.crew.used_s.get("relay", 0.0) / seconds,
            "Postgres": self.postgres.used_s / self.postgres.machine.cores / seconds,
            "stock": max(one.held_s for one in self.postgres.stocks) / seconds,
        }


def simulate(costs: Costs, layout: Layout, load: Load, *, faults: list[Fault] | None = None, seed: int = 1) -> Outcome:
    """Run a fleet under a load and return what came of it."""
    return Simulation(costs, layout, load, faults=faults, seed=seed).run()


def _at(samples: list[Sample], at_s: float) -> Sample:
    """Return the sample of a moment, or the last one."""
    return next((one for one in samples if one.at_s > at_s - SAMPLE_S / 2), samples[-1])


def _recovered(samples: list[Sample], fault_s: float) -> float | None:
    """Return seconds from a fault until no order waits longer than is calm, for good; None: it did not end."""
    late = [one.at_s for one in samples if one.lag_s > CALM_S and one.at_s > fault_s]
    if not late:
        return 0.0
    after = [one.at_s for one in samples if one.at_s > late[-1]]
    return after[0] - fault_s if after else None
