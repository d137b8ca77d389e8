"""The event stream as a target of the outbox: order events for other systems, per order in order.

Owns the shape of an entry: one field `event`, a JSON object with a stable `id`, under which it may come again. A stream
that begins anew was lost with its store: everything is published again. One that lost its end gets what it lacks.
"""

from __future__ import annotations

import logging
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from db.work import outbox
from doorbuster.errors import StoreUnavailableError
from doorbuster.orderstore import events
from doorbuster.orderstore.events import Appended
from doorbuster.values.shadows import number_of
from workers.publish.outboxes import ORDER_EVENTS, SHADOW_EVENTS
from workers.publish.relay import OutboxBatch, Relay

if TYPE_CHECKING:
    from db.work.outbox import OutboxEvent
    from workers.runtime.shift import Shift

RELAY = "events"
"""The name of the stream's cursor."""

log = logging.getLogger("doorbuster.workers.relay")

_encoder = msgspec.json.Encoder()


class ShadowStreams:
    """A stream of its own for each rehearsal's shadow, which goes with it: telling costs what it costs of a sale."""

    name = f"{RELAY} of shadows"
    source = SHADOW_EVENTS
    wait_s = 0.0

    def __init__(self, shift: Shift) -> None:
        self._orders = shift.orders

    async def deliver(self, batch: OutboxBatch[OutboxEvent]) -> bool:
        """Append a batch to the streams of its shadows."""
        for number, rows in groupby(batch.rows, lambda row: number_of(row.order_id)):
            await events.append_shadow(self._orders, number, map(_encode, rows))  # JSON has no line break
        return True

    async def close(self) -> None:
        """The client is the shift's."""


class EventStream:
    """The stream of events in the order store; see `relay.Target`."""

    name = RELAY
    source = ORDER_EVENTS
    wait_s = 0.0

    def __init__(self, shift: Shift) -> None:
        self._shift = shift
        self._orders = shift.orders
        self._stream = events.EventAppender(shift.orders)
        self._last = b""
        """The event that was appended last; empty: it was not looked which it is."""

    async def deliver(self, batch: OutboxBatch[OutboxEvent]) -> bool:
        """Append a batch to the stream; say whether the stream was there before.

        Raises:
            StoreUnavailableError: the stream lacks its end; its cursor was moved back to where it ends.
        """
        last, self._last = self._last, b""
        if not last:
            await self._see_that_it_is_whole()
        encoded = [_encode(row) for row in batch.rows]
        appended = await self._stream.append(encoded, last=last)
        if appended is Appended.NOT:
            await self._see_that_it_is_whole()
            raise StoreUnavailableError("the stream of events took none, or its last event is another")
        self._last = encoded[-1]
        return appended is Appended.BEHIND

    async def _see_that_it_is_whole(self) -> None:
        """Move the cursor back if the stream ends before it."""
        newest = await events.newest(self._orders)
        if newest is None:
            return
        connection = await self._shift.connection()
        try:
            order_id, _, seq = _decoder.decode(newest).id.rpartition(":")
            ends = await outbox.place_of(connection, UUID(order_id), int(seq))
        except ValueError:  # it is not ours
            return
        if ends is None or ends >= await outbox.read_cursor(connection, RELAY):
            return  # Postgres lost it, or somebody died between appending and saying so
        log.warning(
            "the stream of events lost its end: what it lacks is published again", extra={"ends": newest.decode()}
        )
        async with self._shift.leased_transaction() as held:
            await outbox.advance(held, RELAY, ends)
        raise StoreUnavailableError("the stream of events lost its end")

    async def close(self) -> None:
        """The client is the shift's."""


def event_relay(shift: Shift) -> Relay:
    """Return the work of publishing all orders' events."""
    return Relay(shift, [EventStream(shift), ShadowStreams(shift)], paced=True)


class _Id(msgspec.Struct):
    """What tells a published event."""

    id: str


_decoder = msgspec.json.Decoder(_Id)


class _Entry(msgspec.Struct, omit_defaults=True):
    """What is published of an event."""

    id: str
    order_id: str
    seq: int
    status: str
    at: datetime
    reason: str | None = None
    kind: str | None = None
    """Of what is no transition."""


def _encode(event: OutboxEvent) -> bytes:
    order_id = str(event.order_id)
    return _encoder.encode(
        _Entry(f"{order_id}:{event.seq}", order_id, event.seq, event.status, event.at, event.reason, event.kind)
    )
