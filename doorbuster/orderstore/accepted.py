"""What the order store still knows of orders that it accepted, by their ids. Owns that question; changes nothing.

Touches the slot of the partition that an order id names: `accepted`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doorbuster import keys
from doorbuster.orderstore.ids import MAX_PARTITIONS, route_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from redis.asyncio import Redis

FINGERPRINT_BYTES = 16


async def is_accepted(redis: Redis, order_id: UUID) -> bool:
    """Say whether it knows that it accepted the order."""
    name = _name(order_id)
    return name is not None and bool(await redis.exists(name))


async def entry_id_of(redis: Redis, order_id: UUID) -> str | None:
    """Return the id of the order's entry, None if it does not know the order."""
    name = _name(order_id)
    value: Any = None if name is None else await redis.get(name)
    return None if value is None else value[FINGERPRINT_BYTES:].decode()


def _name(order_id: UUID) -> str | None:
    number, partition = route_of(order_id)
    return keys.accepted(number, partition, order_id.hex) if partition < MAX_PARTITIONS else None


async def held(redis: Redis, order_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the orders that wait in a stream, or that nobody has drained and trimmed."""
    names = {order_id: name for order_id in order_ids if (name := _name(order_id)) is not None}
    if not names:
        return set()
    pipe = redis.pipeline(transaction=False)
    for name in names.values():
        pipe.get(name)
    places: dict[UUID, bytes] = {
        order_id: value[FINGERPRINT_BYTES:]
        for order_id, value in zip(names, await pipe.execute(), strict=True)
        if value is not None
    }
    if not places:
        return set()
    pipe = redis.pipeline(transaction=False)
    for order_id, entry_id in places.items():
        pipe.xrange(keys.stream(*route_of(order_id)), entry_id, entry_id)
    return {order_id for order_id, entries in zip(places, await pipe.execute(), strict=True) if entries}
