"""A primary dies or hangs, its standby is promoted: writers find it within seconds and never go back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from db.connections import fence as fences
from db.connections import pool as pools
from db.connections import primary
from db.connections.fence import NoPrimaryError, StalePrimaryError
from db.connections.primary import servers
from db.connections.replicas import Replicas
from db.connections.server_connection import SLOW_S
from db.products import catalogue_changes
from doorbuster.failures import POSTGRES_FAILED
from tests.fixtures.failover import Pair, Server, pair, until_it_works
from tests.fixtures.turns import Watch
from tests.fixtures.up import doorbuster
from tests.fixtures.waiting import end, eventually

FOUND_S = 5.0
"""Writers write again so soon after a promotion, also on a busy machine."""


@pytest.fixture
def two() -> Iterator[Pair]:
    with pair() as made:
        yield made


@pytest.fixture(scope="module")
def standing() -> Iterator[Pair]:
    """A pair to which nothing happens."""
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


async def test_a_standby_is_no_primary_and_the_others_are_found_beside_it(standing: Pair) -> None:
    turned = f"postgresql://postgres@/doorbuster?host={standing.second.sockets},{standing.first.sockets}&port=5432"
    connection = await pools.connect(turned)
    assert not await connection.fetchval("select pg_is_in_recovery()")
    await connection.close()
    with pytest.raises(NoPrimaryError, match="standby"):
        await pools.connect(standing.second.url)
    reader = await pools.connect(standing.second.url, role="any")
    assert await reader.fetchval("select pg_is_in_recovery()")
    await reader.close()
    assert [one["role"] for one in servers(turned).shown()] == ["standby", "primary"]


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
        watch = Watch()
        await until_it_works(lambda: pool.execute("insert into written values ('after')"), within_s=FOUND_S)
        assert watch.elapsed_s() < FOUND_S
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


@asynccontextmanager
async def unwatched(two: Pair, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The first hangs until the block ends, and the second is not asked any more: it is a standby, for all we know."""
    two.first.hang()
    try:
        first, second = servers(two.url).hosts
        await eventually(lambda: _is(first.identity is None), what="the first to be missed")
        slept_s = primary.WATCH_S
        monkeypatch.setattr(primary, "WATCH_S", 600.0)
        monkeypatch.setattr(primary, "LATE_S", 600.0)
        await asyncio.sleep(slept_s)  # whoever sleeps so long has awoken by then and asks, or sleeps for long already
        await second.ask()  # or waits for that question: the last
        await two.second.promote()
        assert second.identity is not None
        assert second.identity.is_standby, "it was asked since: the test shows nothing"
        yield
    finally:
        two.first.go_on()


async def _is(said: bool) -> bool:
    return said


@pytest.mark.parametrize(
    "is_closed", [pytest.param(True, id="closed"), pytest.param(False, id="the control", marks=pytest.mark.soak)]
)
async def test_before_anybody_saw_the_new_one_the_old_one_is_not_written_to(
    two: Pair, monkeypatch: pytest.MonkeyPatch, is_closed: bool
) -> None:
    """One that was silent is believed again when all the others were asked after it."""
    async with writing(two):
        sent, idle, within = [await pools.connect(two.url, command_timeout_s=60) for _ in range(3)]
        transaction = within.transaction()
        await transaction.start()
        await within.execute("insert into written values ('within')")
        if not is_closed:
            monkeypatch.setattr(primary.Servers, "find_out", _nothing)
        async with unwatched(two, monkeypatch):
            tries = [asyncio.create_task(sent.execute("insert into written values ('sent')"))]
            tries.append(asyncio.create_task(transaction.commit()))
            await asyncio.sleep(SLOW_S + 0.2)  # so long it hangs: no condition says so
        tries.append(asyncio.create_task(idle.execute("insert into written values ('idle')")))
        ends = await asyncio.gather(*tries, return_exceptions=True)
        failed = [isinstance(end, POSTGRES_FAILED) for end in ends]
        assert failed == [is_closed] * 3, ends
        assert await _count(two.first, "idle") == (0 if is_closed else 1)
        for one in (sent, idle, within):
            one.terminate()


async def _nothing(_servers: primary.Servers) -> None:
    """Ask nobody."""


@pytest.mark.soak
async def test_behind_a_synchronous_standby_the_old_one_acknowledges_nothing(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is known of the other: the promoted one was the only one that could have confirmed it."""
    async with writing(two):
        await two.make_synchronous()
        kept = await pools.connect(two.url, command_timeout_s=60)
        await kept.execute("insert into written values ('before')")
        monkeypatch.setattr(primary.Servers, "find_out", _nothing)
        async with unwatched(two, monkeypatch):
            pass
        late = asyncio.create_task(kept.execute("insert into written values ('late')"))
        await eventually(lambda: _waits(two), what="the commit to wait for a standby that is none any more")
        assert not late.done()
        kept.terminate()
        with pytest.raises(POSTGRES_FAILED):
            await late
        assert (await _count(two.second, "before"), await _count(two.second, "late")) == (1, 0)


async def _waits(two: Pair) -> bool:
    return bool(await two.first.ask("select count(*) from pg_stat_activity where wait_event = 'SyncRep'"))


async def test_after_a_crash_reads_go_on_and_the_promoted_one_is_written_to(two: Pair) -> None:
    await _once(two)
    replicas = Replicas(two.url, [two.first.url, two.second.url], lag_max_s=2, primary_max=2, timeout_s=5)
    await replicas.open()
    watch = asyncio.create_task(replicas.watch())
    try:
        await eventually(lambda: _usable(replicas, [False, True]), what="the standby to be read from")
        two.first.kill()
        for _ in range(5):
            assert await replicas.read(_where) == "second"
        with pytest.raises(POSTGRES_FAILED):
            await _position(two)
        await two.second.promote()
        await eventually(lambda: _usable(replicas, [False, False]), what="the promoted one to leave the replicas")
        position = await until_it_works(lambda: _position(two), within_s=FOUND_S)
        assert await replicas.read(_where, lsn=position) == "second"
        await eventually(lambda: _is_past(replicas, position), what="the position to be the new primary's")
        assert replicas.reads["primary"] > 0
    finally:
        await end(watch)
        await replicas.close()


async def _once(two: Pair) -> None:
    await two.first.ask("create table place (name text)")
    await two.first.ask("insert into place values ('second')")
    await two.caught_up()


async def _where(connection: pools.Connection, _lsn: int) -> str:
    return str(await connection.fetchval("select name from place"))


async def _usable(replicas: Replicas, wanted: list[bool]) -> bool:
    return [one.usable for one in replicas.replicas] == wanted


async def _position(two: Pair) -> int:
    connection = await pools.connect(two.url)
    try:
        await connection.execute("insert into place values ('more')")
        return await catalogue_changes.log_position(connection)
    finally:
        await connection.close()


async def _is_past(replicas: Replicas, position: int) -> bool:
    return replicas.primary.lsn >= position


async def test_migrations_are_refused_by_a_standby_and_find_the_primary(standing: Pair) -> None:
    alone = await asyncio.to_thread(doorbuster, "migrate", env=_environment(standing.second.url))
    assert alone.returncode != 0
    assert "standby" in alone.stderr
    assert len(alone.stderr.splitlines()) == 1
    both = await asyncio.to_thread(doorbuster, "migrate", env=_environment(standing.url))
    assert both.returncode == 0, both.stderr
    assert await standing.first.ask("select count(*) from schema_migrations") > 0


def _environment(url: str) -> dict[str, str]:
    return {"DATABASE_URL": url}


@pytest.fixture
def third(two: Pair) -> Server:
    return two.another()


@pytest.mark.soak
async def test_a_replica_of_one_that_was_replaced_is_not_read_from(
    two: Pair, third: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    replicas = Replicas(two.url, [third.url], lag_max_s=2, primary_max=2, timeout_s=5)
    await replicas.open()
    watch = asyncio.create_task(replicas.watch())
    try:
        await eventually(lambda: _usable(replicas, [True]), what="the third to be read from")
        await two.second.promote()
        await two.first.ask("create table history (n int)")  # so that its log is as long as the other's
        await eventually(lambda: _usable(replicas, [False]), what="the third to be left out")
        assert replicas.replicas[0].answers
        assert "it follows a primary that was replaced" in {getattr(one, "why", "") for one in caplog.records}
    finally:
        await end(watch)
        await replicas.close()
