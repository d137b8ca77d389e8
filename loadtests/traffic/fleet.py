"""The connections of a load run and the orders on their way, closed or open loop. Owns sending and retrying alone.

What an answer means beyond that is a subclass's, see `visiting`.
"""

from __future__ import annotations

import asyncio
from array import array
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from itertools import islice
from time import perf_counter, process_time

import msgspec

from loadtests.generate.shoppers import given, requests
from loadtests.scene.loopback import target_of
from loadtests.traffic.connection import LOST, Attempt, Connection, Reply
from loadtests.traffic.plan import Plan, Result
from loadtests.traffic.tally import Tally

TICK_S = 0.001
_RETRY_CAP_S = 5.0
_PREPARED = 200_000
"""Requests of a closed loop that are made before its clock starts."""


class Fleet:
    """The connections of a run and the orders on their way."""

    def __init__(self, plan: Plan, made: Iterator[bytes] | None = None) -> None:
        """Prepare the run; its requests are those `made`, by default the plan's orders."""
        self.tally = Tally(keep_ids=plan.keep_ids)
        self._plan = plan
        self._target = target_of(plan.base)
        self._times: array[float] = plan.times
        host = self._target.authority
        if made is None:
            made = given(plan.mix, host, plan.bodies) if plan.bodies else requests(plan.mix, host)
        self._limit = len(self._times) or len(plan.bodies) or plan.count
        self._source = _prepared(made, min(self._limit, len(self._times) or _PREPARED))
        self._connections: set[Connection] = set()
        self._free: list[Connection] = []
        self._opening = 0
        self._waiting: deque[Attempt] = deque()
        self._outstanding = 0
        self._over = asyncio.Event()
        self._closed = False
        self._start = 0.0
        self._used_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self) -> None:
        """Open the connections before the clock starts."""
        for _ in range(self._plan.connections):
            await self._open()

    async def run(self) -> None:
        """Send and wait until every order has its final answer or the run's time is over."""
        self._start, used_s = perf_counter(), process_time()
        ends = self._plan.seconds + (self._times[-1] if self._times else self._plan.timeout_s)
        sweeping = asyncio.ensure_future(self._sweep())
        try:
            async with asyncio.timeout(ends):
                await (self._arrive() if self._times else self._loop_closed())
                await self._over.wait()
        except TimeoutError:
            self.tally.unfinished(self.tally.offered - self.tally.finished)
        finally:
            sweeping.cancel()
            self._used_s = process_time() - used_s

    def result(self) -> Result:
        """Return what came of the run."""
        return msgspec.structs.replace(self.tally.result(), processor_s=self._used_s)

    def close(self) -> None:
        """Cut every connection; nothing of the run stays behind."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for connection in list(self._connections):
            connection.abort()

    async def _arrive(self) -> None:
        """Offer each order at its intended time, however the server does."""
        for due in self._times:
            while (ahead := self._start + due - perf_counter()) > 0:  # noqa: ASYNC110 - waits for the clock alone
                await asyncio.sleep(max(ahead, TICK_S))
            self.tally.offer(due, -ahead)
            self._outstanding += 1
            self._offer(self._start + due)
        self._limit = self.tally.offered
        self._check_over()

    async def _loop_closed(self) -> None:
        for _ in range(self._plan.connections):
            self._next_closed()

    def _next_closed(self) -> None:
        late = perf_counter() - self._start > self._plan.seconds
        if late or self.tally.offered >= self._limit:
            self._limit = self.tally.offered
            self._check_over()
            return
        self._outstanding += 1
        self._offer(perf_counter())

    def _offer(self, due: float) -> None:
        self.tally.offered += 1
        self._dispatch(Attempt(self._source(), due))

    def _dispatch(self, attempt: Attempt, *, ahead: bool = False) -> None:
        """Send on a free connection; else the order waits, its latency running, `ahead` of all that wait or behind."""
        while self._free:
            connection = self._free.pop()
            if connection.usable:
                self._send(connection, attempt)
                return
        (self._waiting.appendleft if ahead else self._waiting.append)(attempt)
        if len(self._connections) + self._opening < self._plan.connections:
            self._opening += 1
            self._spawn(self._reopen())

    def _send(self, connection: Connection, attempt: Attempt) -> None:
        attempt.sent = perf_counter()
        if attempt.tries == 0:
            self.tally.late_s = max(self.tally.late_s, attempt.sent - attempt.due)
        attempt.tries += 1
        connection.send(attempt)

    def _on_reply(self, connection: Connection, attempt: Attempt, reply: Reply) -> None:
        if self._closed:
            return
        self.tally.answer(reply)
        if connection.usable:
            self._release(connection)
        else:
            self._connections.discard(connection)
        if reply.status in (0, 503) and attempt.tries < self._plan.tries:
            self.tally.retries += 1
            delay = min(max(reply.retry_after_s, 0.05 * attempt.tries), _RETRY_CAP_S)
            asyncio.get_running_loop().call_later(delay, self._retry, attempt)
            return
        self._answered(attempt, reply)

    def _answered(self, attempt: Attempt, reply: Reply) -> None:
        """Take an answer that is not to be tried again."""
        now = perf_counter()
        self.tally.final(reply, now - attempt.due, now - self._start)
        self._done()

    def _done(self) -> None:
        """Go on after one order's end."""
        self._outstanding -= 1
        if self._times:
            self._check_over()
        else:
            self._next_closed()

    def _retry(self, attempt: Attempt) -> None:
        if not self._closed:
            self._dispatch(attempt)

    def _release(self, connection: Connection) -> None:
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._free.append(connection)

    def _check_over(self) -> None:
        if self._outstanding == 0 and self.tally.offered >= self._limit:
            self._over.set()

    async def _reopen(self) -> None:
        """Replace a lost connection; while the server refuses, the orders that wait for one are answered as lost."""
        try:
            await self._open()
        except OSError:
            if self._waiting:
                attempt = self._waiting.popleft()
                attempt.tries += 1
                lost = Connection(self._on_reply)
                self._on_reply(lost, attempt, LOST)
        finally:
            self._opening -= 1

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self._on_reply), self._target.host, self._target.port, ssl=self._target.tls or None
        )
        self._connections.add(connection)
        self._release(connection)

    async def _sweep(self) -> None:
        """Cut connections whose answer is overdue, and reopen for orders that wait without any."""
        while True:
            await asyncio.sleep(0.25)
            overdue = perf_counter() - self._plan.timeout_s
            for connection in list(self._connections):
                if connection.attempt is not None and connection.attempt.sent < overdue:
                    connection.abort()
                elif not connection.usable:
                    self._connections.discard(connection)
            if self._waiting and len(self._connections) + self._opening < self._plan.connections:
                self._opening += 1
                self._spawn(self._reopen())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _prepared(made: Iterator[bytes], ahead: int) -> Callable[[], bytes]:
    """Return a source of requests of which the first `ahead` are made already."""
    ready = deque(islice(made, ahead))
    return lambda: ready.popleft() if ready else next(made)
