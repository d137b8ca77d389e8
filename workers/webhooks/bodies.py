"""The bodies of deliveries, made when they are first sent: an order as it stood at its event. Owns their form.

One event has one body for all endpoints; the last ones made are kept, since the endpoints ask at about the same time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec

from db.orders.orders import read_orders
from db.orders.view import show
from db.webhooks import world_events
from doorbuster.contract.webhooks import TEST, WebhookBody
from doorbuster.values.timestamps import rfc3339_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from db.connections.pool import Connection
    from db.webhooks.deliveries import Due
    from doorbuster.contract.orders import OrderView

KEPT = 4_000
"""DeliveryBodies that are kept; an order's takes about a kilobyte."""
_encode = msgspec.json.Encoder().encode


class DeliveryBodies:
    """Makes bodies, and keeps the last ones."""

    def __init__(self) -> None:
        self._made: OrderedDict[str, str] = OrderedDict()

    async def make(self, connection: Connection, wanted: Iterable[Due]) -> dict[int, str]:
        """Return the body of each delivery; one is left out when what it tells of is gone."""
        wanted = list(wanted)
        await self._make_missing(connection, {one.event_id: one for one in wanted if one.body is None})
        found = {one.delivery_id: one.body or self._made.get(one.event_id) for one in wanted}
        while len(self._made) > KEPT:
            self._made.popitem(last=False)
        return {delivery_id: body for delivery_id, body in found.items() if body is not None}

    async def _make_missing(self, connection: Connection, wanted: dict[str, Due]) -> None:
        missing = {event_id: one for event_id, one in wanted.items() if event_id not in self._made}
        told = [event_id for event_id, one in missing.items() if one.order_id is None and one.type != TEST]
        data: dict[str, Any] = dict(await world_events.data_of(connection, told)) if told else {}
        asked = list({one.order_id for one in missing.values() if one.order_id is not None})
        orders = {order.order_id: order for order in await read_orders(connection, asked)} if asked else {}
        for event_id, one in missing.items():
            if one.type == TEST:
                data[event_id] = {"webhook_id": one.webhook_id}
            elif one.order_id in orders:
                data[event_id] = _order_and_its_name(show(orders[one.order_id], one.position))
            if event_id in data:
                self._made[event_id] = body_of(one, data[event_id])


def _order_and_its_name(view: OrderView) -> msgspec.Raw:
    """Return an order's fields, and the order once more as `order`: whichever of the two a receiver goes by."""
    shown = _encode(view)
    return msgspec.Raw(shown[:-1] + b',"order":' + shown + b"}")


def body_of(delivery: Due, data: Any) -> str:
    """Return the body of a delivery as it is signed and sent."""
    return _encode(WebhookBody(delivery.event_id, delivery.type, rfc3339_of(delivery.at), data)).decode()
