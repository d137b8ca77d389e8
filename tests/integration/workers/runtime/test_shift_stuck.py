"""A holder of a lease that is stuck inside a COPY: no time-out of Postgres ends that, its successor must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from db.connections import pool as pools
from db.work import shifts
from doorbuster.settings import Settings
from tests.fixtures.waiting import eventually
from workers.runtime import shift
from workers.runtime.shift import EndReason

pytestmark = pytest.mark.versions

NAME = "drain:1:0"
APPLICATION = f"doorbuster-{NAME}"
LEASE_S = 0.3
SUCCESSORS_LEASE_S = 2.0


@asynccontextmanager
async def session(url: str) -> AsyncIterator[pools.Connection]:
    connection = await pools.connect(url, application=APPLICATION, command_timeout_s=5.0)
    try:
        yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def stuck(connection: pools.Connection, fence: int) -> AsyncIterator[asyncio.Task[None]]:
    """Hold the lease in a transaction whose COPY gets no more rows, as of a process that is paused."""
    resumed, copying = asyncio.Event(), asyncio.Event()

    async def rows() -> AsyncIterator[bytes]:
        yield b"other\t1\tnobody\t2026-01-01\n"
        copying.set()
        await resumed.wait()

    async def work() -> None:
        async with connection.transaction():
            await shifts.renew(connection, NAME, fence, lease_s=LEASE_S)
            columns = ("name", "fence", "holder", "lease_expires_at")
            await connection.copy_to_table("shifts", source=rows(), columns=columns, timeout=60)

    task = asyncio.create_task(work())
    await copying.wait()
    try:
        yield task
    finally:
        resumed.set()
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await task


async def test_the_successor_ends_the_session_of_a_holder_stuck_in_a_copy(database_url: str) -> None:
    async with session(database_url) as first, session(database_url) as second:
        fence = await shifts.acquire(first, NAME, holder="first", lease_s=LEASE_S)
        assert fence is not None
        async with stuck(first, fence) as work:
            await eventually(lambda: _is_over(second), what="the lease to run out")
            with pytest.raises(TimeoutError):  # the negative control: nothing else brings the row back
                async with asyncio.timeout(1):
                    await shifts.acquire(second, NAME, holder="second", lease_s=LEASE_S)
            ended = await shifts.end_overdue(second, NAME, application=APPLICATION, lease_s=LEASE_S)
            assert ended == 1
            assert await shifts.acquire(second, NAME, holder="second", lease_s=5) == fence + 1
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            work.result()
        assert await second.fetchval("select count(*) from shifts where name = 'other'") == 0


class Idle:
    """Work that is done at once."""

    full = 1
    paced = False
    is_busy = False

    async def begin(self) -> None:
        """Begin."""

    async def step(self) -> int | None:
        """Find nothing more, ever."""
        return None

    async def end(self, *, immediately: bool) -> None:
        """Have nothing under way."""


async def test_a_shift_takes_over_from_a_holder_stuck_in_a_copy(settings: Settings) -> None:
    url = settings.database_url.get_secret_value()
    # Its own lease bounds what it waits for an answer: as short as the other's, a stall would end it.
    own = settings.model_copy(update={"lease_s": SUCCESSORS_LEASE_S})
    async with session(url) as first, session(url) as watching:
        fence = await shifts.acquire(first, NAME, holder="first", lease_s=LEASE_S)
        assert fence is not None
        async with stuck(first, fence):
            await eventually(lambda: _is_over(watching, SUCCESSORS_LEASE_S), what="the lease to run out")
            assert await shift.run(NAME, own, asyncio.Event(), lambda _shift: Idle()) is EndReason.DONE


async def test_a_holder_whose_lease_lives_keeps_its_session(database_url: str) -> None:
    async with session(database_url) as first, session(database_url) as second:
        fence = await shifts.acquire(first, NAME, holder="first", lease_s=60)
        assert fence is not None
        async with stuck(first, fence):
            assert await shifts.end_overdue(second, NAME, application=APPLICATION, lease_s=0) == 0
        assert not first.is_closed()


async def test_another_shift_is_left_alone(database_url: str) -> None:
    async with session(database_url) as first, session(database_url) as second:
        fence = await shifts.acquire(first, NAME, holder="first", lease_s=LEASE_S)
        assert fence is not None
        async with stuck(first, fence):
            await eventually(lambda: _is_over(second), what="the lease to run out")
            assert await shifts.end_overdue(second, NAME, application="doorbuster-drain:1:1", lease_s=0) == 0


async def _is_over(connection: pools.Connection, lease_s: float = LEASE_S) -> bool:
    return NAME not in await shifts.live(connection) and bool(
        await connection.fetchval(
            "select bool_or(xact_start < clock_timestamp() - make_interval(secs => $2)) from pg_stat_activity"
            " where application_name = $1",
            APPLICATION,
            lease_s + 0.1,
        )
    )
