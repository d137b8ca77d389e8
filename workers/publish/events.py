"""The relay shift: publishes order events from the outbox to a stream, at least once, per order in order.

Owns the relay's cursor and the shape of an entry: one field `event`, a JSON object. It is in the stream before the
cursor passes it, so a crash in between publishes it again under the same `id`. A stream that begins anew was lost with
its store: everything is published again. Never reads past a transaction that is still open.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from db.orders import outbox
from doorbuster import keys
from doorbuster.lua_script import Script

if TYPE_CHECKING:
    from db.orders.outbox import OutboxEvent, OutboxPlace
    from workers.runtime.shift import Shift

RELAY = "events"
BATCH = 2_000
KEEP = 500_000
"""Events the stream holds, about; who reads more slowly than that reads Postgres."""
POLL_S = 0.1

log = logging.getLogger("doorbuster.workers.relay")

_encoder = msgspec.json.Encoder()
_APPEND = Script.beside(__file__, "append_events")


class Relay:
    """Publishes all orders' events; see `shift.Work`."""

    full = BATCH
    paced = True
    under_way = False

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        self._place: OutboxPlace = outbox.START

    async def begin(self) -> None:
        """Go on behind the last event known to be published."""
        self._place = await outbox.read_cursor(await self._shift.connection(), RELAY)

    async def step(self) -> int:
        """Publish one batch, then move the cursor."""
        connection = await self._shift.connection()
        events = await outbox.unpublished(connection, self._place, limit=self._shift.size.now)
        if not events:
            await asyncio.sleep(POLL_S)
            return 0
        goes_on = await self._publish(events)
        place = events[-1].place if goes_on or self._place == outbox.START else outbox.START
        if place == outbox.START:
            log.warning("the event stream began anew, all events are published again")
        async with self._shift.holding() as held:
            await outbox.advance(held, RELAY, place)
        self._place = place
        return len(events)

    async def end(self, *, at_once: bool) -> None:
        """Nothing is under way."""

    async def _publish(self, events: list[OutboxEvent]) -> bool:
        """Append a batch to the stream; say whether the stream was there before."""
        lines = b"\n".join(map(_encode, events))  # JSON has no line break of its own
        was_there = await _APPEND.run(self._shift.orders, [keys.EVENTS], KEEP, lines)
        return bool(was_there)


class _Entry(msgspec.Struct, omit_defaults=True):
    """What is published of an event."""

    id: str
    order_id: str
    seq: int
    status: str
    at: datetime
    reason: str | None = None


def _encode(event: OutboxEvent) -> bytes:
    order_id = str(event.order_id)
    return _encoder.encode(_Entry(f"{order_id}:{event.seq}", order_id, event.seq, event.status, event.at, event.reason))
