"""One Postgres server to read from. Owns its connections and how long it is waited for; never decides whether to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from db.connections.pool import Connection, Pool, Role, connect, create_read_pool
from db.connections.server_connection import ServerConnection
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import POSTGRES_FAILED

T = TypeVar("T")
Work = Callable[[Connection, int], Awaitable[T]]
"""A read: gets a connection, and a log position up to which that connection shows everything."""

LOOK_TIMEOUT_S = 0.5
WATCH = "doorbuster-catalogue-watch"
LATE_S = 0.1
"""A wait that ends so much later than its bound says that this process did not run, and nothing of the server."""
AGAIN_MAX = 2

_GIVEN_UP: tuple[type[BaseException], ...] = (*POSTGRES_FAILED, asyncio.CancelledError)
"""What leaves a connection in a state that nobody knows."""


class BusyError(Exception):
    """All connections to a server were taken for as long as a read may wait; it says nothing against the server."""


class Server:
    """One Postgres server to read from."""

    def __init__(self, dsn: str, name: str, *, connections: int, role: Role = "any") -> None:
        self.dsn, self.name, self._connections, self._role = dsn, name, connections, role
        self.pool: Pool | None = None
        self.watching: ServerConnection | None = None
        self.lsn = 0
        """Everything up to here is shown; it only grows while the server stays a replica."""
        self.fresh_as_of = 0.0
        """Monotonic time at which the primary had nothing more than this server shows."""
        self.usable = False
        self.answers = False
        """Whether it answered when it was looked at last."""
        self.latency_s = 0.001
        self.busy = 0

    async def open(self, timeout_s: float) -> None:
        """Make the pool; connects to nothing yet."""
        self.pool = await create_read_pool(
            self.dsn, max_size=self._connections, command_timeout_s=timeout_s, application="doorbuster-catalogue",
            role=self._role,
        )  # fmt: skip

    def close(self) -> None:
        """Close everything at once."""
        self.drop_watch()
        if self.pool is not None:
            self.pool.terminate()

    @property
    def timeline(self) -> int:
        """Of a primary that is looked at; 0: it is not known."""
        identity = None if self.watching is None else self.watching.identity
        return 0 if identity is None else identity.timeline

    def drop_watch(self) -> None:
        """Give up the watching connection; the next look makes another."""
        if self.watching is not None:
            self.watching.terminate()
            self.watching = None

    async def look(self, ask: Callable[[Connection], Awaitable[T]]) -> T:
        """Ask through the connection that watches.

        Raises:
            TimeoutError: it does not answer in time, or another of `doorbuster.failures.POSTGRES_FAILED`.
        """

        async def asked() -> T:
            try:
                return await ask(await self._watch())
            except _GIVEN_UP:
                self.drop_watch()
                raise

        return await _in_time(asked, LOOK_TIMEOUT_S)

    async def _watch(self) -> ServerConnection:
        if self.watching is None or self.watching.is_closed():
            # Bounded by the look as a whole: two time-outs at a time would race for who tells of it.
            self.watching = await connect(
                self.dsn,
                command_timeout_s=LOOK_TIMEOUT_S * 2,
                application="doorbuster-catalogue-watch",
                role=self._role,
            )
        return self.watching

    async def run(self, work: Work[T], lsn: int, timeout_s: float) -> T:
        """Do a read here, and remember how long it took."""
        if self.pool is None:
            raise StoreUnavailableError("the process is starting or ending")
        began = time.monotonic()
        self.busy += 1
        try:
            try:
                connection = await _in_time(self.pool.acquire, timeout_s)
            except TimeoutError as error:
                if self.busy > self._connections:
                    raise BusyError from error
                raise
            try:
                return await work(connection, lsn)
            finally:
                await self.pool.release(connection)
        finally:
            self.busy -= 1
            self.latency_s += (time.monotonic() - began - self.latency_s) * 0.2

    @property
    def cost(self) -> float:
        """What a read here may take, more or less."""
        return self.latency_s * (1 + self.busy)


async def _in_time(do: Callable[[], Awaitable[T]], timeout_s: float) -> T:
    """Do something within a time; do it anew if the time's end came late."""
    for _ in range(AGAIN_MAX):
        due = time.monotonic() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await do()
        except TimeoutError:
            if time.monotonic() < due + LATE_S:
                raise
    async with asyncio.timeout(timeout_s):
        return await do()
