"""Where reads go: to the fastest replica that shows enough, else to the primary, a few at a time.

Owns the watch over replicas: a dead, lagging or promoted one leaves by itself and comes back by itself. Never decides
what a read must show: the caller names the log position.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, TypeVar

import asyncpg

from db.connections.pool import Connection
from db.connections.read_server import BusyError, Server, Work
from db.products import catalogue_changes
from db.query_files import load
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import POSTGRES_FAILED

T = TypeVar("T")
ReadPurpose = Literal["catalogue", "search"]
"""What a connection is held for."""
WATCH_S = 0.2
SAMPLES = 64
_SQL = load("catalogue_changes")

log = logging.getLogger("doorbuster.replicas")


class NotShownError(Exception):
    """The replica does not show yet what the read must show; raised by a read, answered by asking another."""


class LateReadError(StoreUnavailableError):
    """A read had to wait too long for its turn, or for its answer: the servers are there, and have too much to do."""


class SlowError(Exception):
    """A replica did not answer a read in time; the one that did answer a look just after is worth asking again."""


class Replicas:
    """The primary and its replicas, for reading."""

    def __init__(
        self, primary: str, replicas: Sequence[str], *, lag_max_s: float, primary_max: int, timeout_s: float
    ) -> None:
        self.primary = Server(primary, "primary", connections=primary_max, role="primary")
        self.replicas = [Server(dsn, f"replica {number}", connections=8) for number, dsn in enumerate(replicas, 1)]
        self._lag_max_s, self._timeout_s = lag_max_s, timeout_s
        self._few = asyncio.Semaphore(primary_max)
        self._samples: deque[tuple[float, int]] = deque(maxlen=SAMPLES)
        self._looking: asyncio.Task[None] | None = None
        self.reads: Counter[str] = Counter()
        """Reads answered, by server; what a server could not answer counts for the one that did."""
        self.held: Callable[[ReadPurpose, float], None] | None = None
        """Told for how many seconds a connection was held; None: nobody counts."""

    @property
    def latency_s(self) -> float:
        """What a read takes where the next one would go."""
        return min((one.latency_s for one in self.replicas if one.usable), default=self.primary.latency_s)

    async def open(self) -> None:
        """Make the pools; connects to nothing yet."""
        for server in (self.primary, *self.replicas):
            await server.open(self._timeout_s)

    async def close(self) -> None:
        """Close everything at once."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        for server in (self.primary, *self.replicas):
            server.close()

    async def watch(self) -> None:
        """Look after the replicas until cancelled."""
        while self.replicas:
            began = time.monotonic()
            await self.look()
            await asyncio.sleep(max(0.0, began + WATCH_S - time.monotonic()))

    async def look(self) -> None:
        """Look once, or wait for the look under way."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await asyncio.shield(self._looking)

    async def _look(self) -> None:
        # At the primary first, so that a replica is compared with what was there before it was asked.
        await self._look_at_primary()
        await asyncio.gather(*(self._look_at(replica) for replica in self.replicas))

    async def _look_at_primary(self) -> None:
        began = time.monotonic()
        try:
            position = await self.primary.look(catalogue_changes.log_position)
        except POSTGRES_FAILED as error:
            # In recovery it is no primary any more, and has no position of its own to tell.
            log.debug("the primary's position is not known", extra={"error": error})
            return
        self.primary.lsn = position
        self._samples.append((began, position))

    async def _look_at(self, replica: Server) -> None:
        began = time.monotonic()
        try:
            row = await replica.look(_state)
        except POSTGRES_FAILED as error:
            replica.answers = False
            # A late answer may be this machine's doing as well: what was seen last holds for as long as it is fresh.
            if not (isinstance(error, TimeoutError) and self._fresh(replica, time.monotonic())):
                self._turn(replica, usable=False, why=repr(error))
            return
        replica.answers = True
        replica.latency_s += (time.monotonic() - began - replica.latency_s) * 0.2
        replica.lsn = row["lsn"]
        self._date(replica)
        if not row["in_recovery"]:
            self._turn(replica, usable=False, why="it is no replica any more")
        elif 0 < row["timeline"] < self.primary.timeline:  # its positions are of another history
            self._turn(replica, usable=False, why="it follows a primary that was replaced")
        elif not self._fresh(replica, began):  # how long the answer took on its way back is no lag
            self._turn(replica, usable=False, why="it is too far behind")
        else:
            self._turn(replica, usable=True, why="it shows what it must")

    def lag_s(self, replica: Server) -> float | None:
        """Return how far the replica was behind the primary when both were seen last; None while that is not known."""
        if not self._samples or not replica.lsn:
            return None
        seen = self._samples[-1][0]
        return max(0.0, seen - max(replica.fresh_as_of, self._samples[0][0]))

    def _date(self, replica: Server) -> None:
        for moment, position in reversed(self._samples):
            if position <= replica.lsn:
                replica.fresh_as_of = moment
                return
        replica.fresh_as_of = 0.0

    def _fresh(self, replica: Server, at: float) -> bool:
        """Whether it lagged less than it may; with the primary away, whether it shows all that was known of it."""
        if self._samples and at - self._samples[-1][0] <= self._lag_max_s:
            return at - replica.fresh_as_of <= self._lag_max_s
        return not self._samples or replica.lsn >= self._samples[-1][1]

    @staticmethod
    def _turn(replica: Server, *, usable: bool, why: str) -> None:
        if replica.usable != usable:
            log.info("%s %s", replica.name, "is read from" if usable else "is left out", extra={"why": why})
        replica.usable = usable

    def _candidates(self) -> list[Server]:
        """Return usable replicas: the less costly of two drawn first, then the rest by cost."""
        now = time.monotonic()
        usable = [replica for replica in self.replicas if replica.usable and self._fresh(replica, now)]
        if len(usable) > 1:
            drawn = min(random.sample(usable, 2), key=lambda server: server.cost)
            usable = [drawn, *sorted((other for other in usable if other is not drawn), key=lambda one: one.cost)]
        return usable

    async def read(self, work: Work[T], *, lsn: int = 0, purpose: ReadPurpose = "catalogue") -> T:
        """Do a read where everything up to log position `lsn` is shown; `purpose` is whose time it is in the metrics.

        Raises:
            StoreUnavailableError: no replica shows it, and the primary does not answer or has no place free in time;
                or replicas do, but have more to do than they can: that is no reason to ask the primary.
        """
        counted = work if self.held is None else _counted(work, purpose, self.held)
        with suppress(NotShownError, SlowError):
            return await self._read_replicas(counted, lsn)
        return await self._read_primary(counted, lsn)

    async def _read_replicas(self, work: Work[T], lsn: int) -> T:
        if not self._candidates() and any(one.usable and one.answers for one in self.replicas):
            await self.look()  # nothing speaks against a replica but that it was looked at too long ago
        try:
            return await self._ask(self._candidates(), work, lsn)
        except SlowError:
            await self.look()
            return await self._ask([one for one in self._candidates() if one.answers], work, lsn)

    async def _ask(self, replicas: list[Server], work: Work[T], lsn: int) -> T:
        why: Exception = NotShownError()
        for replica in replicas:
            try:
                done = await replica.run(_shown(work, lsn), replica.lsn, self._timeout_s)
            except NotShownError:
                continue
            except BusyError:
                why = LateReadError("too many reads wait for the replicas; try again")
            except TimeoutError as error:  # one slow read is no dead server: the next look says what it is
                log.info("%s did not answer a read in time", replica.name, extra={"error": error})
                why = SlowError()
            except asyncpg.SerializationError as error:  # what it read was vacuumed away on the primary
                log.info("%s gave up a read", replica.name, extra={"error": error})
            except POSTGRES_FAILED as error:
                self._turn(replica, usable=False, why=repr(error))
            else:
                self.reads[replica.name] += 1
                return done
        raise why

    async def _read_primary(self, work: Work[T], lsn: int) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._few.acquire()
        except TimeoutError as error:
            raise LateReadError("too many reads wait for the database; try again") from error
        try:
            with suppress(NotShownError):
                done = await self.primary.run(work, max(lsn, self.primary.lsn), self._timeout_s)
                self.reads["primary"] += 1
                return done
        except TimeoutError as error:
            raise LateReadError("the database does not answer in time; try again") from error
        except POSTGRES_FAILED as error:
            raise StoreUnavailableError("the database does not answer; try again") from error
        finally:
            self._few.release()
        raise StoreUnavailableError("the database does not show what was written to it")


async def _state(connection: Connection) -> asyncpg.Record:
    row = await connection.fetchrow(_SQL["replica_state"])
    assert row is not None
    return row


def _counted(work: Work[T], purpose: ReadPurpose, held: Callable[[ReadPurpose, float], None]) -> Work[T]:
    async def counted(connection: Connection, known: int) -> T:
        began = time.perf_counter()
        try:
            return await work(connection, known)
        finally:
            held(purpose, time.perf_counter() - began)

    return counted


def _shown(work: Work[T], lsn: int) -> Work[T]:
    """Ask the replica itself when its position at the last look is not enough."""

    async def checked(connection: Connection, known: int) -> T:
        if known < lsn:
            row = await _state(connection)
            known = row["lsn"] if row["in_recovery"] else 0
            if known < lsn:
                raise NotShownError
        return await work(connection, known)

    return checked
