"""The event stream as a target of the outbox: order events for other systems, per order in order.

Owns the shape of an entry: one field `event`, a JSON object with a stable `id`, under which it may come again. A stream
that begins anew was lost with its store: everything is published again.
"""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from doorbuster.orderstore import events
from doorbuster.values.shadows import number_of
from workers.publish.outboxes import ORDER_EVENTS, SHADOW_EVENTS
from workers.publish.relay import OutboxBatch, Relay

if TYPE_CHECKING:
    from db.work.outbox import OutboxEvent
    from workers.runtime.shift import Shift

RELAY = "events"
"""The name of the stream's cursor."""

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
            await events.append_shadow(self._orders, number, map(_encode, rows))
        return True

    async def close(self) -> None:
        """The client is the shift's."""


class EventStream:
    """The stream of events in the order store; see `relay.Target`."""

    name = RELAY
    source = ORDER_EVENTS
    wait_s = 0.0

    def __init__(self, shift: Shift) -> None:
        self._orders = shift.orders

    async def deliver(self, batch: OutboxBatch[OutboxEvent]) -> bool:
        """Append a batch to the stream; say whether the stream was there before."""
        return await events.append(self._orders, map(_encode, batch.rows))  # JSON has no line break of its own

    async def close(self) -> None:
        """The client is the shift's."""


def event_relay(shift: Shift) -> Relay:
    """Return the work of publishing all orders' events."""
    return Relay(shift, [EventStream(shift), ShadowStreams(shift)], paced=True)


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
