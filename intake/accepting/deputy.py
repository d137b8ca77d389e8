"""Looks after what an intake accepted that is gone. Owns what can be known of it; remembers no order itself.

Of one that is gone there is its last word: the latest order of each partition. As the order store's history is a
beginning of what it was, all before such an order is where that one is. Three things can follow:

- one of these orders is in neither store: it is written down as lost, and with it that others may be;
- a replica took over since the last word, at a level that does not wait for replicas: what came after the last word
  may be lost, which nobody can ever say. It is told as that;
- all that can have been accepted is drained: the intake is asked of no later loss any more.

Until then each loss that a drain finds lists the intake as one that was not heard.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from db.work import due_work, store_losses, witnesses
from db.work.store_losses import LostOrder
from doorbuster.orderstore import backlog, server
from doorbuster.orderstore.partition import place_of
from intake.accepting.missing import not_in_postgres, nowhere

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from redis.asyncio import Redis

    from db.work.due_work import Place
    from db.work.witnesses import Gone
    from intake.database import Database

log = logging.getLogger("doorbuster.intake.witness")

LOOK_S = 1.0
SILENT_S = 15.0
"""After so long without a word an intake is taken for dead; one that lives says one every few seconds."""
BURIED_S = 60.0
"""After so long nothing more is expected of it: what it accepts without reaching Postgres is not known."""
SURE_S = 3.0
RECENT_MS = 60_000
"""How long before its last word an intake must have accepted in a partition for orders there to be in doubt."""


class _Ends(NamedTuple):
    """Where the streams ended when an intake was gone already."""

    seen_at: object
    last: Mapping[Place, str]


class Deputy:
    """Looks after intakes that are gone."""

    def __init__(self, redis: Redis, database: Database, own: UUID) -> None:
        self._redis, self._database, self._own = redis, database, own
        self._ends: dict[UUID, _Ends] = {}
        self._looked_at = -LOOK_S

    async def look(self) -> None:
        """Look after each of them; not more often than every `LOOK_S`."""
        if time.monotonic() - self._looked_at < LOOK_S:
            return
        async with self._database.reading("watching") as connection:
            left = await witnesses.gone(connection, self._own, silent_s=SILENT_S)
        self._ends = {one.witness: self._ends[one.witness] for one in left if one.witness in self._ends}
        for one in left:
            await self._look_after(one)
        self._looked_at = time.monotonic()

    async def _look_after(self, one: Gone) -> None:
        latest = {
            known.order_id: LostOrder(known.order_id, place, known.entry_id) for place, known in one.word.latest.items()
        }
        lost = await nowhere(self._redis, self._database, latest)
        if lost:
            await asyncio.sleep(SURE_S)
            lost = await nowhere(self._redis, self._database, lost)
        if lost:
            await self._tell_lost(one, [latest[order_id] for order_id in lost])
        elif not one.has_ended and not one.word.durability.startswith("replicas") and await self._took_over(one):
            await self._tell_doubt(one)
        elif not await not_in_postgres(self._database, latest) and (one.has_ended or await self._is_drained(one)):
            async with self._database.working("watching") as connection:
                await witnesses.settle(connection, one)

    async def _tell_lost(self, one: Gone, lost: list[LostOrder]) -> None:
        async with self._database.working("watching") as connection, connection.transaction():
            new = await store_losses.note_lost(connection, lost)
            await witnesses.settle(connection, one)
        about = {"lost": len(lost), "new": new, "intake": str(one.witness)}
        log.error("an intake that is gone had accepted orders that the order store lost", extra=about)

    async def _tell_doubt(self, one: Gone) -> None:
        newest_ms = int(one.seen_at.timestamp() * 1000)
        places = [place for place, at in one.word.latest.items() if place_of(at.entry_id)[0] > newest_ms - RECENT_MS]
        async with self._database.working("watching") as connection, connection.transaction():
            await store_losses.suspect(connection, places)
            is_told = await witnesses.settle(connection, one)
        if is_told and places:
            about = {"intake": str(one.witness), "partitions": len(places)}
            log.error(
                "an intake is gone, and so is the order store's primary that it had: orders may be lost", extra=about
            )

    async def _took_over(self, one: Gone) -> bool:
        """Say whether a replica is a primary now that was none when the intake spoke last; a restart is none."""
        now = [data.info for data in await server.kept_data(self._redis)]
        others = [info for info in now if info.get("master_replid", "") not in one.word.histories]
        # Zeros: it never followed another, or was started again with its own files.
        return bool(one.word.histories) and any(info.get("master_replid2", "").strip("0") for info in others)

    async def _is_drained(self, one: Gone) -> bool:
        """Say whether all that the order store had when the intake was long gone is in Postgres."""
        if one.silent_s < BURIED_S:
            return False
        async with self._database.reading("watching") as connection:
            places = await due_work.partitions(connection)
            cursors = await due_work.cursors(connection, places)
        known = self._ends.get(one.witness)
        if known is None or known.seen_at != one.seen_at:
            found = await backlog.streams(self._redis, [due_work.Partition(*place) for place in places])
            if len(found) == len(places):
                known = self._ends[one.witness] = _Ends(
                    one.seen_at, {place: stream.last for place, stream in found.items()}
                )
        return known is not None and all(
            place_of(last) <= place_of(cursors.get(place, ("0-0", 0))[0]) for place, last in known.last.items()
        )
