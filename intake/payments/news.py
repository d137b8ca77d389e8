"""What callbacks told is written down, many at once: one transaction under way in a process. Owns who waits for it.

A flash sale's payments bring a callback each. As orders are committed in groups, so are these: what comes while a
transaction is under way goes in the next, and callbacks never take more than one connection.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from db.orders.payment_news import take_news
from db.payments import simulated_books

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from intake.database import Database
    from intake.payments.providers import PaymentNews

BATCH = 500


class NewsDesk:
    """Takes news of payments."""

    def __init__(self, database: Database, *, simulated: bool = False) -> None:
        self._database = database
        self._simulated = simulated
        """Of the simulated provider a callback may be the shopper's act."""
        self._waiting: list[tuple[PaymentNews, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def take(self, news: PaymentNews) -> None:
        """Write down that the order's payment is to be looked up; returns when that is committed.

        Raises:
            OSError, PostgresError, ...: Postgres did not take it.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((news, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await written

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                error = await self._commit([news for news, _ in batch])
                for _, written in batch:
                    if written.done():  # whoever sent it went away
                        continue
                    if error is None:
                        written.set_result(None)
                    else:
                        written.set_exception(error)
        finally:
            self._writing = None

    async def _commit(self, news: Sequence[PaymentNews]) -> BaseException | None:
        try:
            async with self._database.reading("payments") as connection, connection.transaction():
                if self._simulated:
                    await simulated_books.end_actions(connection, _acted(news))
                await take_news(connection, [(one.order_id, one.claim) for one in news])
        except Exception as error:  # noqa: BLE001 - each of those who wait raises it where it is mapped
            return error
        return None


def _acted(news: Sequence[PaymentNews]) -> dict[UUID, bool]:
    """Return of the orders whose shoppers acted whether they did it."""
    return {one.order_id: one.acted for one in news if one.acted is not None}
