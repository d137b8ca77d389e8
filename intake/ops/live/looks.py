"""What each store says of a sale now. Owns the asking and its bounds in time; judges nothing and keeps nothing.

Every look is by itself: one that fails leaves its figures unknown, and a line that says which store does not answer.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from db.live import SaleToRead
from doorbuster.failures import ANTICIPATED
from doorbuster.orderstore import backlog, unread
from intake.ops.live.books import BookReader
from waitingroom.records import minutes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from db.live import SaleBooks
    from intake.database import Database
    from intake.room.cache import CachedRoom, RoomCache
    from intake.sales.cache import CachedSale

LOOK_S = 1.5
"""How long a store is waited for."""
POSTGRES = "Postgres does not answer"
ORDER_STORE = "the order store does not answer"
ROOM_STORE = "the room's store does not answer"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLook:
    """What the order store says."""

    accepted: int
    backlog: int
    backlog_s: float | None
    """None: nobody knows how far the drain is."""


@dataclass(slots=True, kw_only=True)
class LiveLook:
    """What was seen of a sale at one look."""

    at_s: float
    """Unix seconds, by the process's clock."""
    monotonic_s: float
    cached: CachedSale
    books: SaleBooks | None = None
    stream: StreamLook | None = None
    room: CachedRoom | None = None
    """With a state that is fresh; None: there is no room, or its store does not answer."""
    refusals: dict[str, int] | None = None
    """Posts refused within the last minute, by code."""
    troubles: list[str] = field(default_factory=list)


class Looks:
    """Asks the stores."""

    def __init__(self, database: Database, orders: Redis, rooms: Redis, desk: RoomCache) -> None:
        self._orders, self._rooms, self._desk = orders, rooms, desk
        self._reader = BookReader(database)
        self._cursors: dict[int, dict[tuple[int, int], str]] = {}

    async def look(self, cached: CachedSale, since: str | None) -> LiveLook:
        """Look at a sale in every store; `since` is the snapshot that orders confirmed are counted from."""
        seen = LiveLook(at_s=time.time(), monotonic_s=time.monotonic(), cached=cached)
        seen.books, seen.room, seen.refusals = await asyncio.gather(
            _bounded(partial(self._books, cached, since), POSTGRES, seen),
            _bounded(partial(self._room, cached), ROOM_STORE, seen),
            _bounded(partial(minutes.refused_lately, self._rooms, cached.number, seen.at_s), ROOM_STORE, seen),
        )
        if cached.has_room and seen.room is None:
            seen.troubles.append(ROOM_STORE)
        seen.stream = await _bounded(partial(self._stream, cached), ORDER_STORE, seen)
        seen.troubles = list(dict.fromkeys(seen.troubles))
        return seen

    async def _books(self, cached: CachedSale, since: str | None) -> SaleBooks:
        found = await self._reader.read(SaleToRead(cached.number, len(cached.lanes), since))
        self._cursors[cached.number] = found.cursors
        return found

    async def _stream(self, cached: CachedSale) -> StreamLook:
        places = [(cached.number, partition) for partition in range(len(cached.lanes))]
        counted = await backlog.tallies(self._orders, places)
        # While Postgres is away nothing is drained: the cursors of before still say where the oldest entry lies.
        cursors = self._cursors.get(cached.number)
        oldest = None if cursors is None else await unread.look(self._orders, cursors)
        return StreamLook(
            accepted=sum(accepted for accepted, _ in counted),
            backlog=sum(behind for _, behind in counted),
            backlog_s=None if oldest is None else max(one.age_ms for one in oldest.values()) / 1000,
        )

    async def _room(self, cached: CachedSale) -> CachedRoom | None:
        found = self._desk.known(cached)
        if found is None:
            return None
        if found.age_s > 1.0:
            await found.read()
        return found if found.is_fresh else None


async def _bounded(look: Callable[[], Awaitable[T]], words: str, seen: LiveLook) -> T | None:
    try:
        async with asyncio.timeout(LOOK_S):
            return await look()
    except ANTICIPATED:
        seen.troubles.append(words)
        return None
