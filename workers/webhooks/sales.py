"""What happens to sales by time, as events: when one opens, closes, has sold a product out.

Owns seeing it, as the scheduler looks by. Any number of schedulers may see it: an event's id makes it one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.webhooks import world_events

if TYPE_CHECKING:
    from collections.abc import Collection

    from db.connections.pool import Connection

TOLD_MAX = 100_000
"""Events remembered as written down; beyond, they are written again, which does nothing."""


class SaleEvents:
    """Writes down what happened to sales."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._gone: set[tuple[int, str]] = set()

    async def look(self, connection: Connection, sale_numbers: Collection[int]) -> None:
        """Write down what time or ops have done to these sales."""
        found = await world_events.told_sales(connection, sale_numbers)
        await self._announce(
            connection, [world_events.sale_event(sale, what) for sale in found for what in sale.happened]
        )

    async def sold_out(self, connection: Connection, sale_number: int, product_ids: Collection[str]) -> None:
        """Write down of which products a sale has nothing left."""
        wanted = [one for one in product_ids if (sale_number, one) not in self._gone]
        if wanted:
            found = await world_events.told_sales(connection, [sale_number])  # a shadow is not told of
            await self._announce(
                connection,
                [world_events.sale_event(sale, "sold_out", product_id=one) for sale in found for one in wanted],
            )
            self._gone.update((sale_number, one) for one in wanted)

    async def _announce(self, connection: Connection, events: list[world_events.WorldEvent]) -> None:
        if len(self._told) > TOLD_MAX:
            self._told.clear()
            self._gone.clear()
        new = [event for event in events if event.event_id not in self._told]
        await world_events.announce(connection, new)
        self._told.update(event.event_id for event in new)
