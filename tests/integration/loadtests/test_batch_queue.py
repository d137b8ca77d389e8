"""The rival with a queue of batches loses no order and reserves none twice, else its figure would say nothing."""

from __future__ import annotations

from uuid import uuid4

import asyncpg

from db.query_files import load
from loadtests.rivals import baseline, batch_queue

_SQL = load("baseline")


async def _add(connection: asyncpg.Connection[asyncpg.Record], name: str) -> None:
    await connection.execute(_SQL["add_event"], uuid4(), name, "key", "hot", 1)


async def test_what_commits_late_is_in_a_later_batch_and_nothing_is_in_two(database_url: str) -> None:
    async with baseline.tables(database_url, product_id="hot", stock=10):
        late, other = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
        try:
            under_way = late.transaction()
            await under_way.start()
            await _add(late, "late")
            await _add(other, "early")
            assert await batch_queue.work_off(other) == 1
            assert await batch_queue.work_off(other) == 0
            assert await other.fetchval(_SQL["events_left"]) == 0  # as far as anybody can see
            await under_way.commit()
            await _add(other, "last")
            assert await batch_queue.work_off(other) == 2
            assert await other.fetchval(_SQL["events_left"]) == 0
            sold = await other.fetchrow("select stock, reserved from baseline.stock")
            assert sold is not None
            assert tuple(sold) == (7, 3)
            assert await other.fetchval("select count(*) from baseline.orders") == 3
        finally:
            await late.close()
            await other.close()
