"""Group commit: one batch of a partition in flight at a time, what arrives meanwhile goes in the next.

Owns the only way an order gets into a stream. It never repeats a call whose outcome it does not know: such orders end
as UNKNOWN, and the same idempotency key is safe to send again. Who goes while waiting disturbs no batch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hiredis import pack_command
from redis.exceptions import NoScriptError, RedisError

from doorbuster import keys
from doorbuster.failures import REDIS_FAILED
from doorbuster.lua_script import Script
from doorbuster.orderstore import gate as gates
from intake.accepting.verdicts import NO_GATE, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio import Redis
    from redis.asyncio.connection import AbstractConnection

    from intake.accepting.spend import SpendArgs

    Tell = Callable[["Candidate", bytes], None]

log = logging.getLogger("doorbuster.intake.group_commit")

_accept = Script.beside(__file__, "accept")


class Watch(Protocol):
    """What is told of each batch."""

    def batch(self, verdicts: list[bytes], seconds: float) -> None:
        """Take note of a finished batch."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every batch."""

    ttl_ms: int
    backlog_max: int
    backlog_max_bytes: int
    batch_max: int
    replicas: int
    replica_wait_ms: int
    timeout_s: float
    """For a batch, from asking for a connection to the last byte of the answer."""


class Candidate:
    """An order that asks to be accepted; `tell` is called once, with its verdict."""

    __slots__ = ("entry", "fingerprint", "key", "spend", "tell")

    def __init__(self, key: str, fingerprint: bytes, entry: bytes, spend: SpendArgs | None, tell: Tell) -> None:
        self.key = key
        self.fingerprint = fingerprint
        self.entry = entry
        self.spend = spend
        self.tell = tell


class AcceptScript:
    """What every batch of the process needs: the client and the terms. The work is done over a `Link`."""

    def __init__(self, redis: Redis, terms: Terms) -> None:
        """Take a client without a time-out of its own: here one stands around the whole call, and costs a tenth."""
        self.redis = redis
        self.terms = terms
        self.backlog_max = terms.backlog_max
        """Most orders that may wait now: none while the store is full."""

    def take_new(self, takes: bool) -> None:
        """Say whether new orders are taken; those that were accepted replay in any case."""
        self.backlog_max = self.terms.backlog_max if takes else 0


class Link:
    """A connection that is kept from batch to batch; runs the accept script once per call, knows nothing of waiters."""

    def __init__(self, script: AcceptScript) -> None:
        self._script = script
        self._pool = script.redis.connection_pool
        self._terms = script.terms
        self._connection: AbstractConnection | None = None

    async def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.release(connection)

    async def run(self, names: tuple[str, str], batch: Sequence[Candidate]) -> list[bytes]:
        """Return one verdict an order.

        Raises:
            RedisError, OSError, TimeoutError: the outcome is unknown.
        """
        spends = [candidate.spend.key for candidate in batch if candidate.spend is not None]
        arguments: list[str | bytes | int] = [len(batch) + len(spends) + 2, *names]
        arguments += [candidate.key for candidate in batch]
        arguments += spends
        terms = self._terms
        arguments += (
            terms.ttl_ms,
            self._script.backlog_max,
            terms.backlog_max_bytes,
            int(terms.replicas > 0),
            len(batch),
        )
        for candidate in batch:
            arguments += (candidate.fingerprint, candidate.entry, candidate.spend.terms if candidate.spend else b"")
        async with asyncio.timeout(self._terms.timeout_s):
            try:
                return await self._evaluate("EVALSHA", _accept.sha, arguments)
            except NoScriptError:  # nothing was run, so running it now is no repetition
                return await self._evaluate("EVAL", _accept.source, arguments)

    async def _evaluate(self, verb: str, script: str, arguments: list[str | bytes | int]) -> list[bytes]:
        # The command is packed and sent by hand: for a batch of hundreds of arguments the client's own way costs as
        # much as all else the intake does for the orders. One send, one read, whatever happens.
        commands = [_packed(verb, script, *arguments)]
        if self._terms.replicas:
            commands.append(_packed("WAIT", self._terms.replicas, self._terms.replica_wait_ms))
        if self._connection is None:
            self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        connection = self._connection
        try:
            await connection.send_packed_command(commands, check_health=False)
            verdicts: list[bytes] = await connection.read_response()
            if self._terms.replicas:
                reached: int = await connection.read_response()
                if reached < self._terms.replicas:
                    raise RedisError(f"the batch reached {reached} of {self._terms.replicas} replicas")
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return verdicts


def _packed(*words: str | bytes | int) -> bytes:
    return pack_command(words)  # type: ignore[arg-type,no-any-return]  # its stub knows one word only


class PartitionCommit:
    """Collects the orders of one partition and commits them batch by batch."""

    def __init__(
        self, script: AcceptScript, sale_number: int, partition: int, gate: Callable[[], gates.Gate], watch: Watch
    ) -> None:
        self._script = script
        self._names = (keys.gate(sale_number, partition), keys.stream(sale_number, partition))
        self._gate = gate
        self._watch = watch
        self._waiting: list[Candidate] = []
        self._task: asyncio.Task[None] | None = None

    def submit(self, candidate: Candidate) -> None:
        """Put an order into the next batch. An empty entry: a product is sold out."""
        self._waiting.append(candidate)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work_off())

    async def _work_off(self) -> None:
        link = Link(self._script)
        try:
            while self._waiting:
                most = self._script.terms.batch_max
                batch, self._waiting = self._waiting[:most], self._waiting[most:]
                await self._commit(link, batch)
        finally:
            self._task = None
            await link.close()

    async def _commit(self, link: Link, batch: list[Candidate]) -> None:
        began = time.perf_counter()
        try:
            verdicts = await link.run(self._names, batch)
            if NO_GATE in verdicts:
                verdicts = await self._with_gate(link, batch, verdicts)
        except REDIS_FAILED as error:
            about = {"orders": len(batch), "stream": self._names[1], "error": repr(error)}
            log.warning("the outcome of a batch is unknown", extra=about)
            verdicts = [UNKNOWN] * len(batch)
            batch, verdicts = self._give_up_waiting(batch, verdicts)
        except BaseException:  # a defect or the end of the process: nobody may wait for ever
            self._tell(*self._give_up_waiting(batch, [UNKNOWN] * len(batch)))
            raise
        self._tell(batch, verdicts)
        self._watch.batch(verdicts, time.perf_counter() - began)

    @staticmethod
    def _tell(batch: list[Candidate], verdicts: list[bytes]) -> None:
        for candidate, verdict in zip(batch, verdicts, strict=True):
            try:
                candidate.tell(candidate, verdict)
            except Exception:  # one that cannot be told must not keep the others waiting
                log.exception("a verdict could not be told")

    async def _with_gate(self, link: Link, batch: list[Candidate], verdicts: list[bytes]) -> list[bytes]:
        """Publish the gate that was missing and run the orders again that were not decided for want of it."""
        async with asyncio.timeout(self._script.terms.timeout_s):
            await gates.publish(self._script.redis, self._gate())
        open_places = [place for place, verdict in enumerate(verdicts) if verdict == NO_GATE]
        again = await link.run(self._names, [batch[place] for place in open_places])
        for place, verdict in zip(open_places, again, strict=True):
            verdicts[place] = verdict
        return verdicts

    def _give_up_waiting(self, batch: list[Candidate], verdicts: list[bytes]) -> tuple[list[Candidate], list[bytes]]:
        """Refuse with a failed batch all that waited behind it: bounded time, instead of one time-out after another."""
        behind, self._waiting = self._waiting, []
        return batch + behind, verdicts + [UNKNOWN] * len(behind)
