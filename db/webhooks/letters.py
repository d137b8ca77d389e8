"""Dead letters of deliveries: what an endpoint did not take for too long. Owns what becomes of them after that."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec

from db.orders.dead_letters import LetterFilter
from db.orders.dead_letters import State as LetterState
from db.query_files import load
from db.webhooks.deliveries import State

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("webhook_deliveries")
_STATES: dict[State, LetterState] = {
    "dead": "open", "due": "retried", "waiting": "retried", "delivered": "resolved", "discarded": "discarded",
}  # fmt: skip


class DeliveryLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that was given up, and what became of it since."""

    delivery_id: int
    webhook_id: int
    url: str
    event_id: str
    type: str
    order_id: UUID | None
    at: datetime
    attempts: int
    status_code: int | None
    error: str | None
    body: str | None
    created_at: datetime
    died_at: datetime
    finished_at: datetime | None
    discard_reason: str | None
    state: LetterState


def _letter(row: asyncpg.Record) -> DeliveryLetter:
    order_id = row["order_id"]
    named = {"order_id": None if order_id is None else UUID(int=order_id.int), "state": _STATES[row["state"]]}
    return DeliveryLetter(**dict(row) | named)


async def list_letters(connection: Connection, chosen: LetterFilter, *, limit: int = 50) -> list[DeliveryLetter]:
    """Return deliveries that were given up, newest first."""
    states = [state for state, shown in _STATES.items() if shown in chosen.states]
    rows = await connection.fetch(
        _SQL["list_letters"], chosen.before, chosen.sale_id, chosen.customer_id, states, limit
    )
    return [_letter(row) for row in rows]


async def read_letter(connection: Connection, delivery_id: int) -> DeliveryLetter | None:
    """Return the delivery of this id if it was given up."""
    row = await connection.fetchrow(_SQL["read_letter"], delivery_id)
    return None if row is None else _letter(row)


async def retry(connection: Connection, delivery_id: int) -> bool:
    """Have it sent again, for as long as a new one; False: it is not open."""
    return await connection.fetchval(_SQL["retry_letter"], delivery_id) is not None


async def discard(connection: Connection, delivery_id: int, reason: str) -> bool:
    """Give it up for good; False: it is not open."""
    return await connection.fetchval(_SQL["discard_letter"], delivery_id, reason) is not None
