"""The accept script's call: takes a batch of a partition's orders into its stream, or says of each why not.

Owns the script and one call over a connection that is kept; never repeats a call whose outcome it does not know, and
knows nothing of who waits. Touches the partition's slot alone: `gate`, `stream`, `accepted`, `spent`.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hiredis import pack_command
from redis.exceptions import NoScriptError, RedisError, ResponseError

from doorbuster import keys
from doorbuster.failures import REDIS_FAILED
from doorbuster.lua_script import Script
from doorbuster.redis_roles.meaning import may_pass
from doorbuster.redis_roles.servers import route_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.connection import AbstractConnection

    Tell = Callable[["Candidate", bytes], None]

_TERMS = struct.Struct(">IHQQ")
_accept = Script.beside(__file__, "accept")


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


class SpendArgs(NamedTuple):
    """The admission that an order spends, where there is a room."""

    key: str
    """Where the orders placed with it are counted, in the order's slot."""
    terms: bytes
    """What `pack_spend` says of it."""


def pack_spend(*, epoch: int, allowed: int, ttl_ms: int, ends_ms: int) -> bytes:
    """Return an admission as the accept script reads it.

    `ttl_ms`: how long its count lives, longer than itself; `ends_ms`: when it ends, by the order store's clock, 0 if it
    has run out.
    """
    return _TERMS.pack(epoch, allowed, ttl_ms, ends_ms)


class Candidate:
    """An order that asks to be accepted; `tell` is called once, with its verdict."""

    __slots__ = ("entry", "fingerprint", "key", "spend", "tell")

    def __init__(self, key: str, fingerprint: bytes, entry: bytes, spend: SpendArgs | None, tell: Tell) -> None:
        self.key = key
        self.fingerprint = fingerprint
        self.entry = entry
        self.spend = spend
        self.tell = tell


def names_of(sale_number: int, partition: int) -> tuple[str, str]:
    """Return the keys that every call for a partition names: its gate and its stream."""
    return keys.gate(sale_number, partition), keys.stream(sale_number, partition)


def prefixes_of(sale_number: int, partition: int) -> tuple[str, str]:
    """Return what a candidate's key and its spend's begin with; the order's 32 digits and the spend id follow."""
    return keys.accepted_prefix(sale_number, partition), keys.spent_prefix(sale_number, partition)


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
    """Connections that are kept from batch to batch; runs the accept script once per call, knows nothing of waiters.

    Calls may overlap: they are sent, run and answered in the order in which they were begun. Where one fails, those
    that were sent behind it on the same connection fail too. Of a role of several servers each call goes to the
    partition's primary, and again while nothing was run: to whom an answer points, for as long as a batch may take.
    """

    def __init__(self, script: AcceptScript, names: tuple[str, str]) -> None:
        """Take the partition's names, which lie in one slot."""
        self._script = script
        self._names = names
        self._route = route_of(script.redis, names[0])
        self._terms = script.terms
        self._wire: _Wire | None = None
        self._sending = asyncio.Lock()

    async def close(self) -> None:
        """Give the connection back."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.retire()

    async def run(self, batch: Sequence[Candidate]) -> list[bytes]:
        """Return one verdict an order.

        Raises:
            RedisError, OSError, TimeoutError: the outcome is unknown.
        """
        spends = [candidate.spend.key for candidate in batch if candidate.spend is not None]
        arguments: list[str | bytes | int] = [len(batch) + len(spends) + 2, *self._names]
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
        try:
            async with asyncio.timeout(terms.timeout_s):
                verb, script, tries = "EVALSHA", _accept.sha, 0
                while True:
                    try:
                        return await self._evaluate(verb, script, arguments)
                    except NoScriptError:  # nothing was run, here as below, so running it now is no repetition
                        verb, script = "EVAL", _accept.source
                    except REDIS_FAILED as error:
                        if not may_pass(error):
                            raise
                        await self._route.missed(error, tries)
                        tries += 1
        except REDIS_FAILED:
            self._route.suspect()
            raise

    async def _evaluate(self, verb: str, script: str, arguments: list[str | bytes | int]) -> list[bytes]:
        """Return the script's answer."""
        # The command is packed and sent by hand: for a batch of hundreds of arguments the client's own way costs as
        # much as all else the intake does for the orders. One send, one read, whatever happens.
        commands = [packed(verb, script, *arguments)]
        if self._terms.replicas:
            commands.append(packed("WAIT", self._terms.replicas, self._terms.replica_wait_ms))
        async with self._sending:
            if self._route.is_watched:
                self._route.touch()
            wire = self._wire
            if wire is None or not wire.is_good:
                wire = self._wire = await self._wired(wire)
            await wire.send(commands)
        answers = await wire.answers(len(commands))
        verdicts: list[bytes] | Exception = answers[0]
        if type(verdicts) is not list:
            assert isinstance(verdicts, Exception)
            if not isinstance(verdicts, NoScriptError):  # whoever says so may not be the primary any more
                await wire.retire()
            raise verdicts
        if self._terms.replicas:
            reached: int | Exception = answers[1]
            if isinstance(reached, Exception):
                raise RedisError(f"the batch was not waited for: {reached}") from reached
            if reached < self._terms.replicas:
                raise RedisError(f"the batch reached {reached} of {self._terms.replicas} replicas")
        return verdicts

    async def _wired(self, before: _Wire | None) -> _Wire:
        if before is not None:
            await before.retire()
        pool = await self._route.pool()
        return _Wire(pool, await pool.get_connection())  # type: ignore[no-untyped-call]


class _Wire:
    """A connection, until it is given back: when all that was sent over it is answered, or it has failed."""

    def __init__(self, pool: ConnectionPool, connection: AbstractConnection) -> None:
        self._pool, self._connection = pool, connection
        self._reading = asyncio.Lock()
        self._out = 0
        self._failed = self._retired = self._released = False

    @property
    def is_good(self) -> bool:
        """Whether more may be sent over it: it has neither failed nor been ended by whom it belongs to."""
        return not self._retired and self._connection.is_connected

    async def send(self, commands: list[bytes]) -> None:
        """Send commands, all in one piece."""
        self._out += 1
        try:
            await self._connection.send_packed_command(commands, check_health=False)
        except BaseException:
            await self._fail()
            raise

    async def answers(self, count: int) -> list[Any]:
        """Return the answers to what was sent, errors among them, in the order of sending."""
        try:
            async with self._reading:
                if self._failed:
                    raise RedisError("the connection was given up before the answer")
                answers: list[Any] = []
                while len(answers) < count:
                    try:
                        answers.append(await self._connection.read_response())
                    except ResponseError as error:
                        answers.append(error)
        except BaseException:
            await self._fail()
            raise
        self._out -= 1
        if self._retired:
            await self.retire()
        return answers

    async def retire(self) -> None:
        """Let nobody begin to send over it, and give it back once everything is answered."""
        self._retired = True
        if not self._out and not self._released:
            self._released = True
            await self._pool.release(self._connection)

    async def _fail(self) -> None:
        """End the connection: what comes over it is nobody's."""
        self._failed = True
        self._out -= 1
        await self._connection.disconnect(nowait=True)
        await self.retire()


def packed(verb: str, *words: str | bytes | int) -> bytes:
    """Return a command as it is sent."""
    return pack_command((verb, *words))  # type: ignore[arg-type,no-any-return]  # its stub knows one word only
