"""Whether the order store still has what this process answered 202. Owns the memory of the latest of these orders.

A server that takes over without the last writes says nothing of it: only who accepted an order knows that it is gone.
So when the store's history is another, or a drain found that its end is lost, each process looks for every order it
has in mind, in both stores, and writes down those that neither has. It sends nothing again: their shoppers do. Each
says in Postgres that it lives and what it accepted last, for the others to look after it when it is gone (`deputy.py`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID, uuid4

from db.work import store_losses, witnesses
from db.work.store_losses import LostOrder
from db.work.witnesses import Latest, Word
from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import server
from doorbuster.orderstore.partition import place_of
from doorbuster.values.shadows import is_shadow
from intake.accepting.deputy import Deputy
from intake.accepting.missing import nowhere
from intake.accepting.verdicts import NEW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio import Redis

    from db.work.store_losses import Loss
    from doorbuster.orderstore.accept import Candidate
    from intake.database import Database

    Place = tuple[int, int]

log = logging.getLogger("doorbuster.intake.witness")

KEEP = 50_000
"""Orders of a process that are kept in mind, some 10 MB: ten seconds at 5,000 a second."""
LOOK_S = 0.5
NOTE_S, BEAT_S = 1.0, 3.0
"""How soon after it accepted an order it says so, and how often it says that it lives."""
END_S = 1.0
"""For its last word."""
LATEST_MAX = 1_000
"""Partitions of which its latest order is told: of those with the newest."""
SURE_S = 3.0
"""An order that a drain has read and not committed is nowhere for a moment: what is not found is looked for again."""


class _Batch(NamedTuple):
    place: Place
    keys: list[str]
    entry_ids: list[bytes]


class Witness:
    """Remembers what was accepted, and looks for it when it may be lost."""

    def __init__(self, redis: Redis, database: Database, *, durability: str, keep: int = KEEP) -> None:
        self._redis, self._database, self._keep, self._durability = redis, database, keep, durability
        self.id = uuid4()
        self._batches: deque[_Batch] = deque()
        self._kept = 0
        self._forgotten: dict[Place, Place] = {}
        """Partition -> the newest entry there that it has no more in mind."""
        self._latest: dict[Place, tuple[str, bytes]] = {}
        """Partition -> key and verdict of the newest order there."""
        self._histories: list[str] | None = None
        self._heard: int | None = None
        self._has_news, self._noted_at = True, -BEAT_S
        self._deputy = Deputy(redis, database, self.id)

    def accepted(self, place: Place, batch: Sequence[Candidate], verdicts: Sequence[bytes]) -> None:
        """Keep a batch's new orders in mind, and forget the oldest ones beyond `keep`; a rehearsal's are nobody's."""
        new = [
            (candidate.key, verdict) for candidate, verdict in zip(batch, verdicts, strict=True) if verdict[:1] == NEW
        ]
        if not new or is_shadow(place[0]):
            return
        self._batches.append(_Batch(place, [key for key, _ in new], [verdict for _, verdict in new]))
        self._latest[place] = new[-1]
        self._kept += len(new)
        while self._kept > self._keep:
            oldest = self._batches.popleft()
            self._kept -= len(oldest.keys)
            self._forgotten[oldest.place] = place_of(oldest.entry_ids[-1][1:].decode())
        self._has_news = True

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
                await self._deputy.look()
            except STORE_FAILED as error:  # whether it answers is another check
                log.debug("what was accepted cannot be looked for", extra={"error": error})
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Look whether anything can be lost, and if so for what this process accepted; then say that it lives."""
        histories = sorted(one.info.get("master_replid", "") for one in await server.kept_data(self._redis))
        async with self._database.reading("watching") as connection:
            if self._heard is None:
                self._heard = await store_losses.last_loss(connection)
            losses = await store_losses.after(connection, self._heard)
        if losses or (self._histories is not None and histories != self._histories):
            await self._search(losses)
        is_other, self._histories = histories != self._histories, histories
        self._heard = max([self._heard, *(loss.loss_id for loss in losses)])
        silent_s = time.monotonic() - self._noted_at
        if is_other or silent_s >= BEAT_S or (self._has_news and silent_s >= NOTE_S):
            await self._note()

    async def end(self) -> None:
        """Say the last word: nothing is accepted any more. Who cannot say it is missed, and looked after."""
        try:
            async with asyncio.timeout(END_S):
                await self._note(ends=True)
        except STORE_FAILED as error:
            log.info("what was accepted here could not be told at the end", extra={"error": error})

    async def _note(self, *, ends: bool = False) -> None:
        """Say in Postgres what was accepted here."""
        is_first, self._has_news = self._noted_at < 0, False
        word = Word(self._durability, self._histories or [], self._told())
        async with self._database.working("watching") as connection:
            if is_first:
                await witnesses.forget(connection)
            await witnesses.note(connection, self.id, word, ends=ends)
        self._noted_at = time.monotonic()

    def _told(self) -> dict[Place, Latest]:
        """Return its latest order of each partition, and forget those of too many."""
        told = {place: Latest(verdict[1:].decode(), UUID(key[-32:])) for place, (key, verdict) in self._latest.items()}
        if len(told) > LATEST_MAX:
            newest = sorted(told, key=lambda place: place_of(told[place].entry_id))[-LATEST_MAX:]
            told = {place: told[place] for place in newest}
            self._latest = {place: self._latest[place] for place in newest}
        return told

    async def _search(self, losses: Sequence[Loss]) -> None:
        lost = await self._nowhere([(batch, at) for batch in self._batches for at in range(len(batch.keys))])
        if lost:
            await asyncio.sleep(SURE_S)
            lost = await self._nowhere(lost)
        told = [
            LostOrder(UUID(batch.keys[at][-32:]), batch.place, batch.entry_ids[at][1:].decode()) for batch, at in lost
        ]
        said = [loss.loss_id for loss in losses if self._forgotten.get(loss.place, (0, 0)) <= place_of(loss.cursor_id)]
        unsaid = [loss.loss_id for loss in losses if loss.loss_id not in said]
        async with self._database.working("watching") as connection:
            new = await store_losses.note_lost(connection, told) if told else 0
            if said:
                await store_losses.testify(connection, self.id, said)
            if unsaid:
                await store_losses.cannot_say(connection, self.id, unsaid)
        level = logging.ERROR if told else logging.INFO
        about = {"looked_for": self._kept, "lost": len(told), "new": new, "losses": len(losses)}
        log.log(level, "the order store may have lost its end: what was accepted was looked for", extra=about)

    async def _nowhere(self, wanted: Sequence[tuple[_Batch, int]]) -> list[tuple[_Batch, int]]:
        """Return those that are in neither store."""
        by_id = {UUID(batch.keys[at][-32:]): (batch, at) for batch, at in wanted}
        gone = await nowhere(self._redis, self._database, by_id)
        return [one for order_id, one in by_id.items() if order_id in gone]


class Observers:
    """What is told of each batch: who counts, and who remembers."""

    def __init__(self, count: Callable[[list[bytes], float], None], witness: Witness) -> None:
        self.batch = count
        self.accepted = witness.accepted
