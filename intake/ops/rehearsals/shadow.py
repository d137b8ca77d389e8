"""The shadow that a rehearsal sells: its room, and how far the workers are with it. Owns those two; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from db import progress
from db.work import due_work
from doorbuster.contract.night.rehearsal import ShadowNow
from doorbuster.orderstore import unread
from waitingroom.room import Mode
from waitingroom.sale_config import mode_of, room_config

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.sales import Sale

LIFTED = 10**6
"""Rate and burst of a shadow's room: the room is gone through, and is not what breaks."""
_KEPT = ("grace_s", "admission_s", "orders_allowed", "thresholds", "order_url")
"""Of the sale's room. Challenges, codes, caps and the lobby are for people, whom the load is not."""


def room_of(sale: Sale) -> dict[str, Any]:
    """Return the room of a sale's shadow."""
    if mode_of(sale) is Mode.OFF:
        return {"mode": "off"}
    kept = {name: sale.room[name] for name in _KEPT if name in sale.room}
    return kept | {"mode": "always", "rate_per_s": LIFTED, "burst": LIFTED}


def set_rate_of(sale: Sale) -> float | None:
    """Return the rate that a sale's room is set to, None if it has no room."""
    return None if mode_of(sale) is Mode.OFF else room_config(sale).rate_per_s


async def look(connection: Connection, redis: Redis, shadow: Sale) -> ShadowNow:
    """Measure how far the workers are.

    Raises:
        RedisError, OSError, TimeoutError: the order store does not answer.
    """
    places = [(shadow.number, partition) for partition in range(shadow.partitions)]
    cursors = dict.fromkeys(places, ("0-0", 0)) | await due_work.cursors(connection, places)
    entries = await unread.look(redis, {place: cursor for place, (cursor, _) in cursors.items()})
    payments = await progress.oldest_payments(connection, places)
    drained = sum(drained for _, drained in cursors.values())
    return ShadowNow(
        sale_id=shadow.sale_id,
        products=list(shadow.products),
        has_room=mode_of(shadow) is not Mode.OFF,
        partitions=shadow.partitions,
        backlog=max(sum(found.accepted for found in entries.values()) - drained, 0),
        drained=drained,
        lag_s=round(max(*(found.age_ms / 1000 for found in entries.values()), *payments.values(), 0.0), 3),
    )
