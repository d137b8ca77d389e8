"""One look into Postgres for all streams of a process that ask at about the same time. Owns the gathering of questions.

Streams that look from time to time do it at the same moments, `TICKS` a second. However many are open, there are at
most 1 / `PAUSE_S` looks a second and one at a time. Keeps no answer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from db.orders.orders import events_of
from doorbuster.failures import STORE_FAILED

if TYPE_CHECKING:
    from uuid import UUID

    from db.orders.orders import OrderEvent
    from intake.database import Database

    Question = tuple[UUID, int, asyncio.Future[list[OrderEvent]]]

PAUSE_S = 0.05
"""What a stream may wait for others to ask with it: a message about an order is told so much later at most."""
ORDERS_MAX = 500
"""Orders in one look."""
TICKS = 4
"""Moments between two looks of a stream; which of them is its own says its order's id, so that not all come at once."""


def till_tick(order_id: UUID, now: float, every_s: float) -> float:
    """Return in how many seconds it is a stream's turn to look again, if it looks every so often: at most that long."""
    own = order_id.int % TICKS / TICKS * every_s
    return every_s - (now - own) % every_s


class SharedLooks:
    """Reads the events of many orders at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: list[Question] = []
        self._task: asyncio.Task[None] | None = None
        self.looks = 0

    async def behind(self, order_id: UUID, seq: int) -> list[OrderEvent]:
        """Return an order's events behind the `seq`-th.

        Raises:
            StoreUnavailableError, and what the driver raises: Postgres does not answer.
        """
        answer: asyncio.Future[list[OrderEvent]] = asyncio.get_running_loop().create_future()
        self._asked.append((order_id, seq, answer))
        if self._task is None:
            self._task = asyncio.ensure_future(self._work_off())
        return await answer

    async def _work_off(self) -> None:
        try:
            while self._asked:
                batch, self._asked = self._asked[:ORDERS_MAX], self._asked[ORDERS_MAX:]
                await self._answer(batch)
                await asyncio.sleep(PAUSE_S)
        finally:
            self._task = None
            for _, _, answer in self._asked:  # the process ends: nobody may wait for ever
                answer.cancel()

    async def _answer(self, batch: list[Question]) -> None:
        self.looks += 1
        try:
            found = await self._read(batch)
        except STORE_FAILED as error:
            for _, _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        except BaseException:  # a defect, or the end of the process: nobody may wait for ever
            for _, _, answer in batch:
                answer.cancel()
            raise
        for order_id, seq, answer in batch:
            if not answer.done():  # who asked may be gone
                answer.set_result([event for event in found.get(order_id, ()) if event.seq > seq])

    async def _read(self, batch: list[Question]) -> dict[UUID, list[OrderEvent]]:
        async with self._database.reading() as connection:
            return await events_of(connection, {order_id for order_id, _, _ in batch})
