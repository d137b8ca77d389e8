"""The books of the simulated payment provider. Owns their rows; knows no order, and decides nothing.

A row is a payment that the provider was asked for, as far as the payment token does not say it all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("simulated_books")


class Book(NamedTuple):
    """A payment as the simulated provider has it; amounts in minor units."""

    status: str
    """coming, requires_action, authorised, captured, voided or declined."""
    total: int
    currency: str
    capture: bool
    """Whether it is taken at once when it succeeds."""
    captured: int = 0
    refunded: int = 0
    card: str | None = None
    succeeds: bool = True
    keys: tuple[str, ...] = ()
    turned: bool = False
    """What was coming, or the shopper's action, has ended: as `succeeds` says."""


def _book(row: Any) -> Book:
    values = {name: row[name] for name in Book._fields}
    return Book(**values | {"keys": tuple(row["keys"]), "turned": bool(row["turned"])})


async def open_book(connection: Connection, order_id: UUID, book: Book, *, turns_after_s: float | None) -> None:
    """Open the book of a payment, unless it has one."""
    terms = (book.status, book.total, book.currency, book.capture, book.captured, book.card)
    await connection.execute(_SQL["open_book"], order_id, *terms, turns_after_s, book.succeeds)


async def open_books(connection: Connection, opened: Sequence[tuple[UUID, Book, float | None]]) -> dict[UUID, Book]:
    """Open the books of several payments, each unless it has one; return what they say. With when each turns, in s."""
    rows = [
        (order_id, book.status, book.total, book.currency, book.capture, book.captured, book.card, turns, book.succeeds)
        for order_id, book, turns in opened
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    new = {UUID(int=row["order_id"].int) for row in await connection.fetch(_SQL["open_books"], *columns)}
    books = {
        order_id: book._replace(turned=turns is not None and turns <= 0)
        for order_id, book, turns in reversed(opened)  # of one that is opened twice the first counts
        if order_id in new
    }
    if others := [order_id for order_id in columns[0] if order_id not in new]:
        found = await connection.fetch(_SQL["read_books"], others)
        books |= {UUID(int=row["order_id"].int): _book(row) for row in found}
    return books


async def hold_book(connection: Connection, order_id: UUID) -> Book | None:
    """Return a payment's book and keep others from it until the transaction ends."""
    row = await connection.fetchrow(_SQL["hold_book"], order_id)
    return None if row is None else _book(row)


async def read_book(connection: Connection, order_id: UUID) -> Book | None:
    """Return a payment's book."""
    row = await connection.fetchrow(_SQL["read_book"], order_id)
    return None if row is None else _book(row)


async def write_book(connection: Connection, order_id: UUID, book: Book) -> None:
    """Write what became of a payment."""
    settled = book.status not in ("coming", "requires_action")
    terms = (book.status, book.captured, book.refunded, list(book.keys), settled)
    await connection.execute(_SQL["write_book"], order_id, *terms)


async def end_actions(connection: Connection, acted: Mapping[UUID, bool]) -> int:
    """End shoppers' actions, as the shoppers would: each succeeds or fails; return how many were open."""
    if not acted:
        return 0
    return len(await connection.fetch(_SQL["end_actions"], list(acted), list(acted.values())))


async def list_books(connection: Connection, since: datetime) -> AsyncIterator[tuple[UUID, Book]]:
    """Go through the payments that were asked for since then, in their order, a page at a time."""
    place = (since, UUID(int=0))
    while rows := await connection.fetch(_SQL["list_books"], *place):
        for row in rows:
            yield UUID(int=row["order_id"].int), _book(row)
        place = (rows[-1]["created_at"], rows[-1]["order_id"])
