"""The relay: hands what was committed to an outbox on to its targets, at least once and in the outbox's order.

Owns the loop: read behind a target's cursor, deliver, move the cursor; what all targets have is forgotten. Each target
has a cursor of its own, so that one that is away holds up no other. Never reads past a transaction that is still open,
which is the source's duty: none is skipped when transactions commit out of order. Knows no target by name.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from db.work import outbox
from doorbuster.failures import TRANSIENT

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.work.outbox import OutboxPlace
    from workers.runtime.shift import Shift

BATCH = 2_000
POLL_S = 0.1
FORGET_S = 60.0
"""How often an idle relay lets its sources forget what every target has."""

log = logging.getLogger("doorbuster.workers.relay")

Row = TypeVar("Row")


class OutboxBatch(NamedTuple, Generic[Row]):
    """Rows of an outbox that a target has not had yet, in order; at least one."""

    rows: Sequence[Row]
    end: OutboxPlace
    """Where the last of them stands."""
    lsn: int = 0
    """A position of the log behind all of them, where the source knows one."""


class OutboxSource(Protocol[Row]):
    """An outbox, as its rows are read without passing one over."""

    keeps_cursors: bool
    """Whether it is remembered how far its targets are."""

    async def start(self, connection: Connection, cursor: str) -> OutboxPlace:
        """Return behind what a target goes on."""

    async def read(
        self, connection: Connection, after: OutboxPlace, *, limit: int, age_s: float
    ) -> OutboxBatch[Row] | None:
        """Return the rows behind `after` that are at least so old, up to the first that is not; None: there is none."""

    async def any_behind(self, connection: Connection, cursor: str, *, age_s: float) -> bool:
        """Say whether a target's cursor has such rows before it."""

    async def forget(self, connection: Connection, cursors: Sequence[str]) -> None:
        """Delete what all of these cursors have passed and nobody else reads, a part of it."""


class OutboxTarget(Protocol[Row]):
    """Something that is told what an outbox holds."""

    name: str
    """Of its cursor."""
    source: OutboxSource[Row]
    wait_s: float
    """How old a row must be before it is told, from the moment it was written."""

    async def deliver(self, batch: OutboxBatch[Row]) -> bool:
        """Take rows, again or for the first time; say whether the target still has what it was told before.

        Raises:
            One of TRANSIENT: it is away; the same rows come again.
        """

    async def close(self) -> None:
        """Close what is open."""


class Relay:
    """Keeps its targets told; see `shift.Work`."""

    full = BATCH
    is_busy = False

    def __init__(self, shift: Shift, targets: Sequence[OutboxTarget[Any]], *, paced: bool = False) -> None:
        """Take the targets; `paced` rests after a step, so that what comes meanwhile shares a transaction."""
        self.paced = paced
        self._shift = shift
        self._targets = targets
        self._cursors: dict[str, OutboxPlace] = {}
        self._forgot = time.monotonic()
        self._read_s = 0.0
        """How long a step has read: the transaction that moves cursors is quick however slow that was."""

    async def begin(self) -> None:
        """Go on behind the last row known to be told to each target."""
        connection = await self._shift.connection()
        self._cursors = {target.name: await target.source.start(connection, target.name) for target in self._targets}

    async def step(self) -> int:
        """Tell each target a batch. One that fails holds up itself alone: it is raised when all had their turn.

        Targets that are as far as each other are told of one reading; all cursors move in one transaction.
        """
        connection = await self._shift.connection()
        read: dict[tuple[int, OutboxPlace, float], OutboxBatch[Any] | None] = {}
        ends: dict[str, OutboxPlace] = {}
        done, failure, self._read_s = 0, None, 0.0
        for target in self._targets:
            batch = await self._read(connection, target, read)
            if batch is None:
                continue
            try:
                ends[target.name] = await self._hand_on(target, batch)
            except TRANSIENT as error:
                if connection.is_closed():
                    raise
                failure = failure or error
            else:
                done += len(batch.rows)
        await self._keep(ends)
        if failure is not None:
            raise failure
        if not done:
            await self._forget(connection)
            await asyncio.sleep(POLL_S)
        return done

    async def end(self, *, immediately: bool) -> None:  # noqa: ARG002 - closing takes no time
        """Close what the targets have open."""
        for target in self._targets:
            await target.close()

    async def _keep(self, ends: Mapping[str, OutboxPlace]) -> None:
        """Remember how far targets are now."""
        kept = [target.name for target in self._targets if target.name in ends and target.source.keeps_cursors]
        if kept:
            async with self._shift.leased_transaction(read_s=self._read_s) as held:
                for name in kept:
                    await outbox.advance(held, name, ends[name])
        self._cursors |= ends

    async def _read(
        self,
        connection: Connection,
        target: OutboxTarget[Any],
        read: dict[tuple[int, OutboxPlace, float], OutboxBatch[Any] | None],
    ) -> OutboxBatch[Any] | None:
        """Return what is behind a target's cursor; `read` has what was read for the targets before it."""
        key = id(target.source), self._cursors[target.name], target.wait_s
        if key not in read:
            began = time.monotonic()
            read[key] = await target.source.read(connection, key[1], limit=self._shift.size.now, age_s=key[2])
            self._read_s += time.monotonic() - began
        return read[key]

    async def _hand_on(self, target: OutboxTarget[Any], batch: OutboxBatch[Any]) -> OutboxPlace:
        """Tell a target a batch; return how far it is then."""
        keeps = await target.deliver(batch)
        end = batch.end if keeps or self._cursors[target.name] == outbox.START else outbox.START
        if end == outbox.START:
            log.warning("a target of the outbox began anew, all is published again", extra={"target": target.name})
        return end

    async def _forget(self, connection: Connection) -> None:
        if time.monotonic() - self._forgot > FORGET_S:
            self._forgot = time.monotonic()
            for source in {id(target.source): target.source for target in self._targets}.values():
                cursors = [target.name for target in self._targets if target.source is source]
                await source.forget(connection, cursors)
