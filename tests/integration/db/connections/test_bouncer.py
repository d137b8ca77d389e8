"""PgBouncer in transaction mode: each transaction may have another session, and all is as with one of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from db.connections import pool as pools
from db.connections.fence import NoPrimaryError
from db.connections.primary import servers
from db.connections.server_connection import is_pooled
from db.migrate import migrate
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.failures import POSTGRES_FAILED
from tests.fixtures.bouncer import bouncer
from tests.fixtures.failover import Pair, pair, until_it_works
from tests.fixtures.waiting import eventually

SENT = "idle_in_transaction_session_timeout,transaction_timeout,enable_seqscan,enable_nestloop"
"""What a pooler may be told to take and forget."""


@pytest.fixture(scope="module", params=["", SENT], ids=["refuses settings", "forgets settings"])
def through(request: pytest.FixtureRequest, postgres_server: Postgres) -> Iterator[str]:
    with bouncer(postgres_server.url("postgres"), sessions=3, ignore=request.param) as made:
        yield made.url


@pytest.fixture
async def pool(through: str) -> AsyncIterator[pools.Pool]:
    pool = await pools.create_pool(through, min_size=0, max_size=12, idle_in_transaction_s=7)
    try:
        yield pool
    finally:
        await pool.close()


async def test_what_a_session_needs_holds_in_each_transaction_and_stays_in_none(pool: pools.Pool, through: str) -> None:
    async def ask(number: int) -> tuple[str, ...]:
        async with pool.acquire() as connection:
            assert is_pooled(connection)
            if number % 2:
                return tuple(await connection.fetchrow(_SETTINGS))
            async with connection.transaction():
                await connection.execute("create temporary table t (n int) on commit drop")
                await connection.copy_records_to_table("t", records=[(n,) for n in range(100)])
                assert await connection.fetchval("select count(*) from t where n >= $1", number) == 100 - number
                return tuple(await connection.fetchrow(_SETTINGS))

    found = await asyncio.gather(*(ask(number) for number in range(60)))
    assert set(found) == {("off", "off", "UTC", "7s")}
    plain = await pools.connect(through, steady=False)
    assert await plain.fetchval("select current_setting('enable_seqscan')") == "on"
    await plain.close()


_SETTINGS = """select current_setting('enable_seqscan'), current_setting('enable_nestloop'),
  current_setting('timezone'), current_setting('idle_in_transaction_session_timeout')"""


async def test_jsonb_and_time_outs_are_as_ever(pool: pools.Pool, through: str) -> None:
    assert await pool.fetchval("select $1::jsonb", {"a": [1]}) == {"a": [1]}
    with pytest.raises(TimeoutError):
        await pool.fetchval("select pg_sleep(5)", timeout=0.2)
    assert await pool.fetchval("select 1") == 1
    bounded = await pools.connect(through, transaction_timeout_s=0.3)
    with pytest.raises(POSTGRES_FAILED):
        await bounded.fetchval("select pg_sleep(5)")
    bounded.terminate()


async def test_a_reader_cannot_write(through: str) -> None:
    pool = await pools.create_read_pool(through, max_size=2, command_timeout_s=5, application="doorbuster-catalogue")
    try:
        for write in (pool.execute, pool.fetchval):
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await write("create table written (n int)")
    finally:
        pool.terminate()


async def test_migrations_pass(through: str, empty_database_url: str) -> None:
    name = empty_database_url.partition("?")[0].rpartition("/")[2]
    url = f"{through.rpartition('/')[0]}/{name}"
    assert await migrate(url)
    assert await migrate(url) == []


@pytest.fixture
def two() -> Iterator[Pair]:
    with pair() as made:
        yield made


@pytest.mark.soak
async def test_one_that_leads_back_to_a_replaced_primary_is_not_written_through(two: Pair) -> None:
    with bouncer(two.first.url) as made:
        pool = await pools.create_pool(made.url, min_size=0, max_size=4)
        try:
            await pool.execute("create table written (at text)")
            await two.caught_up()
            two.first.hang()
            await two.second.promote()
            made.lead_to(two.second.address)
            await until_it_works(lambda: pool.execute("insert into written values ('after')"), within_s=30)
            await eventually(lambda: _is_seen(made.url), what="the new timeline to be seen through it")
            two.first.go_on()
            made.lead_to(two.first.address)
            await eventually(lambda: _is_refused(pool), within_s=30, what="the replaced one to be refused")
            before = await two.first.ask("select count(*) from written")
            for _ in range(20):
                with pytest.raises(NoPrimaryError):
                    await pool.execute("insert into written values ('back')")
            assert await two.first.ask("select count(*) from written") == before
            made.lead_to(two.second.address)
            await until_it_works(lambda: pool.execute("insert into written values ('again')"), within_s=30)
        finally:
            pool.terminate()


async def _is_seen(url: str) -> bool:
    return servers(url).shown()[0].get("timeline") == 2


async def _is_refused(pool: pools.Pool) -> bool:
    try:
        await pool.fetchval("select 1")
    except NoPrimaryError:
        return True
    except POSTGRES_FAILED:
        return False
    return False
