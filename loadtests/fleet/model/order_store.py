"""A node of the order store: one thread runs the calls that came, then syncs once for all of them. Owns that order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from loadtests.fleet.model.machine import Inbox, Machine, Steps

if TYPE_CHECKING:
    from collections.abc import Callable

    import simpy

    from loadtests.fleet.costs import Costs
    from loadtests.fleet.model.books import Books
    from loadtests.fleet.model.layout import Layout


class Call(NamedTuple):
    """A batch of a partition's orders on its way to the store."""

    partition: int
    orders: int
    answer: Callable[[bool], None]
    """Told whether it was taken; False: refused or unknown, and to be sent again."""


class Chore(NamedTuple):
    """Something else that the store does, for drains and relay."""

    seconds: float


class OrderStore:
    """One primary."""

    def __init__(self, env: simpy.Environment, machine: Machine, costs: Costs, books: Books, layout: Layout) -> None:
        """Take what it stands among; with replicas a call waits for one more trip, run and sync.

        A replica is taken to need as long as its primary. Where all is together it uses the same cores.
        """
        self._env, self._machine, self._costs, self._books = env, machine, costs, books
        hop_s = 0.0 if layout.together else 2 * layout.network_s
        self._wait_s = hop_s + costs.fsync_s if layout.replicas else 0.0
        self._replicas_here = layout.replicas if layout.together else 0
        self._waiting_max = layout.backlog_max
        self._inbox: Inbox[Call | Chore] = Inbox(env)
        self._back = env.event().succeed()
        self.is_up = True
        self.used_s = 0.0
        env.process(self._serve())

    def put(self, item: Call | Chore) -> None:
        """Send it something; a call to one that is away is answered as unknown."""
        if isinstance(item, Call) and not self.is_up:
            item.answer(False)
        else:
            self._inbox.put(item)

    def there(self) -> simpy.events.Event:
        """Return what happens when it is back, or has happened."""
        return self._back

    def go(self) -> None:
        """Go away: what waits for an answer has none."""
        self.is_up, self._back = False, self._env.event()
        for item in self._inbox.clear():
            if isinstance(item, Call):
                item.answer(False)

    def come_back(self) -> None:
        """Be there again, or have a replica take over."""
        self.is_up = True
        self._back.succeed()

    def _serve(self) -> Steps:
        costs = self._costs
        while True:
            items = yield from self._inbox.take()
            calls = [item for item in items if isinstance(item, Call)]
            seconds = sum(item.seconds for item in items if isinstance(item, Chore))
            seconds += len(calls) * costs.store_call_us / 1e6
            seconds += sum(call.orders for call in calls) * costs.store_order_us / 1e6
            self.used_s += seconds
            yield from self._machine.work(seconds)
            yield self._env.timeout(costs.fsync_s)
            answers = [(call, self._takes(call)) for call in calls]
            if (self._wait_s or self._replicas_here) and answers:
                self._env.process(self._answer_later(answers, seconds))
            else:
                self._answer(answers)

    def _takes(self, call: Call) -> bool:
        if self._books.waiting[call.partition].orders + call.orders > self._waiting_max:
            return False
        self._books.accept(call.partition, call.orders)
        return True

    def _answer_later(self, answers: list[tuple[Call, bool]], seconds: float) -> Steps:
        if self._replicas_here:
            self.used_s += seconds * self._replicas_here
            ran = [self._env.process(self._machine.work(seconds)) for _ in range(self._replicas_here)]
            yield self._env.all_of(ran)
        yield self._env.timeout(self._wait_s)
        self._answer(answers)

    @staticmethod
    def _answer(answers: list[tuple[Call, bool]]) -> None:
        for call, taken in answers:
            call.answer(taken)
