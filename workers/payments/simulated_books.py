"""Where the simulated provider keeps what it has: in Postgres, or in memory for whoever has no database.

Owns the two kinds of books and that each change of a payment happens once at a time; what changes is the caller's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol
from uuid import UUID

from db.connections import pool
from db.payments import simulated_books
from db.payments.simulated_books import Book

if TYPE_CHECKING:
    from db.connections.pool import Connection

Change = Callable[[Book], Book]
TOGETHER_MAX = 1_000
"""Books opened by one statement."""


class Books(Protocol):
    """What the simulated provider has of each payment."""

    async def open(self, order_id: UUID, book: Book, *, turns_after_s: float | None = None) -> Book:
        """Open a payment's book, unless it has one; return what it says."""

    async def change(self, order_id: UUID, book: Book, change: Change) -> Book:
        """Change what is there, or `book` where nothing is; return what it says then."""

    async def read(self, order_id: UUID) -> Book | None:
        """Return a payment's book."""

    def list(self, since: datetime) -> AsyncIterator[tuple[UUID, Book]]:
        """Go through all payments since then."""

    async def close(self) -> None:
        """Close what is open."""


class MemoryBooks:
    """Books that end with the process; `since` means nothing to them."""

    def __init__(self) -> None:
        self._books: dict[UUID, Book] = {}
        self._turns: dict[UUID, float] = {}

    async def open(self, order_id: UUID, book: Book, *, turns_after_s: float | None = None) -> Book:
        """Open a payment's book, unless it has one; return what it says."""
        if order_id not in self._books:
            self._books[order_id] = book
            if turns_after_s is not None:
                self._turns[order_id] = time.monotonic() + turns_after_s
        return self._now(order_id)

    async def change(self, order_id: UUID, book: Book, change: Change) -> Book:
        """Change what is there, or `book` where nothing is; return what it says then."""
        self._books.setdefault(order_id, book)
        self._books[order_id] = change(self._now(order_id))
        return self._books[order_id]

    async def read(self, order_id: UUID) -> Book | None:
        """Return a payment's book."""
        return self._now(order_id) if order_id in self._books else None

    async def list(self, since: datetime) -> AsyncIterator[tuple[UUID, Book]]:  # noqa: ARG002 - see the class
        """Go through all payments."""
        for order_id in list(self._books):
            yield order_id, self._now(order_id)

    async def close(self) -> None:
        """Close nothing."""

    def _now(self, order_id: UUID) -> Book:
        return self._books[order_id]._replace(turned=self._turns.get(order_id, float("inf")) <= time.monotonic())


class _Opening(NamedTuple):
    """A book that is to be opened, and who waits for what it says."""

    order_id: UUID
    book: Book
    turns_after_s: float | None
    said: asyncio.Future[Book]


class PostgresBooks:
    """Books in the shop's own database, which every shift finds; one call at a time, on a connection of its own.

    Books that are to be opened while one call is under way are opened by the next, together.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._opening: list[_Opening] = []
        self._opener: asyncio.Task[None] | None = None

    async def open(self, order_id: UUID, book: Book, *, turns_after_s: float | None = None) -> Book:
        """Open a payment's book, unless it has one; return what it says."""
        said: asyncio.Future[Book] = asyncio.get_running_loop().create_future()
        self._opening.append(_Opening(order_id, book, turns_after_s, said))
        if self._opener is None or self._opener.done():
            self._opener = asyncio.create_task(self._open_all())
        return await said

    async def _open_all(self) -> None:
        """Open what is to be opened, until nothing is; who waits hears what failed."""
        while self._opening:
            async with self._turn:
                opening, self._opening = self._opening[:TOGETHER_MAX], self._opening[TOGETHER_MAX:]
                try:
                    found = await simulated_books.open_books(await self._connected(), [one[:3] for one in opening])
                except Exception as error:  # noqa: BLE001 - whoever waits gets it
                    for one in opening:
                        if not one.said.done():
                            one.said.set_exception(error)
                    continue
            for one in opening:
                if not one.said.done():
                    one.said.set_result(found[one.order_id])

    async def change(self, order_id: UUID, book: Book, change: Change) -> Book:
        """Change what is there, or `book` where nothing is; return what it says then."""
        async with self._turn:
            connection = await self._connected()
            async with connection.transaction():
                await simulated_books.open_book(connection, order_id, book, turns_after_s=None)
                found = await simulated_books.hold_book(connection, order_id)
                assert found is not None
                changed = change(found)
                if changed != found:
                    await simulated_books.write_book(connection, order_id, changed)
        return changed

    async def read(self, order_id: UUID) -> Book | None:
        """Return a payment's book."""
        async with self._turn:
            return await simulated_books.read_book(await self._connected(), order_id)

    async def list(self, since: datetime) -> AsyncIterator[tuple[UUID, Book]]:
        """Go through all payments since then."""
        connection = await pool.connect(
            self._url, application="doorbuster-simulated", command_timeout_s=self._timeout_s
        )
        try:
            async for one in simulated_books.list_books(connection, since):
                yield one
        finally:
            connection.terminate()

    async def close(self) -> None:
        """Close the connection; what was to be opened is not."""
        if self._opener is not None:
            self._opener.cancel()
            await asyncio.gather(self._opener, return_exceptions=True)
        for one in self._opening:
            one.said.cancel()
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await pool.connect(
                self._url, application="doorbuster-simulated", command_timeout_s=self._timeout_s
            )
        return self._connection
