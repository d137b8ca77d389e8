"""Which orders neither store has. Owns that look, page by page; remembers and writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.work import store_losses
from doorbuster.orderstore import accepted

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from redis.asyncio import Redis

    from intake.database import Database

PAGE = 1_000


async def nowhere(redis: Redis, database: Database, order_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the orders that are in neither store."""
    wanted, gone = list(order_ids), set()
    for begin in range(0, len(wanted), PAGE):
        unknown = await not_in_postgres(database, wanted[begin : begin + PAGE])
        held = await accepted.held(redis, unknown)
        # What went from the one store meanwhile is in the other.
        gone |= await not_in_postgres(database, unknown - held)
    return gone


async def not_in_postgres(database: Database, order_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the orders that are neither orders nor dead letters."""
    if not order_ids:
        return set()
    async with database.reading("watching") as connection:
        return set(order_ids) - await store_losses.known(connection, list(order_ids))
