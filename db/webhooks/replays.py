"""Replays of an endpoint's events. Owns their rows: what is asked for, and how far it was walked through."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec

from db.query_files import load
from db.work.outbox import OutboxEvent, OutboxPlace

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("webhook_replays")

Source = Literal["orders", "world"]


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Events from `since` until before `until` that an endpoint is to get once more."""

    replay_id: int
    webhook_id: int
    since: datetime
    until: datetime
    order_id: UUID | None
    """Of this order alone."""
    source: Source
    tx: int
    position: int

    @property
    def place(self) -> OutboxPlace:
        """As far as it was walked."""
        return OutboxPlace(self.tx, self.position)

    def has(self, at: datetime) -> bool:
        """Say whether an event of this time is among them."""
        return self.since <= at < self.until


async def add(
    connection: Connection, webhook_id: int, since: datetime, until: datetime | None, order_id: UUID | None
) -> datetime:
    """Ask for a replay; return until when, which is now if nothing else is said."""
    sources: list[Source] = ["orders"] if order_id else ["orders", "world"]
    end: datetime = await connection.fetchval(_SQL["add"], webhook_id, since, until, order_id, sources)
    return end


async def next_replay(connection: Connection) -> Replay | None:
    """Return the replay that is to be walked on."""
    row = await connection.fetchrow(_SQL["next"])
    return None if row is None else Replay(**row)


async def any_replay(connection: Connection) -> bool:
    """Say whether there is one."""
    return bool(await connection.fetchval(_SQL["any"]))


async def advance(connection: Connection, replay: Replay, place: OutboxPlace | None) -> None:
    """Remember how far it was walked; None: it is done."""
    if place is None:
        await connection.execute(_SQL["end"], replay.replay_id)
    else:
        await connection.execute(_SQL["advance"], replay.replay_id, str(place.tx), place.position)


async def events(connection: Connection, replay: Replay, *, limit: int) -> list[OutboxEvent]:
    """Return the next events of orders, of any time; of one order all there are."""
    if replay.order_id is not None:
        rows = await connection.fetch(_SQL["of_order"], replay.order_id)
    else:
        rows = await connection.fetch(_SQL["walk_orders"], str(replay.tx), replay.position, limit)
    return [OutboxEvent(*row.values()) for row in rows]
