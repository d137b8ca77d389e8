"""What Postgres says of the sales that are looked at, asked for together. Owns how long one look waits for the others.

Each sale's look is by itself; Postgres is asked once for all that look within a moment, on one connection.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from db import live
from doorbuster.log import shared_context

if TYPE_CHECKING:
    from db.live import SaleBooks, SaleToRead
    from intake.database import Database

TOGETHER_S = 0.02
"""How long a look waits for others; a tick of all sales begins within it."""


class BookReader:
    """Reads the books of sales."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: list[tuple[SaleToRead, asyncio.Future[SaleBooks]]] = []
        self._reading: set[asyncio.Task[None]] = set()
        self.reads = 0
        """How often Postgres was asked."""

    async def read(self, sale: SaleToRead) -> SaleBooks:
        """Return the books of a sale as of now.

        Raises:
            OSError, PostgresError, ...: Postgres did not answer.
        """
        answer: asyncio.Future[SaleBooks] = asyncio.get_running_loop().create_future()
        self._asked.append((sale, answer))
        if len(self._asked) == 1:
            task = asyncio.create_task(self._read_together(), context=shared_context())
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
        return await answer

    async def _read_together(self) -> None:
        await asyncio.sleep(TOGETHER_S)
        asked, self._asked = self._asked, []
        waiting = [(sale, answer) for sale, answer in asked if not answer.done()]
        if not waiting:
            return
        self.reads += 1
        try:
            async with self._database.reading("watching") as connection:
                found = await live.books(connection, list(dict.fromkeys(sale for sale, _ in waiting)))
        except Exception as error:  # noqa: BLE001 - each of those who wait raises it where it is told of
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        for sale, answer in waiting:
            if not answer.done():
                answer.set_result(found[sale])
