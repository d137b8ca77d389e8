"""Holds what the order store says of each partition against what Postgres says: the other half of promise P1.

Changes nothing. Works on a running system: what moves while it looks is looked at again, and bounded if it never rests.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from redis.asyncio import Redis

from db.audit import Figure
from db.work import cursors, due_work
from doorbuster import keys

if TYPE_CHECKING:
    from db.connections.pool import Connection

_LOOKS = 20
_PAUSE_S = 0.1
_PAGE = 10_000


class Count(NamedTuple):
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
    await orders.ping()  # without any sale, too, a store that is not there must not pass
    counts = [await _settled_count(connection, orders, one) for one in await due_work.partitions(connection)]
    return [
        Figure(
            promise="P1",
            what="entries the order store accepted",
            value=sum(count.accepted for count in counts),
            breaches=sum(count.lost for count in counts),
        ),
        Figure(promise="P1", what="of these: waiting to be drained", value=sum(count.waiting for count in counts)),
    ]


async def _settled_count(connection: Connection, orders: Redis, one: due_work.Place) -> Count:
    """Count between two equal readings of the cursor; failing that, take the whole stream as waiting."""
    gate, stream = keys.gate(*one), keys.stream(*one)
    for _ in range(_LOOKS):
        cursor, drained = await cursors.read(connection, *one)
        accepted = await _accepted(orders, gate)
        waiting = await _waiting_after(orders, stream, cursor)
        if (cursor, drained) == await cursors.read(connection, *one) and accepted == await _accepted(orders, gate):
            return Count(accepted, drained, waiting)
        await asyncio.sleep(_PAUSE_S)
    async with orders.pipeline(transaction=True) as both:
        both.hget(gate, "accepted")
        both.xlen(stream)
        accepted_now, length = await both.execute()
    return Count(int(accepted_now or 0), (await cursors.read(connection, *one))[1], length)


async def _accepted(orders: Redis, gate: str) -> int:
    return int(await orders.hget(gate, "accepted") or 0)


async def _waiting_after(orders: Redis, stream: str, cursor: str) -> int:
    waiting, last = 0, cursor
    while page := await orders.xrange(stream, min=f"({last}", count=_PAGE):
        waiting += len(page)
        last = _text(page[-1][0])
    return waiting


def _text(entry_id: bytes | str | None) -> str:
    return entry_id.decode() if isinstance(entry_id, bytes) else str(entry_id)


async def event_figure(orders: Redis, published: int) -> Figure:
    """Return whether the event stream was given every event that the relay's cursor says it was."""
    added = (await orders.xinfo_stream(keys.EVENTS))["entries-added"] if await orders.exists(keys.EVENTS) else 0
    return Figure(
        promise="P6", what="events the event stream was given", value=added, breaches=max(0, published - added)
    )
