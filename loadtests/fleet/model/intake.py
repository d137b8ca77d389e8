"""An intake process: an event loop that takes orders and commits them in groups, two batches of a partition in flight.

Owns the rule by which a batch goes, that of intake/accepting/group_commit.py.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from loadtests.fleet.model.machine import Inbox, Machine, Steps
from loadtests.fleet.model.order_store import Call

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    import simpy

    from loadtests.fleet.costs import Costs
    from loadtests.fleet.model.books import Books, Bunch
    from loadtests.fleet.model.layout import Layout
    from loadtests.fleet.model.order_store import OrderStore

SECOND_MIN = 2
"""Orders that are worth a second call while one is out; and as many as half of those that are in that one."""
GRAIN = 4
"""Orders that are worked on at once: an answer goes out before all of a batch are made."""
TAKEN_SHARE = 0.6
"""Of an order's time in the intake: before it goes to the store; the rest is its answer."""


class _Post(NamedTuple):
    orders: int
    came_s: float


class _Group:
    """The orders of one partition in one process."""

    __slots__ = ("bunches", "out", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self.bunches: deque[Bunch] = deque()
        self.out: list[int] = []

    @property
    def is_worth_a_call(self) -> bool:
        if not self.waiting or len(self.out) > 1:
            return False
        return not self.out or self.waiting >= max(SECOND_MIN, self.out[0] // 2)

    def take(self, most: int) -> list[Bunch]:
        """Return the oldest of those that wait, at most so many."""
        taken: list[Bunch] = []
        while self.bunches and most:
            came, orders = self.bunches.popleft()
            if orders > most:
                self.bunches.appendleft((came, orders - most))
                orders = most
            taken.append((came, orders))
            most -= orders
        size = sum(orders for _, orders in taken)
        self.waiting -= size
        self.out.append(size)
        return taken


class _Answer(NamedTuple):
    partition: int
    group: _Group
    bunches: list[Bunch]
    taken: bool


class Parts(NamedTuple):
    """What a process of the intake is given."""

    env: simpy.Environment
    machine: Machine
    costs: Costs
    books: Books
    random: Random


class Intake:
    """One process."""

    def __init__(
        self, parts: Parts, layout: Layout, store_of: list[OrderStore], answered: Callable[[int, bool], None]
    ) -> None:
        """`store_of` each partition; `answered` is told how many orders were answered, and whether they were taken."""
        self._env, self._machine, self._costs, self._books, self._random = parts
        self._layout, self._store_of, self._answered = layout, store_of, answered
        self._inbox: Inbox[_Post | _Answer] = Inbox(self._env)
        self._groups = [_Group() for _ in range(layout.partitions)]
        self._life = 0
        self._away_s = 0.0 if layout.together else layout.network_s
        self.is_up = True
        self.used_s = 0.0
        self._env.process(self._serve())

    def post(self, orders: int) -> None:
        """Take orders from the network."""
        if self.is_up:
            self._inbox.put(_Post(orders, self._env.now))
        else:
            self._answered(orders, False)

    def go(self) -> None:
        """Die: whoever waits for an answer sends again, and what is in the stream by then replays."""
        self.is_up = False
        self._life += 1
        for item in self._inbox.clear():
            if isinstance(item, _Post):
                self._answered(item.orders, False)
            else:
                self._answered(_sum(item.bunches), item.taken)
        for group in self._groups:
            if group.waiting:
                self._answered(group.waiting, False)
        self._groups = [_Group() for _ in self._groups]

    def come_back(self) -> None:
        """Be started again."""
        self.is_up = True

    def _serve(self) -> Steps:
        while True:
            items = yield from self._inbox.take()
            touched: set[int] = set()
            for item in items:
                if isinstance(item, _Post):
                    yield from self._take(item, touched)
                else:
                    yield from self._tell(item)
            for partition in sorted(touched):
                yield from self._send_what_is_worth_it(partition)

    def _take(self, post: _Post, touched: set[int]) -> Steps:
        left, life = post.orders, self._life
        while left:
            some = min(left, GRAIN)
            yield from self._use(some * self._costs.intake_order_us * TAKEN_SHARE)
            if life != self._life:
                self._answered(left, False)
                return
            left -= some
            for _ in range(some):
                partition = self._random.randrange(len(self._groups))
                group = self._groups[partition]
                group.waiting += 1
                group.bunches.append((post.came_s, 1))
                touched.add(partition)

    def _tell(self, answer: _Answer) -> Steps:
        life = self._life
        for came, orders in _in_grains(answer.bunches):
            if life == self._life:
                yield from self._use(orders * self._costs.intake_order_us * (1 - TAKEN_SHARE))
            self._answered(orders, answer.taken)
            if answer.taken:
                self._books.latencies.append((self._env.now - came, orders))
        answer.group.out.remove(_sum(answer.bunches))
        if life == self._life:
            yield from self._send_what_is_worth_it(answer.partition)

    def _send_what_is_worth_it(self, partition: int) -> Steps:
        group, life = self._groups[partition], self._life
        while group.is_worth_a_call:
            bunches = group.take(self._layout.batch_max)
            yield from self._use(self._costs.intake_call_us)
            if life != self._life:
                self._answered(_sum(bunches), False)
                return
            call = Call(partition, _sum(bunches), self._on_answer(partition, group, bunches))
            self._later(partial(self._store_of[partition].put, call))

    def _on_answer(self, partition: int, group: _Group, bunches: list[Bunch]) -> Callable[[bool], None]:
        life = self._life

        def back(taken: bool) -> None:
            if life == self._life:
                self._inbox.put(_Answer(partition, group, bunches, taken))
            else:
                self._answered(_sum(bunches), taken)

        return lambda taken: self._later(partial(back, taken))

    def _use(self, microseconds: float) -> Steps:
        self.used_s += microseconds / 1e6
        return self._machine.work(microseconds / 1e6)

    def _later(self, do: Callable[[], None]) -> None:
        """Do something when it has gone over the network."""
        if not self._away_s:
            do()
            return
        event = self._env.timeout(self._away_s)
        event.callbacks.append(lambda _: do())


def _sum(bunches: list[Bunch]) -> int:
    return sum(orders for _, orders in bunches)


def _in_grains(bunches: list[Bunch]) -> list[Bunch]:
    """Return bunches joined to about a grain each, by the moment of their first."""
    grains: list[Bunch] = []
    for came, orders in bunches:
        if grains and grains[-1][1] + orders <= GRAIN:
            grains[-1] = (grains[-1][0], grains[-1][1] + orders)
        else:
            grains.append((came, orders))
    return grains
