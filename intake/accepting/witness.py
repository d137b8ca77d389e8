"""Whether the order store still has what this process answered 202. Owns the memory of the latest of these orders.

A server that takes over without the last writes says nothing of it: only who accepted an order knows that it is gone.
So when the store's history is another, or a drain found that its end is lost, each process looks for every order it
has in mind, in both stores, and writes down those that neither has. It sends nothing again: their shoppers do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from db.work import store_losses
from db.work.store_losses import LostOrder
from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import accepted, server
from doorbuster.orderstore.partition import place_of
from intake.accepting.verdicts import NEW

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from redis.asyncio import Redis

    from db.work.store_losses import Loss
    from doorbuster.orderstore.accept import Candidate
    from intake.database import Database

    Place = tuple[int, int]

log = logging.getLogger("doorbuster.intake.witness")

KEEP = 50_000
"""Orders of a process that are kept in mind, some 10 MB: ten seconds at 5,000 a second."""
LOOK_S = 0.5
SURE_S = 3.0
"""An order that a drain has read and not committed is nowhere for a moment: what is not found is looked for again."""
PAGE = 1_000


class _Batch(NamedTuple):
    place: Place
    keys: list[str]
    entry_ids: list[bytes]


class Witness:
    """Remembers what was accepted, and looks for it when it may be lost."""

    def __init__(self, redis: Redis, database: Database, *, keep: int = KEEP) -> None:
        self._redis, self._database, self._keep = redis, database, keep
        self._batches: deque[_Batch] = deque()
        self._kept = 0
        self._since_ms = int(time.time() * 1000)
        """Everything that this process accepted from then on is kept."""
        self._histories: list[str] | None = None
        self._heard: int | None = None

    def accepted(self, place: Place, batch: Sequence[Candidate], verdicts: Sequence[bytes]) -> None:
        """Keep a batch's new orders in mind, and forget the oldest ones beyond `keep`."""
        new = [
            (candidate.key, verdict) for candidate, verdict in zip(batch, verdicts, strict=True) if verdict[:1] == NEW
        ]
        if not new:
            return
        self._batches.append(_Batch(place, [key for key, _ in new], [verdict for _, verdict in new]))
        self._kept += len(new)
        while self._kept > self._keep:
            oldest = self._batches.popleft()
            self._kept -= len(oldest.keys)
            self._since_ms = place_of(oldest.entry_ids[-1][1:].decode())[0] + 1

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except STORE_FAILED as error:  # whether it answers is another check
                log.debug("what was accepted cannot be looked for", extra={"error": repr(error)})
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look whether anything can be lost, and if so for what this process accepted."""
        histories = sorted(one.info.get("master_replid", "") for one in await server.kept_data(self._redis))
        async with self._database.reading("watching") as connection:
            if self._heard is None:
                self._heard = await store_losses.last_loss(connection)
            losses = await store_losses.after(connection, self._heard)
        if losses or (self._histories is not None and histories != self._histories):
            await self._search(losses)
        self._histories = histories
        self._heard = max([self._heard, *(loss.loss_id for loss in losses)])

    async def _search(self, losses: Sequence[Loss]) -> None:
        lost = await self._nowhere([(batch, at) for batch in self._batches for at in range(len(batch.keys))])
        if lost:
            await asyncio.sleep(SURE_S)
            lost = await self._nowhere(lost)
        told = [
            LostOrder(UUID(batch.keys[at][-32:]), batch.place, batch.entry_ids[at][1:].decode()) for batch, at in lost
        ]
        seen = [loss.loss_id for loss in losses if self._since_ms <= place_of(loss.cursor_id)[0]]
        async with self._database.working() as connection:
            new = await store_losses.note_lost(connection, told) if told else 0
            if seen:
                await store_losses.testify(connection, seen)
        level = logging.ERROR if told else logging.INFO
        about = {"looked_for": self._kept, "lost": len(told), "new": new, "losses": len(losses)}
        log.log(level, "the order store may have lost its end: what was accepted was looked for", extra=about)

    async def _nowhere(self, wanted: Sequence[tuple[_Batch, int]]) -> list[tuple[_Batch, int]]:
        """Return those that are in neither store."""
        missing = []
        for begin in range(0, len(wanted), PAGE):
            page = wanted[begin : begin + PAGE]
            by_id = {UUID(batch.keys[at][-32:]): (batch, at) for batch, at in page}
            unknown = await self._unknown(by_id)
            held = await accepted.held(self._redis, unknown)
            # What went from the one store meanwhile is in the other.
            missing += [by_id[order_id] for order_id in await self._unknown(unknown - held)]
        return missing

    async def _unknown(self, order_ids: Collection[UUID]) -> set[UUID]:
        if not order_ids:
            return set()
        async with self._database.reading("watching") as connection:
            return set(order_ids) - await store_losses.known(connection, list(order_ids))


class Observers:
    """What is told of each batch: who counts, and who remembers."""

    def __init__(self, count: Callable[[list[bytes], float], None], witness: Witness) -> None:
        self.batch = count
        self.accepted = witness.accepted
