"""What a relay takes at a time follows how long it reads, not only the moment in which its cursors move."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.fixtures.shop import Shop
from workers.publish.events import event_relay
from workers.publish.outboxes import ORDER_EVENTS
from workers.publish.relay import BATCH

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.work.outbox import OutboxEvent, OutboxPlace
    from workers.publish.relay import OutboxBatch

LEASE_S = 4.0
SLOW_S = 1.1
"""More than the quarter of a lease that a batch may take before the next is smaller."""


async def test_a_batch_that_took_long_to_read_is_followed_by_a_smaller_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.stock(lamp=10)
    await shop.open_sale("lamp")
    await shop.buy("ada", lamp=1)
    await shop.drain()
    kept = type(ORDER_EVENTS).read

    async def slowly(
        self: object, connection: Connection, after: OutboxPlace, *, limit: int, age_s: float
    ) -> OutboxBatch[OutboxEvent] | None:
        await asyncio.sleep(SLOW_S)
        return await kept(self, connection, after, limit=limit, age_s=age_s)  # type: ignore[arg-type]

    monkeypatch.setattr(type(ORDER_EVENTS), "read", slowly)
    await shop.run("relay", event_relay, lease_s=LEASE_S)
    assert await shop.db.fetchval("select batch_max from shifts where name = 'relay'") == BATCH // 2
