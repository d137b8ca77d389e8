"""Group commit: a batch of a partition in flight, what arrives meanwhile goes in the next.

A second one follows while the first is out once it is worth a call of its own: with one alone, shoppers, intake and
order store would take turns, two of them idle. Both are on one connection, which keeps their order.

Owns the batches of a process; `orderstore/accept.py` has the call of one. It never repeats a call whose outcome it does
not know: such orders end as UNKNOWN, and the same idempotency key is safe to send again. Who goes while waiting
disturbs no batch. What a rehearsal sells goes when `live_first.py` says so.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Protocol

from doorbuster.failures import REDIS_FAILED, REDIS_REFUSED
from doorbuster.log import shared_context
from doorbuster.orderstore import gate as gates
from doorbuster.orderstore.accept import Link, names_of
from doorbuster.values.shadows import is_shadow
from intake.accepting.live_first import LiveFirst
from intake.accepting.verdicts import NO_GATE, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from doorbuster.orderstore.accept import AcceptScript, Candidate

SECOND_MIN = 2
"""Orders that are worth a second call while one is out; and as many as half of those that are in that one."""

log = logging.getLogger("doorbuster.intake.group_commit")


class BatchObserver(Protocol):
    """What is told of each batch."""

    @property
    def batch(self) -> Callable[[list[bytes], float], None]:
        """Takes note of a finished batch: its verdicts, and how many seconds it took."""

    @property
    def accepted(self) -> Callable[[tuple[int, int], list[Candidate], list[bytes]], None]:
        """Takes note of what a partition was asked for and what it said."""


class PartitionCommit:
    """Collects the orders of one partition and commits them batch by batch."""

    def __init__(
        self,
        script: AcceptScript,
        sale_number: int,
        partition: int,
        gate: Callable[[], gates.Gate],
        watch: BatchObserver,
        live_first: LiveFirst | None = None,
    ) -> None:
        self._script = script
        self._live_first = live_first or LiveFirst()
        self._is_shadow = is_shadow(sale_number)
        self._first_at = 0.0
        """When the first of those that wait came."""
        self._place = sale_number, partition
        self._names = names_of(sale_number, partition)
        self._gate = gate
        self._watch = watch
        self._waiting: list[Candidate] = []
        self._link: Link | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._out: list[int] = []
        """Orders of each batch in flight."""

    def submit(self, candidate: Candidate) -> None:
        """Put an order into the next batch. An empty entry: a product is sold out."""
        if not self._waiting:
            self._first_at = time.perf_counter()
        self._waiting.append(candidate)
        if not self._tasks or (len(self._tasks) == 1 and self._out and self._is_worth_a_call):
            task = asyncio.get_running_loop().create_task(self._work_off(), context=shared_context())
            self._tasks.add(task)

    @property
    def _is_worth_a_call(self) -> bool:
        """Whether what waits goes out now, beside what is in flight."""
        waiting = len(self._waiting)
        return waiting > 0 and (not self._out or waiting >= max(SECOND_MIN, self._out[0] // 2))

    async def _work_off(self) -> None:
        link = self._link = self._link or Link(self._script, self._names)
        try:
            while self._is_worth_a_call:
                most = self._script.terms.batch_max
                if self._is_shadow:
                    await self._behind_sales(link, most)
                else:
                    await self._one(link, most)
        finally:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.remove(task)
            if not self._tasks:
                self._link = None
                await link.close()

    async def _behind_sales(self, link: Link, batch_max: int) -> None:
        """Commit a batch of a shadow when it is its turn; what waited may have failed with another meanwhile."""
        async with self._live_first.shadow_turn(batch_max) as most:
            if self._waiting:
                await self._one(link, most)

    async def _one(self, link: Link, most: int) -> None:
        batch, self._waiting = self._waiting[:most], self._waiting[most:]
        self._out.append(len(batch))
        try:
            await self._commit(link, batch)
        finally:
            self._out.remove(len(batch))

    async def _commit(self, link: Link, batch: list[Candidate]) -> None:
        began, first_at = time.perf_counter(), self._first_at
        if not self._is_shadow:
            self._live_first.live_goes()
        try:
            verdicts = await link.run(batch)
            if NO_GATE in verdicts:
                verdicts = await self._with_gate(link, batch, verdicts)
        except REDIS_FAILED as error:
            about = {"orders": len(batch), "stream": self._names[1], "error": error}
            log.warning("the outcome of a batch is unknown", extra=about)
            verdicts = [UNKNOWN] * len(batch)
            batch, verdicts = self._give_up_waiting(batch, verdicts)
        except BaseException:  # a defect or the end of the process: nobody may wait for ever
            self._tell(*self._give_up_waiting(batch, [UNKNOWN] * len(batch)))
            raise
        self._tell(batch, verdicts)
        ended = time.perf_counter()
        if not self._is_shadow:
            self._live_first.live_came(len(batch), ended - first_at)
        self._watch.batch(verdicts, ended - began)
        self._watch.accepted(self._place, batch, verdicts)

    @staticmethod
    def _tell(batch: list[Candidate], verdicts: list[bytes]) -> None:
        for candidate, verdict in zip(batch, verdicts, strict=True):
            try:
                candidate.tell(candidate, verdict)
            except Exception:  # one that cannot be told must not keep the others waiting
                log.exception("a verdict could not be told")

    async def _with_gate(self, link: Link, batch: list[Candidate], verdicts: list[bytes]) -> list[bytes]:
        """Publish the gate that was missing and run the orders again that were not decided for want of it."""
        try:
            async with asyncio.timeout(self._script.terms.timeout_s):
                await gates.publish(self._script.redis, self._gate())
        except REDIS_REFUSED as error:  # it answers, and takes no gate: it did not take these orders either
            log.warning("a gate could not be published", extra={"stream": self._names[1], "error": error})
            return verdicts
        open_places = [place for place, verdict in enumerate(verdicts) if verdict == NO_GATE]
        again = await link.run([batch[place] for place in open_places])
        for place, verdict in zip(open_places, again, strict=True):
            verdicts[place] = verdict
        return verdicts

    def _give_up_waiting(self, batch: list[Candidate], verdicts: list[bytes]) -> tuple[list[Candidate], list[bytes]]:
        """Refuse with a failed batch all that waited behind it: bounded time, instead of one time-out after another."""
        behind, self._waiting = self._waiting, []
        return batch + behind, verdicts + [UNKNOWN] * len(behind)
