"""Dead letters: accepted entries that could not become orders. Owns their rows but for the drain's writing of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import asyncpg
import msgspec

from db.orders.money import FailedOperation
from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

State = Literal["open", "retried", "resolved", "discarded"]
UNRESOLVED: tuple[State, ...] = ("open", "retried")
STATES: tuple[State, ...] = (*UNRESOLVED, "resolved", "discarded")

_SQL = load("dead_letters")
_OF_PAYMENTS: dict[State, str] = {"open": "failed", "discarded": "discarded"}


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted entry that could not become an order; it is one however often it fails."""

    dead_letter_id: int
    sale_id: str
    sale_number: int
    partition: int
    entry_id: str
    order_id: UUID | None
    customer_id: str | None
    payload: bytes
    reason: str
    detail: str
    failures: int
    created_at: datetime
    failed_at: datetime
    retried_at: datetime | None
    discarded_at: datetime | None
    discard_reason: str | None
    state: State


class LetterFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead letters a list shows; `before` is the id of the page before's last."""

    before: int | None = None
    sale_id: str | None = None
    customer_id: str | None = None
    states: Sequence[State] = STATES


def _letter(row: asyncpg.Record) -> DeadLetter:
    order_id = row["order_id"]
    return DeadLetter(**dict(row) | {"order_id": None if order_id is None else UUID(int=order_id.int)})


async def list_dead_letters(connection: Connection, chosen: LetterFilter, *, limit: int = 50) -> list[DeadLetter]:
    """Return dead letters, newest first."""
    terms = (chosen.before, chosen.sale_id, list(chosen.states), limit)
    if chosen.customer_id is None:
        rows = await connection.fetch(_SQL["list_dead_letters"], *terms)
    else:
        rows = await connection.fetch(_SQL["list_customers_dead_letters"], *terms, chosen.customer_id)
    return [_letter(row) for row in rows]


async def dead_letter_of(connection: Connection, order_id: UUID) -> DeadLetter | None:
    """Return the latest dead letter of an order's entry, None if there is none."""
    row = await connection.fetchrow(_SQL["dead_letter_of"], order_id)
    return None if row is None else _letter(row)


async def read_dead_letter(connection: Connection, dead_letter_id: int) -> DeadLetter | None:
    """Return the dead letter of this id."""
    row = await connection.fetchrow(_SQL["read_dead_letter"], dead_letter_id)
    return None if row is None else _letter(row)


async def hold_dead_letter(connection: Connection, dead_letter_id: int) -> DeadLetter | None:
    """Return the dead letter, and let nobody else retry or discard it until the transaction ends."""
    await connection.execute(_SQL["lock_dead_letter"], dead_letter_id)
    return await read_dead_letter(connection, dead_letter_id)


async def mark_retried(connection: Connection, dead_letter_id: int) -> None:
    """Note that its entry was put into the stream again."""
    await connection.execute(_SQL["mark_retried"], dead_letter_id)


async def mark_discarded(connection: Connection, dead_letter_id: int, reason: str) -> None:
    """Note that it was given up, and why."""
    await connection.execute(_SQL["mark_discarded"], dead_letter_id, reason)


async def list_payments(connection: Connection, chosen: LetterFilter, *, limit: int = 50) -> list[FailedOperation]:
    """Return what a payment provider will not do, newest first; what is tried again is none any more."""
    states = [_OF_PAYMENTS[one] for one in chosen.states if one in _OF_PAYMENTS]
    rows = await connection.fetch(
        _SQL["list_payments"], chosen.before, chosen.sale_id, chosen.customer_id, states, limit
    )
    return [FailedOperation(**dict(row) | {"order_id": UUID(int=row["order_id"].int)}) for row in rows]
