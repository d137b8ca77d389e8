"""The intake's connections to Postgres. Owns two pools and their time-outs; never runs a statement itself.

Short reads of shoppers and long work of ops have pools of their own, so that neither starves the other. Neither pool
connects before it is asked to: an intake starts, and accepts for sales it knows, while Postgres is away.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from db.connections.pool import create_pool
from doorbuster.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from db.connections.pool import Connection, Pool

WORK_TIMEOUT_S = 30.0
READS = 8
"""Connections for short reads."""


class Database:
    """Gives out connections."""

    def __init__(self, dsn: str, *, timeout_s: float) -> None:
        self.dsn = dsn
        self._timeout_s = timeout_s
        self._reads: Pool | None = None
        self._work: Pool | None = None

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

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Lend a connection for a short read."""
        async with _opened(self._reads).acquire(timeout=self._timeout_s) as connection:
            yield connection

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Connection]:
        """Lend a connection for the work of ops."""
        async with _opened(self._work).acquire(timeout=self._timeout_s * 5) as connection:
            yield connection


def _opened(pool: Pool | None) -> Pool:
    if pool is None:
        raise StoreUnavailableError("the process is starting or ending")
    return pool
