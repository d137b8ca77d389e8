"""Who orders: clients that wait for their answers, or a crowd that comes at a rate, perhaps through a waiting room.

Owns sending again what was not answered. The room's rate follows the law of waitingroom/outflow.py.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from loadtests.fleet.model.intake import GRAIN
from loadtests.fleet.model.machine import Inbox

if TYPE_CHECKING:
    from random import Random

    import simpy

    from loadtests.fleet.costs import Costs
    from loadtests.fleet.model.books import Books
    from loadtests.fleet.model.intake import Intake
    from loadtests.fleet.model.layout import Load
    from loadtests.fleet.model.machine import Machine, Steps

TICK_S = 0.001
RETRY_S = 1.0
"""What `Retry-After` says."""
INCREASE, DECREASE, LEAST = 0.1, 0.7, 0.01
LAG_MAX_S, WAITING_MAX = 2.0, 20_000


Generator = tuple["Machine", "Costs"] | None
"""The process that plays them, where it has a place on the machine."""


class Shoppers:
    """All who order in a run; `answered` is theirs."""

    def __init__(
        self, env: simpy.Environment, books: Books, load: Load, random: Random, generator: Generator = None
    ) -> None:
        self._env, self._books, self._load, self._random = env, books, load, random
        self._generator = generator
        self.used_s = 0.0
        self._intakes: list[Intake] = []
        self._turn = 0
        self.is_over = False

    def begin(self, intakes: list[Intake]) -> None:
        """Begin to order."""
        self._intakes = intakes
        self._env.process(self._end())

    def answered(self, orders: int, taken: bool) -> None:
        """Hear that orders were answered."""
        if not taken:
            self._books.sent_again += orders
            event = self._env.timeout(RETRY_S)
            event.callbacks.append(lambda _: self._send(orders))

    def _end(self) -> Steps:
        yield self._env.timeout(self._load.seconds)
        self.is_over = True

    def _send(self, orders: int) -> None:
        """Send orders to an intake that is there, by turns; if none is, to one that will say so."""
        for _ in self._intakes:
            self._turn = (self._turn + 1) % len(self._intakes)
            if self._intakes[self._turn].is_up:
                break
        self._intakes[self._turn].post(orders)


class Clients(Shoppers):
    """Clients that wait for their answers; the generator that plays them is a process too, where it has a machine."""

    def __init__(
        self, env: simpy.Environment, books: Books, load: Load, random: Random, generator: Generator = None
    ) -> None:
        super().__init__(env, books, load, random, generator)
        self._free: Inbox[int] = Inbox(env)

    def begin(self, intakes: list[Intake]) -> None:
        """Begin to order."""
        super().begin(intakes)
        if self._generator:
            self._env.process(self._play(*self._generator))
            self._free.put(self._load.clients)
            return
        for place in range(self._load.clients):
            self._books.offered += 1
            intakes[place % len(intakes)].post(1)

    def answered(self, orders: int, taken: bool) -> None:
        """Order again, whoever was answered."""
        if not taken:
            super().answered(orders, taken)
        elif self._generator:
            self._free.put(orders)
        elif not self.is_over:
            self._books.offered += orders
            self._send(orders)

    def _play(self, machine: Machine, costs: Costs) -> Steps:
        while True:
            for free in (yield from self._free.take()):
                left = 0 if self.is_over else free
                while left:
                    some = min(left, GRAIN)
                    left -= some
                    self.used_s += some * costs.generator_order_us / 1e6
                    yield from machine.work(some * costs.generator_order_us / 1e6)
                    self._books.offered += some
                    self._send(some)


class Crowd(Shoppers):
    """A crowd that comes at a rate, whatever the answers; with a room they are let in at its rate."""

    def __init__(
        self, env: simpy.Environment, books: Books, load: Load, random: Random, generator: Generator = None
    ) -> None:
        super().__init__(env, books, load, random, generator)
        self.in_room = 0
        self.room_per_s = load.room_per_s
        self._due = 0.0

    def begin(self, intakes: list[Intake]) -> None:
        """Begin to come."""
        super().begin(intakes)
        self._env.process(self._come())
        if self._load.room_per_s:
            self._env.process(self._control())

    def _come(self) -> Steps:
        spread = len(self._intakes)
        while not self.is_over or self.in_room:
            yield self._env.timeout(TICK_S)
            came = 0 if self.is_over else self._poisson(self._load.rate_per_s * TICK_S)
            if self._load.room_per_s:
                came = self._let_in(came)
            self._books.offered += came
            if self._generator and came:
                machine, costs = self._generator
                self.used_s += came * costs.generator_order_us / 1e6
                self._env.process(machine.work(came * costs.generator_order_us / 1e6))
            for place in range(spread):
                share = came // spread + (place < came % spread)
                if share:
                    self._send(share)

    def _let_in(self, came: int) -> int:
        self.in_room += came
        self._due += self.room_per_s * TICK_S
        let_in = min(int(self._due), self.in_room)
        self._due = min(self._due - let_in, 1.0)
        self.in_room -= let_in
        return let_in

    def _control(self) -> Steps:
        most = self._load.room_per_s
        while True:
            yield self._env.timeout(1.0)
            sample = self._books.sample()
            fullest = max(one.orders for one in self._books.waiting)
            if sample.lag_s > LAG_MAX_S or fullest > WAITING_MAX:
                self.room_per_s = max(self.room_per_s * DECREASE, most * LEAST)
            else:
                self.room_per_s = min(self.room_per_s + most * INCREASE, most)

    def _poisson(self, mean: float) -> int:
        """Return a number of arrivals (Knuth for small means, else the normal law rounded)."""
        if mean > 50:
            return max(round(self._random.gauss(mean, math.sqrt(mean))), 0)
        bound, product, count = math.exp(-mean), self._random.random(), 0
        while product > bound:
            product *= self._random.random()
            count += 1
        return count
