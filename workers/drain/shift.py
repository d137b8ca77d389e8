"""The drain shift: turns a partition's accepted entries into orders, batch by batch, in the order of acceptance.

Owns the reading of the stream and what is told to the order store after a commit; a batch's transaction is `batch.py`.
There is no consumer group: the cursor is in Postgres and moves with the batch (docs/adr/0001). Never trims or tells
what is not committed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from db.work import cursors, store_losses
from db.work.due_work import Partition
from doorbuster import tracing
from doorbuster.errors import StoreUnavailableError
from doorbuster.orderstore.backlog import streams
from doorbuster.orderstore.partition import START, Committed, after_commit, place_of, total_at, wait_after
from workers.drain import bisect, history, traces
from workers.drain.batch import Claim, Entry, Outcome, dead_letter_entry, drain_batch
from workers.drain.history import entry_of
from workers.drain.people_memory import PeopleMemory
from workers.drain.replay import replay, tell
from workers.publish.availability import Units
from workers.runtime.shift import BLOCK_S

if TYPE_CHECKING:
    from workers.payments.gateway import Gateway
    from workers.runtime.shift import Shift

IMMEDIATE_S = 0.5
PAGE = 250
"""Entries read at a time: taking them in holds up the loop, and with it what waits for Postgres."""

log = logging.getLogger("doorbuster.workers.drain")


class Drain:
    """Drains one partition; see `shift.Work`."""

    paced = True
    is_busy = False

    def __init__(self, shift: Shift, partition: Partition, gateway: Gateway | None = None) -> None:
        """Take the partition, and the sale's gateway, which it closes; None: every payment is left to the settling."""
        self._shift = shift
        self._gateway = gateway
        self.full = shift.settings.drain_batch_max
        self._partition = partition
        self._cursor = self._after = START
        self._ahead: asyncio.Task[list[Entry]] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._untold: list[Outcome] = []
        self._last: Entry | None = None
        self._said = ("", "")
        """What the gate says of this drain; what says otherwise has another history."""
        self._total: int | None = None
        """Bytes of all entries worked off; None: whoever wrote them did not count."""
        self._units = Units(shift.settings)
        self._people = PeopleMemory()

    async def begin(self) -> None:
        """Go on from the committed cursor, or from where the order store's history ends if it lies before."""
        await self._drop_tasks()
        self._people = PeopleMemory()
        connection = await self._shift.connection()
        self._cursor, drained = await cursors.read(connection, *self._partition)
        stream = (await streams(self._shift.orders, [self._partition]))[self._partition]
        if (again := await replay(self._shift.orders, self._partition, self._cursor, drained, stream)) is not None:
            tell(again, self._shift.name)
        self._said, self._last = stream.raw, None
        gap = await history.gap(connection, self._shift.orders, self._partition, (self._cursor, drained), stream)
        beyond = ""
        if gap is not None:
            log.warning("the order store lost its end", extra={"shift": self._shift.name, **gap._asdict()})
            async with self._shift.leased_transaction() as held:
                await cursors.rewind(held, *self._partition, to=gap.store_id)
                await store_losses.note(held, self._partition, gap)
            self._cursor, beyond = gap.store_id, gap.cursor_id
        self._total = await total_at(self._shift.orders, self._partition, self._cursor)
        self._untold.append(Outcome(self._cursor, drained))
        # Where the gate counts fewer entries at this very place, it does not know of those that were drained and lost.
        unknown = max(drained - stream.told, 0) if self._cursor == (stream.place or START) else 0
        await self._tell(unknown=unknown, beyond=beyond)
        self._after = self._cursor
        self._read_ahead()

    async def step(self) -> int:
        """Commit what was read ahead while the next batch is being read."""
        assert self._ahead is not None
        waited = self._ahead.done()
        entries = await self._ahead
        most = self._shift.size.now
        if waited and 0 < len(entries) < most:
            # It was read before the last commit ended: take what came since as well.
            entries += await self._read(entries[-1].id, most - len(entries))
        self._ahead, self._after = None, entries[-1].id if entries else self._cursor
        if entries:
            await self._commit(entries)
        self._read_ahead()
        return len(entries)

    def _read_ahead(self) -> None:
        """Begin to read what comes next, unless that has begun."""
        if self._ahead is None:
            self._ahead = asyncio.create_task(self._wait_and_read(self._after))

    async def end(self, *, immediately: bool) -> None:
        """Stop reading; what is committed is told first, unless the order store is away."""
        if self._telling is not None:
            await asyncio.wait({self._telling}, timeout=IMMEDIATE_S if immediately else None)
        await self._drop_tasks()
        await self._units.close()
        if self._gateway is not None:
            await self._gateway.close()

    async def _commit(self, entries: list[Entry]) -> None:
        connection = await self._shift.connection()

        async def write(part: list[Entry]) -> Outcome:
            traced = await traces.keep(self._shift.orders, self._partition, part) if tracing.ON else {}
            began_ns = time.time_ns()
            with self._shift.timed():
                drained = drain_batch(
                    connection, self._claim(), part,
                    gateway=self._gateway, meanwhile=self._read_ahead, memory=self._people,
                )  # fmt: skip
                outcome = self._moved(await drained)
            if tracing.ON:
                traces.tell(self._partition, traced, began_ns, entries=len(part))
            return outcome

        async def dead_letter(entry: Entry, detail: str) -> Outcome:
            return self._moved(await dead_letter_entry(connection, self._claim(), entry, detail=detail))

        # What was read before batches became smaller is committed in parts.
        for part in _in_parts(entries, self._shift.size.now):
            self._untold += await bisect.commit(part, write=write, dead_letter=dead_letter)
        if self._telling is not None:
            await self._telling
        self._last = entries[-1]
        self._total = next((int(entry.total) for entry in reversed(entries) if entry.total), self._total)
        self._telling = asyncio.create_task(self._tell())

    def _claim(self) -> Claim:
        return Claim(self._partition, self._shift.lease, self._cursor)

    def _moved(self, outcome: Outcome) -> Outcome:
        self._cursor = outcome.cursor
        if outcome.dead_lettered:
            log.warning("entries dead-lettered", extra={"shift": self._shift.name, "entries": outcome.dead_lettered})
        return outcome

    async def _tell(self, *, unknown: int = 0, beyond: str = "") -> None:
        """Tell the order store what is committed: done entries go, waiting shoppers hear, the shelf is updated.

        Raises:
            StoreUnavailableError: it is not where this drain left it; begin again.
        """
        told = list(self._untold)
        in_stock: dict[str, bool] = {}
        for outcome in told:
            in_stock |= dict.fromkeys(outcome.in_stock, True) | dict.fromkeys(outcome.sold_out, False)
        gone = [product_id for product_id, available in in_stock.items() if not available]
        back = [product_id for product_id, available in in_stock.items() if available]
        committed = Committed(
            said=self._said,
            trim_below=None if told[-1].cursor == START else self._trim_below(told[-1].cursor),
            drained=told[-1].drained,
            cursor=told[-1].cursor,
            drained_bytes=self._total,
            changed=[order_id for outcome in told for order_id in outcome.changed],
            in_stock=back,
            sold_out=gone,
            unknown=unknown,
            beyond=beyond,
            last=self._last.payload if self._last is not None and self._last.id == told[-1].cursor else b"",
        )
        said, refused = await after_commit(self._shift.orders, self._partition, committed)
        if said is None:
            raise StoreUnavailableError("the order store is not where this drain left it")
        self._said = said
        del self._untold[: len(told)]
        if refused:
            log.warning("the order store is full", extra={"shift": self._shift.name, "error": refused[0]})
            self._untold.insert(0, Outcome(told[-1].cursor, told[-1].drained, sold_out=set(gone)))
        await self._units.tell({product_id: left for outcome in told for product_id, left in outcome.units.items()})

    def _trim_below(self, cursor: str) -> str:
        milliseconds, sequence = place_of(cursor)
        if keep_s := self._shift.settings.stream_keep_s:
            return f"{max(milliseconds - keep_s * 1000, 0)}-0"
        return f"{milliseconds}-{sequence + 1}"

    async def _wait_and_read(self, after: str) -> list[Entry]:
        """Return the next batch's entries, waiting for the first of them for a moment."""
        most = self._shift.size.now
        first = await self._page(after, min(PAGE, most), wait_ms=int(BLOCK_S * 1000))
        return first if len(first) < PAGE else first + await self._read(first[-1].id, most - PAGE)

    async def _read(self, after: str, most: int) -> list[Entry]:
        """Return what is there behind an entry, a page at a time: what waits for Postgres gets its turn in between."""
        entries: list[Entry] = []
        while len(entries) < most:
            page = await self._page(after, min(PAGE, most - len(entries)))
            entries += page
            if len(page) < PAGE:
                break
            after = page[-1].id
        return entries

    async def _page(self, after: str, count: int, *, wait_ms: int | None = None) -> list[Entry]:
        found = await wait_after(self._shift.reader, self._partition, after, count=count, wait_ms=wait_ms)
        return [entry_of(entry_id, fields) for entry_id, fields in found]

    async def _drop_tasks(self) -> None:
        tasks = [task for task in (self._ahead, self._telling) if task is not None]
        self._ahead = self._telling = None
        for task in tasks:
            task.cancel()
        for failure in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(failure, asyncio.CancelledError | list | None):
                log.info("dropped", extra={"shift": self._shift.name, "error": failure})


def _in_parts(entries: list[Entry], most: int) -> list[list[Entry]]:
    """Return the entries in parts of at most so many, in order."""
    return [entries[at : at + most] for at in range(0, len(entries), most)]
