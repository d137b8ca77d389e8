"""The outbox: order events in the order of their commits, and how far a relay has published them.

Never passes over a transaction that is still open: a serial number alone would (docs/locking.md).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("outbox")


class OutboxPlace(NamedTuple):
    """A position in the outbox: the writing transaction, then the event's number."""

    tx: int
    position: int


START = OutboxPlace(0, 0)


class OutboxEvent(NamedTuple):
    """An event to publish; (order_id, seq) is its stable id."""

    order_id: UUID
    seq: int
    status: str
    at: datetime
    reason: str | None
    kind: str | None
    position: int
    tx: int

    @property
    def place(self) -> OutboxPlace:
        """Where it stands in the outbox."""
        return OutboxPlace(self.tx, self.position)


async def read_cursor(connection: Connection, relay: str) -> OutboxPlace:
    """Return the place of the last event this relay published."""
    row = await connection.fetchrow(_SQL["read_relay_cursor"], relay)
    return START if row is None else OutboxPlace(row["tx"], row["position"])


async def place_of(connection: Connection, order_id: UUID, seq: int) -> OutboxPlace | None:
    """Return where an event stands, None if Postgres does not have it."""
    row = await connection.fetchrow(_SQL["place_of_event"], order_id, seq)
    return None if row is None else OutboxPlace(row["tx"], row["position"])


async def unpublished(connection: Connection, after: OutboxPlace, *, limit: int) -> list[OutboxEvent]:
    """Return the events behind `after` whose predecessors have all been committed or rolled back, in order."""
    rows = await connection.fetch(_SQL["unpublished"], str(after.tx), after.position, limit)
    return [OutboxEvent(*row) for row in rows]


async def any_unpublished(connection: Connection, relay: str) -> bool:
    """Say whether there is anything for this relay to publish."""
    return bool(await connection.fetchval(_SQL["any_unpublished"], relay))


async def unpublished_of_shadows(connection: Connection, after: OutboxPlace, *, limit: int) -> list[OutboxEvent]:
    """Return the same of rehearsals' shadows."""
    rows = await connection.fetch(_SQL["unpublished_of_shadows"], str(after.tx), after.position, limit)
    return [OutboxEvent(*row) for row in rows]


async def newest_of_shadows(connection: Connection) -> tuple[OutboxPlace, float] | None:
    """Return where the last event of a shadow stands and how many seconds old it is, None if there is none."""
    row = await connection.fetchrow(_SQL["newest_of_shadows"])
    return None if row is None else (OutboxPlace(row["tx"], row["position"]), row["age_s"])


async def advance(connection: Connection, relay: str, place: OutboxPlace) -> None:
    """Remember that everything up to `place` is published, in the caller's transaction."""
    await connection.execute(_SQL["advance_relay"], relay, str(place.tx), place.position)
