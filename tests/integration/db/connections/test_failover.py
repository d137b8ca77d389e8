"""A primary dies or hangs, its standby is promoted: writers find it within seconds and never go back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from db.connections import fence as fences
from db.connections import pool as pools
from db.connections.fence import NoPrimaryError, StalePrimaryError
from db.connections.primary import servers
from doorbuster.failures import POSTGRES_FAILED
from tests.fixtures.failover import Pair, Server, pair, until_it_works
from tests.fixtures.waiting import eventually

FOUND_S = 5.0
"""Writers write again so soon after a promotion, also on a busy machine."""


@pytest.fixture
def two() -> Iterator[Pair]:
    with pair() as made:
        yield made


@asynccontextmanager
async def writing(two: Pair) -> AsyncIterator[pools.Pool]:
    """A pool, and a table to write to."""
    pool = await pools.create_pool(two.url, min_size=2, max_size=4, command_timeout_s=10)
    try:
        await pool.execute("create table written (at text)")
        await two.caught_up()
        yield pool
    finally:
        pool.terminate()


async def _count(server: Server, at: str) -> int:
    return int(await server.ask("select count(*) from written where at = $1", at))


async def test_a_standby_is_no_primary_and_the_others_are_found_beside_it(two: Pair) -> None:
    turned = f"postgresql://postgres@/doorbuster?host={two.second.sockets},{two.first.sockets}&port=5432"
    connection = await pools.connect(turned)
    assert not await connection.fetchval("select pg_is_in_recovery()")
    await connection.close()
    with pytest.raises(NoPrimaryError, match="standby"):
        await pools.connect(two.second.url)
    reader = await pools.connect(two.second.url, role="any")
    assert await reader.fetchval("select pg_is_in_recovery()")
    await reader.close()
    assert [one["role"] for one in servers(turned).shown()] == ["standby", "primary"]


async def test_after_a_crash_the_promoted_one_is_written_to(two: Pair) -> None:
    async with writing(two) as pool:
        two.first.kill()
        with pytest.raises(POSTGRES_FAILED):
            await pool.execute("insert into written values ('between')")
        await two.second.promote()
        began = time.monotonic()
        await until_it_works(lambda: pool.execute("insert into written values ('after')"), within_s=FOUND_S)
        assert time.monotonic() - began < FOUND_S
        assert await _count(two.second, "after") == 1


async def test_one_that_hung_while_it_was_replaced_is_never_written_to_again(two: Pair) -> None:
    async with writing(two) as pool:
        idle = await pools.connect(two.url, command_timeout_s=60)
        waiting = await pools.connect(two.url, command_timeout_s=60)
        transaction = waiting.transaction()
        await transaction.start()
        await waiting.execute("insert into written values ('hanging')")
        two.first.hang()
        hanging = asyncio.create_task(transaction.commit())
        also = asyncio.create_task(pool.execute("insert into written values ('hanging')"))
        await asyncio.sleep(0)
        await two.second.promote()
        began = time.monotonic()
        await until_it_works(lambda: pool.execute("insert into written values ('after')"), within_s=FOUND_S)
        assert time.monotonic() - began < FOUND_S
        # What hung is unknown, and told at once: nobody waits for its time-out of a minute.
        ends = await asyncio.gather(hanging, also, return_exceptions=True)
        assert all(isinstance(end, POSTGRES_FAILED) for end in ends), ends
        assert idle.is_closed()
        two.first.go_on()
        await eventually(lambda: _is_replaced(two), what="the old primary to be seen again")
        for _ in range(20):
            await pool.execute("insert into written values ('back')")
        fresh = await pools.connect(two.url)
        await fresh.execute("insert into written values ('back')")
        await fresh.close()
        with pytest.raises(StalePrimaryError):
            await pools.connect(two.first.url)
        assert (await _count(two.first, "back"), await _count(two.second, "back")) == (0, 21)


async def _is_replaced(two: Pair) -> bool:
    return [one["role"] for one in servers(two.url).shown()] == ["replaced", "primary"]


async def test_without_the_fence_the_old_one_is_written_to(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: what the test above sees can happen."""
    monkeypatch.setattr(fences.Fence, "is_stale", lambda *_: False)
    async with writing(two) as pool:
        kept = await pools.connect(two.url)
        two.first.hang()
        await two.second.promote()
        two.first.go_on()
        await kept.execute("insert into written values ('back')")
        assert await _count(two.first, "back") == 1
        await kept.close()
        assert pool is not None
