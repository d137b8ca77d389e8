"""What payment providers told of orders by themselves. Owns which of it is news; what follows is asked of the provider.

A provider calls back for every payment, and most callbacks say what was its answer anyway. Those cost one read; only
where what it claims differs from what is written down, a look-up is queued.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from db.orders.money import queue_look_ups
from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("payment_news")


async def take_news(connection: Connection, news: Sequence[tuple[UUID, str | None]]) -> list[UUID]:
    """Have the payments of these orders looked up where that is news, within the caller's transaction; return them.

    Each is (order id, payment status that the provider claims, None for something else). Orders that there are not, or
    not yet, are passed over. Where a settle shift asks for the payment anyway, it does so now.
    """
    ids, claims = [order_id for order_id, _ in news], [claim for _, claim in news]
    rows = await connection.fetch(_SQL["news_of"], ids, claims)
    fresh = sorted({row["order_id"] for row in rows})
    if fresh:
        await queue_look_ups(connection, fresh)
        await connection.execute(_SQL["wake"], fresh)
    return fresh
