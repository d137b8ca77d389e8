"""The lease of a shift and the session with Postgres that holds it.

Owns taking, renewing and giving back, and that a transaction of the shift proves the lease first. Knows no work and no
other store.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from db.connections import pool
from db.work import shifts
from db.work.shifts import Lease
from doorbuster.errors import LeaseLostError
from doorbuster.failures import TRANSIENT
from workers.runtime.batch_size import BatchSize, transaction_bound_s

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from db.connections.pool import Connection
    from doorbuster.settings import Settings

log = logging.getLogger("doorbuster.workers.lease")


def holder_name() -> str:
    """Return who holds a lease: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(slots=True)
class LeasedSession:
    """One connection to Postgres and the lease that is held through it."""

    name: str
    settings: Settings
    fence: int = field(init=False, default=0)
    renewed: float = field(init=False, default=0.0)
    transaction_s: float = field(init=False, default=0.0)
    """Spent in transactions of batches, and how many they were, since it was last told."""
    transactions: int = field(init=False, default=0)
    _connection: Connection | None = field(init=False, default=None)
    _taken: shifts.Taken | None = field(init=False, default=None)
    size: BatchSize = field(init=False)
    """How much the shift takes at a time."""

    def __post_init__(self) -> None:
        self.size = BatchSize(self.name, lease_s=self.settings.lease_s)

    @property
    def lease(self) -> Lease:
        """The lease, as transactions hold it."""
        return Lease(self.name, self.fence, self.settings.lease_s, self.size.kept)

    async def connection(self) -> Connection:
        """Return the shift's connection to Postgres, made anew when the last one broke.

        Raises:
            LeaseLostError: the server does not know of the lease: another shift took it, or another server has taken
                the place of the one where it was taken.
        """
        if self._connection is None or self._connection.is_closed():
            url = self.settings.database_url.get_secret_value()
            self._connection = await pool.connect(
                url,
                application=self._application,
                command_timeout_s=self.settings.lease_s,
                transaction_timeout_s=transaction_bound_s(self.settings.lease_s),
            )
            if self.fence and not await shifts.is_mine(self._connection, self.name, self.fence, holder=holder_name()):
                raise LeaseLostError(f"the lease {self.name} with fence {self.fence} is not known here")
        return self._connection

    @property
    def _application(self) -> str:
        return f"doorbuster-{self.name}"

    async def acquire(self) -> bool:
        """Take the lease; say whether it was free. A holder that is stuck inside a transaction loses its session."""
        connection, lease_s = await self.connection(), self.settings.lease_s
        if await shifts.end_overdue(connection, self.name, application=self._application, lease_s=lease_s):
            log.warning("a holder outlived its lease in a transaction: session ended", extra={"shift": self.name})
        self._taken = await shifts.take(connection, self.name, holder=holder_name(), lease_s=lease_s)
        self.fence, self.renewed = self._taken.fence if self._taken else 0, time.monotonic()
        return self._taken is not None

    async def begin_batches(self, full: int) -> None:
        """Take as much at a time as the last holder could, or less if it was ended; keep that before any batch."""
        assert self._taken is not None
        self.size.begin(full, self._taken.batch_max, not_given_back=self._taken.not_given_back)
        await self._renew_now()

    async def _renew_now(self) -> None:
        await shifts.renew(
            await self.connection(), self.name, self.fence, lease_s=self.settings.lease_s, batch_max=self.size.kept
        )
        self.renewed = time.monotonic()

    async def renew(self) -> None:
        """Renew the lease when no batch has done so for a while.

        Raises:
            LeaseLostError: another shift holds it.
        """
        if time.monotonic() - self.renewed > self.settings.lease_s / 4:
            await self._renew_now()

    @asynccontextmanager
    async def leased_transaction(self, *, read_s: float = 0.0) -> AsyncIterator[Connection]:
        """Give a transaction in which the lease is held: nothing is committed once another shift has it.

        `read_s`: how long reading the batch took before, which is a part of what the next one is sized by.

        Raises:
            LeaseLostError: another shift holds it.
        """
        connection = await self.connection()
        with self.timed(read_s):
            async with connection.transaction():
                await shifts.renew(connection, **self.lease._asdict())
                yield connection

    @contextmanager
    def timed(self, read_s: float = 0.0) -> Iterator[None]:
        """Measure the transaction of a batch, which renews the lease: what comes next is sized by it."""
        began = time.monotonic()
        yield
        self.renewed = time.monotonic()
        took = self.renewed - began
        self.size.took(read_s + took)
        self.transaction_s += took
        self.transactions += 1

    async def release(self) -> None:
        """Give the lease back, if it is still held, and end the session."""
        try:
            if self.fence:
                await shifts.release(await self.connection(), self.name, self.fence)
        except LeaseLostError:
            log.info("there is no lease to give back any more", extra={"shift": self.name})
        except TRANSIENT as error:  # it expires by itself
            log.warning("the lease could not be released", extra={"shift": self.name, "error": error})
        finally:
            await self.drop_connection()

    async def drop_connection(self) -> None:
        """Break with Postgres: after a failure the connection's state is unknown."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
