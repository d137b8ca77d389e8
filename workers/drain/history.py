"""Finds what the order store lacks of what a partition's drain has worked off. Owns that comparison; changes nothing.

A server that takes over has a beginning of its predecessor's history. So what the drain last told the gate is either
there, and with it all that was read before, or something older is; then entries may have come since with ids below the
cursor, where nobody would ever read them. The same holds for a store that was restored from a copy, or emptied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from db.work import drain_batch
from db.work.store_losses import Gap
from doorbuster.orderstore.entry import FIELD, total_of
from doorbuster.orderstore.partition import START, place_of, read_after
from workers.drain.batch import Entry

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.work.due_work import Partition
    from doorbuster.orderstore.backlog import Stream

PAGE = 1_000


async def gap(
    connection: Connection, orders: Redis, partition: Partition, at: tuple[str, int], stream: Stream
) -> Gap | None:
    """Return what the stream lacks of what is drained up to the cursor `at`, with its count of entries; None: nothing.

    Exact but for two things. What was accepted, not drained and lost leaves no trace here; intakes look for it. And
    a gate that a drain of the version before has told names no place: it is believed while it counts enough accepted.
    """
    cursor, drained = at
    is_short = place_of(stream.last) < place_of(cursor)
    if not is_short and (stream.place == cursor or (stream.place is None and stream.told == drained)):
        return None
    known_to = stream.place or START
    if not is_short and place_of(known_to) > place_of(cursor):
        return None  # it is Postgres that lost its end: the drain reads again from its cursor
    known_to = min(known_to, cursor, key=place_of)
    known, strays = await _between(connection, orders, partition, known_to, cursor)
    is_believed = stream.place is None and stream.raw[0] != "" and stream.accepted >= drained
    missing = 0 if is_believed else max(drained - stream.told - known, 0)
    if is_short or missing or strays:
        return Gap(cursor, known_to, stream.last, missing, strays)
    return None  # a drain has committed, and died before it told


async def _between(
    connection: Connection, orders: Redis, partition: Partition, after: str, cursor: str
) -> tuple[int, int]:
    """Count the entries behind one id up to another that Postgres knows, and those it does not."""
    known = strays = 0
    while page := await read_after(orders, partition, after, count=PAGE):
        entries = [one for one in (entry_of(*raw) for raw in page) if one.place <= place_of(cursor)]
        ids = [UUID(bytes=one.order.order_id) for one in entries if one.order is not None]
        found = {order_id.bytes for order_id in await drain_batch.known_orders(connection, ids)}
        unknown = [one for one in entries if one.order is None or one.order.order_id not in found]
        letters = await drain_batch.known_payloads(connection, partition, [one.payload for one in unknown])
        new = sum(one.payload not in letters for one in unknown)
        known, strays = known + len(entries) - new, strays + new
        if len(entries) < len(page):
            break
        after = entries[-1].id
    return known, strays


def entry_of(entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    """Return a stream entry as the drain works on it."""
    payload = fields.get(FIELD)
    # What is not ours is kept whole, so that a person can read it among the dead letters.
    content = msgspec.msgpack.encode(fields) if payload is None else payload
    return Entry(entry_id.decode(), content, total_of(fields))
