"""The process's copy of the sales in use, and the lane of each partition. Owns freshness; never decides a window.

A copy is at most about a second old while Postgres answers, and goes on serving while it does not (promise P9): the
gate beside the stream is what decides whether a sale takes orders. What is sold out is polled from the order store.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from typing import TYPE_CHECKING

from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import STORE_FAILED
from doorbuster.log import shared_context
from doorbuster.orderstore import sold_out
from doorbuster.orderstore.accept import prefixes_of
from doorbuster.orderstore.gate import gate_of, phase_at, publish_each
from doorbuster.orderstore.ids import partition_of
from doorbuster.values.shadows import is_shadow
from intake.accepting import verdicts
from intake.accepting.group_commit import PartitionCommit
from intake.accepting.live_first import LiveFirst
from intake.sales.minute_counts import MinuteCounts
from waitingroom.room import Mode
from waitingroom.sale_config import mode_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from db.sales import Sale
    from doorbuster.contract.orders import OrderRequest
    from doorbuster.orderstore.accept import AcceptScript
    from intake.accepting.group_commit import BatchObserver
    from intake.sales.minute_counts import Counts
    from intake.sales.offered import Offers, SaleDocument

    LoadSale = Callable[[str], Awaitable[Sale | None]]

log = logging.getLogger("doorbuster.intake.sales")

FRESH_S = 1.0
POLL_S = 0.25
IN_USE_S = 10.0
ABSENT_S = 0.1
PATIENCE_S = 0.2
"""How long to wait for Postgres when there is a copy; less than what is left of a copy that `keep_fresh` renews."""
MOST_SALES = 1_000
"""Copies, and absent ids remembered, in one process."""

_SALE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class PartitionHandle:
    """A partition of a sale as this process sees it."""

    __slots__ = ("accepted_prefix", "commit", "looked", "partition", "sold_out", "spent_prefix")

    def __init__(self, number: int, partition: int, commit: PartitionCommit) -> None:
        self.partition = partition
        self.accepted_prefix, self.spent_prefix = prefixes_of(number, partition)
        self.commit = commit
        self.sold_out: set[str] = set()
        self.looked = 0
        """Which look at the order store said so: a later one counts."""


class CachedSale:
    """A sale and its lanes; the lanes outlive every reload of the sale."""

    __slots__ = (
        "answer_head",
        "changes_at",
        "counts",
        "document",
        "fresh_until",
        "has_room",
        "lanes",
        "number",
        "offers",
        "sale",
        "taken_at",
        "used_at",
    )

    def __init__(
        self, sale: Sale, script: AcceptScript, watch: BatchObserver, counts: Counts, live_first: LiveFirst
    ) -> None:
        self.take(sale)
        self.number = sale.number
        self.counts = counts
        """What happens to it here, by minute."""
        self.answer_head = f'","sale_id":"{sale.sale_id}","status":"accepted","accepted_at":"'
        self.fresh_until = 0.0
        self.used_at = 0.0
        self.offers: Offers | None = None
        """What it offers; None: that is to be read anew."""
        self.lanes = tuple(self._lane(partition, script, watch, live_first) for partition in range(sale.partitions))

    def take(self, sale: Sale) -> None:
        """Take the sale as it was read last."""
        self.sale = sale
        self.taken_at = time.monotonic()
        until_s = math.inf if (at := sale.next_change_at) is None else (at - sale.read_at).total_seconds()
        self.changes_at = self.taken_at + until_s
        """When the sale's plan makes another one of this copy."""
        self.has_room = mode_of(sale) is not Mode.OFF
        """Whether a waiting room stands before the sale, or may."""
        self.document: SaleDocument | None = None
        """As everyone sees the sale."""

    def follow_plan(self) -> None:
        """Make of the copy what the sale's plan says of this moment; no store is asked."""
        self.take(self.sale.later(time.monotonic() - self.taken_at))

    def likely_verdict(self, order: OrderRequest, now_s: float) -> bytes | None:
        """Return why the accept script would refuse the order for the sale's sake, as far as is known here."""
        gate, now_ms = gate_of(self.sale, 0), now_s * 1000
        phase = phase_at(gate, now_ms)
        if phase != "open":
            return verdicts.HOLD if phase == "hold" else verdicts.CLOSED
        if now_ms < gate.opens_ms:
            return verdicts.EARLY
        if 0 < gate.closes_ms <= now_ms:
            return verdicts.LATE
        if order.standby:
            return None  # it waits for units
        gone = self.lanes[partition_of(order.customer_id, len(self.lanes))].sold_out
        return verdicts.SOLD_OUT if any(line.product_id in gone for line in order.lines) else None

    def _lane(
        self, partition: int, script: AcceptScript, watch: BatchObserver, live_first: LiveFirst
    ) -> PartitionHandle:
        gate = lambda: gate_of(self.sale, partition)  # noqa: E731 - the sale is another at each reload
        commit = PartitionCommit(script, self.number, partition, gate, watch, live_first)
        return PartitionHandle(self.number, partition, commit)


class Sales:
    """Finds sales by id."""

    def __init__(self, load: LoadSale, redis: Redis, script: AcceptScript, watch: BatchObserver) -> None:
        self._load = load
        self._redis = redis
        self._script = script
        self._watch = watch
        self._cached: dict[str, CachedSale] = {}
        self._absent: dict[str, float] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, int] = {}
        self._looks = 0
        self.live_first = LiveFirst()
        """Which batches go first here: those of sales."""
        self.counts = MinuteCounts()
        self.counts.number_of = self._number_of

    def fresh(self, sale_id: str) -> CachedSale | None:
        """Return the sale if its copy is fresh; costs no I/O."""
        cached = self._cached.get(sale_id)
        now = time.monotonic()
        if cached is None or now > cached.fresh_until:
            return None
        if now >= cached.changes_at:
            cached.follow_plan()
        cached.used_at = now
        return cached

    async def get(self, sale_id: str) -> CachedSale | None:
        """Return the sale, or None if there is none.

        Raises:
            StoreUnavailableError: Postgres does not answer and no copy is here.
        """
        if cached := self.fresh(sale_id):
            return cached
        if self._absent.get(sale_id, 0.0) > time.monotonic() or not _SALE_ID.fullmatch(sale_id):
            return None
        await self._reload(sale_id)
        if cached := self._cached.get(sale_id):
            cached.used_at = time.monotonic()
        return cached

    def all(self, *, shadows: bool = False) -> list[CachedSale]:
        """Return the copies this process holds; `shadows` are for who acts by them, not for who tells of sales."""
        return [cached for cached in self._cached.values() if shadows or not is_shadow(cached.number)]

    def holds(self, sale_id: str) -> bool:
        """Say whether this process has a copy of the sale."""
        return sale_id in self._cached

    def copy_of(self, sale_id: str) -> Sale | None:
        """Return the sale as this process read it last, however long ago; None: it has no copy."""
        return None if (cached := self._cached.get(sale_id)) is None else cached.sale

    def put(self, sale: Sale) -> CachedSale:
        """Take a sale as just read from Postgres; read before a change that was told of, it is not fresh."""
        self._absent.pop(sale.sale_id, None)
        cached = self._cached.get(sale.sale_id)
        if cached is None or cached.number != sale.number:
            self._make_room()
            counts = self.counts.of(sale.number)
            cached = self._cached[sale.sale_id] = CachedSale(sale, self._script, self._watch, counts, self.live_first)
        elif sale.version >= cached.sale.version:
            cached.take(sale)
        is_old = cached.sale.version < self._told.get(sale.sale_id, 0)
        cached.fresh_until = 0.0 if is_old else time.monotonic() + FRESH_S
        return cached

    async def renew(self, sale_id: str, version: int) -> None:
        """Act by a change of a sale: no copy older than this version counts, nor that there is no such sale."""
        self._absent.pop(sale_id, None)
        if len(self._told) >= MOST_SALES and sale_id not in self._told:
            self._told.clear()
        self._told[sale_id] = max(version, self._told.get(sale_id, 0))
        for _ in range(2):  # a reading that is under way may have begun before the change
            cached = self._cached.get(sale_id)
            if cached is None or cached.sale.version >= version:
                return
            cached.fresh_until = 0.0
            await self._reload(sale_id, patience_s=FRESH_S)

    def distrust(self) -> None:
        """Read everything anew when it is asked for next: changes may have been missed."""
        self._absent.clear()
        for cached in self._cached.values():
            cached.fresh_until = 0.0

    async def publish(self, sale: Sale) -> None:
        """Put the sale's gates before the streams; the change is in Postgres already."""
        self.put(sale)
        await publish_each(self._redis, [gate_of(sale, partition) for partition in range(sale.partitions)])

    async def retire(self, shadow: Sale) -> None:
        """Shut the gates of a shadow that is closed in Postgres already, and serve it no more."""
        self._cached.pop(shadow.sale_id, None)
        await publish_each(self._redis, [gate_of(shadow, partition) for partition in range(shadow.partitions)])

    async def keep_fresh(self) -> None:
        """Refresh the copies in use and what is sold out, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            now = time.monotonic()
            used = [cached for cached in self._cached.values() if now - cached.used_at < IN_USE_S]
            await self.look_at_shelves(used)
            stale = [cached for cached in used if cached.fresh_until - now < FRESH_S / 2]
            await asyncio.gather(*(self._reload(cached.sale.sale_id) for cached in stale))

    async def look_at_shelves(self, used: list[CachedSale]) -> None:
        """Read what is sold out of these sales."""
        self._looks += 1
        look = self._looks
        lanes = [(cached, lane) for cached in used for lane in cached.lanes]
        if not lanes:
            return
        try:
            answers = await sold_out.read(self._redis, [(cached.number, lane.partition) for cached, lane in lanes])
        except STORE_FAILED as error:
            log.warning("what is sold out could not be read", extra={"error": error})
            return
        for (_, lane), members in zip(lanes, answers, strict=True):
            if lane.looked < look:
                lane.sold_out, lane.looked = members, look

    async def _reload(self, sale_id: str, *, patience_s: float = PATIENCE_S) -> None:
        task = self._loading.get(sale_id)
        if task is None:
            task = self._loading[sale_id] = asyncio.create_task(self._read(sale_id), context=shared_context())
            task.add_done_callback(lambda done: self._forget_task(sale_id, done))
        try:
            # A Postgres that hangs must not stop the sale: with a copy at hand one waits a moment, the reading goes on.
            async with asyncio.timeout(patience_s if sale_id in self._cached else None):
                await asyncio.shield(task)
        except STORE_FAILED as error:
            self._serve_stale(sale_id, error)

    async def _read(self, sale_id: str) -> None:
        sale = await self._load(sale_id)
        cached = self._cached.get(sale_id)
        if cached is not None and is_shadow(cached.number) and (sale is None or sale.phase == "closed"):
            del self._cached[sale_id]  # it leaves no trace: from here on there is no such sale
        elif sale is not None and is_shadow(sale.number) and sale.phase == "closed":
            return
        elif sale is not None:
            self.put(sale)
        elif sale_id not in self._cached and sale_id not in self._told:
            # But for shadows, sales are never deleted: a copy that came meanwhile is right, and so is who told of it.
            if len(self._absent) >= MOST_SALES:
                self._absent.clear()
            self._absent[sale_id] = time.monotonic() + ABSENT_S

    def _number_of(self, sale_id: str) -> int | None:
        cached = self._cached.get(sale_id)
        return None if cached is None else cached.number

    def _forget_task(self, sale_id: str, done: asyncio.Task[None]) -> None:
        self._loading.pop(sale_id, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            # Told by `_serve_stale` to who waited.
            log.debug("reading a sale ended", extra={"sale_id": sale_id, "error": error})

    def _serve_stale(self, sale_id: str, error: Exception) -> None:
        log.warning("a sale could not be read", extra={"sale_id": sale_id, "error": error})
        cached = self._cached.get(sale_id)
        if cached is None:
            raise StoreUnavailableError("The sale cannot be looked up now; try again") from error
        cached.follow_plan()
        cached.fresh_until = time.monotonic() + FRESH_S

    def _make_room(self) -> None:
        if len(self._cached) >= MOST_SALES:
            oldest = min(self._cached, key=lambda sale_id: self._cached[sale_id].used_at)
            del self._cached[oldest]
