"""Order events and what else happens, as endpoints are told of them. Owns types and ids; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.webhooks import world_events
from db.webhooks.deliveries import Event
from workers.publish.outboxes import KeptCursors
from workers.publish.relay import OutboxBatch, OutboxSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.connections.pool import Connection
    from db.work.outbox import OutboxEvent, OutboxPlace

_BY_KIND = {
    "line_cancelled": "order.line_cancelled",
    "shipment": "order.shipment",
    "refund": "order.refund",
    "action_required": "payment.action_required",
    "served": "order.pending",
}


def of_order(event: OutboxEvent) -> Event:
    """Return an order's event as endpoints are told of it."""
    kind = f"order.{event.status}" if event.kind is None else _BY_KIND.get(event.kind, f"order.{event.kind}")
    order_id = str(event.order_id)
    return Event(f"{order_id}:{event.seq}", kind, f"order:{order_id}", event.seq, event.order_id, event.at)


class _WorldEvents(KeptCursors):
    """What happens beside orders, as its outbox has it."""

    async def read(
        self, connection: Connection, after: OutboxPlace, *, limit: int, age_s: float
    ) -> OutboxBatch[Event] | None:
        """Return the events behind `after`, whatever their age."""
        assert age_s == 0.0, "events are told at once"
        found = await world_events.untold(connection, after, limit=limit)
        return OutboxBatch([one.event for one in found], found[-1].place) if found else None

    async def any_behind(self, connection: Connection, cursor: str, *, age_s: float) -> bool:  # noqa: ARG002 - as above
        """Say whether there are events behind a cursor."""
        return await world_events.any_untold(connection, cursor)

    async def forget(self, connection: Connection, cursors: Sequence[str]) -> None:
        """Forget nothing here: bodies are made of these rows, which go when the log of deliveries does."""


WORLD_EVENTS: OutboxSource[Event] = _WorldEvents()
