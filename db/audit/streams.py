"""Holds what the order store says of each partition against what Postgres says: the other half of promise P1.

Changes nothing. Works on a running system: what moves while it looks is looked at again, and bounded if it never rests.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple

from redis.asyncio import Redis

from db.audit.questions import Figure
from db.work import cursors, due_work, store_losses
from doorbuster.orderstore import backlog, events, server
from doorbuster.orderstore.partition import place_of, read_after

if TYPE_CHECKING:
    from db.connections.pool import Connection

_LOOKS = 20
_PAUSE_S = 0.1
_PAGE = 10_000
_IN_USE_S = 3_600.0
_WITNESS_S = 10.0
_WITNESS_LOOKS = 60
_SHORT_LOOKS = 60


class StreamCounts(NamedTuple):
    """Entries of one partition: accepted in all, worked off, still waiting."""

    accepted: int
    drained: int
    waiting: int

    @property
    def lost(self) -> int:
        """Entries accepted that neither wait nor were worked off."""
        return max(0, self.accepted - self.drained - self.waiting)


async def stream_figures(connection: Connection, orders: Redis) -> list[Figure]:
    """Return the figures of all partitions of all sales together."""
    await server.ping(orders)  # without any sale, too, a store that is not there must not pass
    places = await due_work.partitions(connection)
    short = await _short(connection, orders, places)
    counts = [await _settled_count(connection, orders, one) for one in places]
    await _witnesses(connection)  # last: what was waited for is drains, which find losses
    return [
        Figure(
            promise="P1",
            what="entries the order store accepted",
            value=sum(count.accepted for count in counts),
            breaches=sum(count.lost for count in counts),
        ),
        Figure(promise="P1", what="of these: waiting to be drained", value=sum(count.waiting for count in counts)),
        Figure(promise="P1", what="partitions drained beyond their stream's end", value=short, breaches=short),
    ]


async def _witnesses(connection: Connection) -> None:
    """Wait a moment for intakes that look for what a loss may have taken, where one was found just now."""
    for _ in range(_WITNESS_LOOKS):
        if not await store_losses.fresh(connection, within_s=_WITNESS_S, silent_s=_WITNESS_S):
            return
        await asyncio.sleep(_PAUSE_S)


async def _short(connection: Connection, orders: Redis, places: list[due_work.Place]) -> int:
    """Count partitions in use whose store lost its end, and no drain finds it in time: where none runs, say."""
    for _ in range(_SHORT_LOOKS):
        if not (short := await _short_now(connection, orders, places)):
            break
        await asyncio.sleep(_PAUSE_S)  # a drain that has nothing to read begins anew within seconds, and looks
    return short


async def _short_now(connection: Connection, orders: Redis, places: list[due_work.Place]) -> int:
    known = await due_work.cursors(connection, places)  # before the streams, which only grow
    since_ms = (time.time() - _IN_USE_S) * 1000
    used = {place: cursor for place, (cursor, _) in known.items() if place_of(cursor)[0] > since_ms}
    found = await backlog.streams(orders, used)
    return sum(place_of(stream.last) < place_of(used[place]) for place, stream in found.items())


async def _settled_count(connection: Connection, orders: Redis, one: due_work.Place) -> StreamCounts:
    """Count between two equal readings of the cursor; failing that, take the whole stream as waiting."""
    for _ in range(_LOOKS):
        cursor, drained = await cursors.read(connection, *one)
        accepted = await backlog.accepted(orders, one)
        waiting = await _waiting_after(orders, one, cursor)
        if (cursor, drained) == await cursors.read(connection, *one) and accepted == await backlog.accepted(
            orders, one
        ):
            return StreamCounts(accepted, drained, waiting)
        await asyncio.sleep(_PAUSE_S)
    accepted_now, length = await backlog.accepted_and_held(orders, one)
    return StreamCounts(accepted_now, (await cursors.read(connection, *one))[1], length)


async def _waiting_after(orders: Redis, one: tuple[int, int], cursor: str) -> int:
    waiting, last = 0, cursor
    while page := await read_after(orders, one, last, count=_PAGE):
        waiting += len(page)
        last = page[-1][0].decode()
    return waiting


async def event_figure(orders: Redis, published: int) -> Figure:
    """Return whether the event stream was given every event that the relay's cursor says it was."""
    added = await events.count(orders)
    return Figure(
        promise="P6", what="events the event stream was given", value=added, breaches=max(0, published - added)
    )
