"""Changes of products as events for webhooks, where one asks for them. Owns that target alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.webhooks import endpoints, world_events
from workers.publish.outboxes import CATALOGUE_CHANGES

if TYPE_CHECKING:
    from db.products.catalogue_changes import Change
    from workers.publish.relay import OutboxBatch
    from workers.runtime.shift import Shift

TYPE = "product.changed"


class ProductEvents:
    """The outbox of what happens beside orders; see `relay.Target`."""

    name = "catalogue-webhooks"
    source = CATALOGUE_CHANGES
    wait_s = 0.0

    def __init__(self, shift: Shift) -> None:
        self._shift = shift

    async def deliver(self, batch: OutboxBatch[Change]) -> bool:
        """Write an event for each change, if any endpoint wants them."""
        connection = await self._shift.connection()
        if await endpoints.any_wants(connection, TYPE):
            changes = [(change.product_id, change.version) for change in batch.rows]
            await world_events.announce(connection, await world_events.product_events(connection, changes))
        return True

    async def close(self) -> None:
        """The connection is the shift's."""
