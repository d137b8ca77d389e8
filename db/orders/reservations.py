"""Reservations: the holds of pending orders, read as the settle shift's work. Ending one belongs to the transitions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from db.query_files import load
from doorbuster.values.identities import KINDS

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("reservations")


class ReservationCursor(NamedTuple):
    """A position in the order of work."""

    due_at: datetime
    order_id: UUID


BEGINNING = ReservationCursor(datetime.min.replace(tzinfo=UTC), UUID(int=0))


class Reservation(NamedTuple):
    """A pending order's hold; `total` in minor units."""

    order_id: UUID
    due_at: datetime
    expires_at: datetime
    expired: bool
    total: int
    currency: str
    payment_token: str | None
    attempts: int
    extended: bool
    """It was made longer for a shopper who must act."""
    card_unknown: bool = False
    """Its sale limits cards, and the order names none: what the provider names counts."""


class SaleTerms(NamedTuple):
    """How a sale takes money."""

    mode: str
    """capture, authorise or none."""
    card_limited: bool
    """It limits what one card may have."""


async def due(
    connection: Connection, sale_number: int, partition: int, *, after: ReservationCursor = BEGINNING, limit: int
) -> list[Reservation]:
    """Return holds whose payment is to be tried now, oldest first, behind `after`."""
    rows = await connection.fetch(_SQL["due"], sale_number, partition, *after, limit)
    return [Reservation(*row.values()) for row in rows]


async def terms(connection: Connection, sale_number: int) -> SaleTerms:
    """Return how a sale takes money."""
    row = await connection.fetchrow(_SQL["terms"], sale_number)
    assert row is not None
    return SaleTerms(*row.values())


async def naming_no_card(connection: Connection, order_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the orders that name no card."""
    rows = await connection.fetch(_SQL["naming_no_card"], order_ids, KINDS.index("card") + 1)
    return {UUID(int=row["order_id"].int) for row in rows}


async def expired(connection: Connection, *, late_s: float, limit: int) -> list[UUID]:
    """Return pending orders whose hold ended `late_s` ago, whose payment was asked for, and which nobody settles."""
    return [row["order_id"] for row in await connection.fetch(_SQL["expired"], late_s, limit)]


async def postpone(connection: Connection, order_ids: Sequence[UUID], *, seconds: float) -> list[UUID]:
    """Try these again after `seconds`, at the latest when their hold ends; return those that are still held."""
    return [row["order_id"] for row in await connection.fetch(_SQL["postpone"], order_ids, seconds)]
