"""The intake's connections to Postgres. Owns two pools and their time-outs; never runs a statement itself.

Short reads of shoppers and long work of ops have pools of their own, so that neither starves the other. Neither pool
connects before it is asked to: an intake starts, and accepts for sales it knows, while Postgres is away.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, get_args

from db.connections.pool import create_pool, server_of
from db.connections.primary import servers
from db.connections.replicas import ReadPurpose
from doorbuster.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from db.connections.pool import Connection, Pool

WORK_TIMEOUT_S = 30.0
Purpose = (
    Literal["sales", "orders", "events", "transitions", "stock", "payments", "room", "watching", "ops"] | ReadPurpose
)
"""What a connection is held for: reading sales, showing orders, telling who watches them, moving them, giving units
back, callbacks, the room, looking how all of it is, and all else that ops do; from other pools, reading products and
searching."""
PURPOSES: tuple[Purpose, ...] = tuple(purpose for kind in get_args(Purpose) for purpose in get_args(kind))
READS = 8
"""Connections for short reads."""


class Database:
    """Gives out connections."""

    def __init__(self, dsn: str, *, timeout_s: float) -> None:
        self.dsn = dsn
        self._timeout_s = timeout_s
        self._reads: Pool | None = None
        self._work: Pool | None = None
        self.held: Callable[[Purpose, float], None] = _untold
        """Told for how many seconds a connection was held."""

    async def open(self) -> None:
        """Make the pools; connects to nothing yet."""
        self._reads = await create_pool(
            self.dsn, min_size=0, max_size=READS, command_timeout_s=self._timeout_s, application="doorbuster-intake"
        )
        self._work = await create_pool(
            self.dsn, min_size=0, max_size=4, command_timeout_s=WORK_TIMEOUT_S, application="doorbuster-ops"
        )

    async def close(self) -> None:
        """Close both pools at once, whatever runs."""
        for pool in (self._reads, self._work):
            if pool is not None:
                pool.terminate()

    async def open_connections(self) -> None:
        """Open every connection of the short reads, and use each so that it stays open."""
        pool = _opened(self._reads)
        held = await asyncio.gather(
            *(pool.acquire(timeout=self._timeout_s) for _ in range(READS)), return_exceptions=True
        )
        failures = [one for one in held if isinstance(one, BaseException)]
        for connection in held:
            if not isinstance(connection, BaseException):
                await pool.release(connection)
        if failures:
            raise failures[0]

    def shown(self, connection: Connection | None = None) -> dict[str, Any]:
        """Return which server is written to, its timeline, and, where there are several, what each said last."""
        known = servers(self.dsn)
        told: dict[str, Any] = {} if connection is None else server_of(connection)
        return told | ({"servers": known.shown()} if known.are_several else {})

    @asynccontextmanager
    async def reading(self, purpose: Purpose = "ops") -> AsyncIterator[Connection]:
        """Lend a connection for a short read; `purpose` is whose time it is in the metrics."""
        async with _opened(self._reads).acquire(timeout=self._timeout_s) as connection:
            began = time.perf_counter()
            try:
                yield connection
            finally:
                self.held(purpose, time.perf_counter() - began)

    @asynccontextmanager
    async def working(self, purpose: Purpose = "ops") -> AsyncIterator[Connection]:
        """Lend a connection for the work of ops."""
        async with _opened(self._work).acquire(timeout=self._timeout_s * 5) as connection:
            began = time.perf_counter()
            try:
                yield connection
            finally:
                self.held(purpose, time.perf_counter() - began)


def _untold(_purpose: Purpose, _seconds: float) -> None:
    """Nobody counts."""


def _opened(pool: Pool | None) -> Pool:
    if pool is None:
        raise StoreUnavailableError("the process is starting or ending")
    return pool
