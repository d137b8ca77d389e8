"""The accept script's call: takes a batch of a partition's orders into its stream, or says of each why not.

Owns the script and one call over a connection that is kept; never repeats a call whose outcome it does
not know, and knows nothing of who waits. Touches the partition's slot alone: `gate`, `stream`, `accepted`, `spent`.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from hiredis import pack_command
from redis.exceptions import NoScriptError, RedisError

from doorbuster import keys
from doorbuster.lua_script import Script

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis.asyncio import Redis
    from redis.asyncio.connection import AbstractConnection

    Tell = Callable[["Candidate", bytes], None]

_T = TypeVar("_T")
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
    """A connection that is kept from batch to batch; runs the accept script once per call, knows nothing of waiters.

    Calls may overlap: they are sent, run and answered in the order in which they were begun. Where one fails, those
    that were sent behind it fail too.
    """

    def __init__(self, script: AcceptScript) -> None:
        self._script = script
        self._pool = script.redis.connection_pool
        self._terms = script.terms
        self._connection: AbstractConnection | None = None
        self._sending, self._reading = asyncio.Lock(), asyncio.Lock()
        self._failures = 0
        """How often the connection was given up: an answer to what was sent before must not be waited for."""

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
            verdicts = await self._evaluate("EVALSHA", _accept.sha, arguments)
            if verdicts is None:  # nothing was run, so running it now is no repetition
                verdicts = await self._evaluate("EVAL", _accept.source, arguments)
        assert verdicts is not None
        return verdicts

    async def _evaluate(self, verb: str, script: str, arguments: list[str | bytes | int]) -> list[bytes] | None:
        """Return the script's answer, None if the store does not have it."""
        # The command is packed and sent by hand: for a batch of hundreds of arguments the client's own way costs as
        # much as all else the intake does for the orders. One send, one read, whatever happens.
        commands = [_packed(verb, script, *arguments)]
        if self._terms.replicas:
            commands.append(_packed("WAIT", self._terms.replicas, self._terms.replica_wait_ms))
        async with self._sending:
            if self._connection is None:
                self._connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            connection, failures = self._connection, self._failures
            await self._whole(connection, connection.send_packed_command(commands, check_health=False))
        async with self._reading:
            if failures != self._failures:
                raise RedisError("the connection was given up before the answer")
            return await self._whole(connection, self._answer(connection))

    async def _whole(self, connection: AbstractConnection, step: Awaitable[_T]) -> _T:
        """Do a step; where it ends otherwise than by an answer the connection ends: what comes over it is nobody's."""
        try:
            return await step
        except BaseException:
            self._failures += 1
            await connection.disconnect(nowait=True)
            raise

    async def _answer(self, connection: AbstractConnection) -> list[bytes] | None:
        verdicts: list[bytes] | None
        try:
            verdicts = await connection.read_response()
        except NoScriptError:
            verdicts = None
        if self._terms.replicas:
            reached: int = await connection.read_response()
            if verdicts is not None and reached < self._terms.replicas:
                raise RedisError(f"the batch reached {reached} of {self._terms.replicas} replicas")
        return verdicts


def _packed(verb: str, *words: str | bytes | int) -> bytes:
    return pack_command((verb, *words))  # type: ignore[arg-type,no-any-return]  # its stub knows one word only
