"""Rows of DrainLate: a drain that is slow, blocked, not begun, refused, or robbed of its lease."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import msgspec
import pytest
from pydantic import SecretStr

from db.work import shifts
from tests.fixtures.night import Night
from tests.fixtures.proxy import Proxy
from tests.fixtures.runbook import steps_of
from tests.fixtures.runbook_rows import Row
from tests.fixtures.waiting import eventually
from workers.runtime import shift
from workers.scheduler import Scheduler

NAME = "DrainLate"
CURSORS = 'psql "$DATABASE_URL" -c "select s.sale_id'
SESSIONS = 'psql "$DATABASE_URL" -c "select pid, application_name'
QUEUE = "rqinfo"
END = next(step for step in steps_of(NAME) if "pg_terminate_backend" in step)


def _drained(said: str) -> tuple[int, str]:
    """Return how many were drained, and who holds the lease, by the look at cursors."""
    rows = [line.split("|") for line in said.splitlines() if line.startswith(" sale ")]
    return (int(rows[0][2]), rows[0][4].strip()) if rows else (0, "")


async def _moved(row: Row, beyond: int) -> int:
    """Look until more are drained, under a lease."""

    async def moves() -> int:
        count, holder = _drained(await row.looks(CURSORS))
        return count if count > beyond and holder else 0

    return await eventually(moves, what="the cursor to move")


@pytest.mark.walks(NAME, "a live lease, `drained` moves")
async def test_more_comes_than_goes(row: Row) -> None:
    shop = row.night.shop
    (await row.night.intake.ops.post("/ops/products/lamp/stock", json={"receive": 100})).raise_for_status()
    # It has more to do for as long as somebody looks: two of the orders wait for who looks.
    await shop.db.execute(
        """
        create function slow() returns trigger language plpgsql as $$ begin
          perform pg_sleep(0.02);
          if new.customer_id in ('c39', 'c79') then
            perform pg_advisory_xact_lock(substr(new.customer_id, 2)::integer);
          end if;
          return new;
        end $$;
        create trigger slow before insert on orders for each row execute function slow();
        select pg_advisory_lock(39), pg_advisory_lock(79)
        """
    )
    orders = await shop.buy(*(f"c{number}" for number in range(80)), lamp=1)
    drain = asyncio.create_task(shop.drain(drain_batch_max=5))
    first = await _moved(row, 0)
    await shop.db.execute("select pg_advisory_unlock(39)")
    assert await _moved(row, first) < len(orders)
    await shop.db.execute("select pg_advisory_unlock(79)")
    await drain
    assert _drained(await row.looks(CURSORS))[0] == len(orders), "it caught up"
    await shop.db.execute("drop trigger slow on orders; drop function slow")


@pytest.mark.walks(NAME, "a live lease, `drained` stands still")
async def test_somebody_holds_locks(row: Row) -> None:
    shop = row.night.shop
    stranger = await asyncpg.connect(shop.settings.database_url.get_secret_value())
    try:
        await stranger.execute("begin; select from stock for update")
        order_ids = await shop.buy("ada", lamp=1)
        drain = asyncio.create_task(shop.drain())
        waits = "select count(*) from pg_locks where not granted"
        await eventually(lambda: shop.db.fetchval(waits), what="the drain to wait")
        looks = [_drained(await row.looks(CURSORS)) for _ in range(2)]
        assert looks[0] == looks[1]
        assert "select from stock for update" in await row.looks(SESSIONS)
        await row.does(END)
        await drain
    finally:
        stranger.terminate()
    await shop.drain()
    assert await shop.statuses(order_ids) == ["pending"]


@asynccontextmanager
async def _scheduler(night: Night, url: str | None = None) -> AsyncIterator[Scheduler]:
    settings = night.shop.settings
    told = settings.model_copy(update={"database_url": SecretStr(url)}) if url else settings
    scheduler = Scheduler(told)
    try:
        yield scheduler
    finally:
        await scheduler.close()


async def _is_drained(night: Night, order_id: UUID) -> bool:
    return (await night.shop.statuses([order_id]))[0] in ("pending", "confirmed")


@pytest.mark.walks(NAME, "no lease, jobs wait in `rqinfo`, no idle worker")
async def test_too_few_workers(row: Row) -> None:
    night = row.night
    night.alive.work()
    (order_id,) = await night.shop.buy("ada", lamp=1)
    async with _scheduler(night) as scheduler:
        await scheduler.tick()
    said = await row.looks(CURSORS, QUEUE)
    assert _drained(said) == (0, "")
    assert "busy" in said
    assert "idle" not in said
    assert "shifts | 0" not in said.replace("|", "| ")
    row.starts("python -m workers &")
    await eventually(lambda: _is_drained(night, order_id), within_s=30, what="another worker to drain it")


@pytest.mark.walks(NAME, "no lease, nothing waits")
async def test_the_scheduler_cannot_look(row: Row) -> None:
    night = row.night
    (order_id,) = await night.shop.buy("ada", lamp=1)
    with Proxy(night.shop.settings.database_url.get_secret_value()) as line:
        line.cut()
        async with _scheduler(night, line.url) as scheduler:
            await scheduler.tick()
            said = await row.looks(CURSORS, QUEUE)
            assert _drained(said) == (0, "")
            assert "0 jobs total" in said
            assert "a part of the scheduler cannot look" in row.log
            # Which of these the driver finds depends on how far it was: all say that the connection ended.
            whys = re.findall(r'cannot look".*"error":"(\w+)', row.log)
            assert whys, "and why"
            assert set(whys) <= {"ConnectionResetError", "ConnectionDoesNotExistError", "ConnectionError"}
            line.mend()
            await scheduler.tick()
            assert "a part of the scheduler looks again" in row.log
    assert "0 jobs total" not in await row.looks(QUEUE)
    await night.shop.drain()
    assert await night.shop.statuses([order_id]) == ["pending"]


@pytest.mark.walks(NAME, "`a batch was refused` again and again")
async def test_many_entries_are_broken(row: Row) -> None:
    shop = row.night.shop
    broken = [msgspec.structs.replace(shop.entry(f"b{number}", lamp=1), metadata=b'{"gift') for number in range(3)]
    whole = shop.entry("ada", lamp=1)
    ids = await shop.accept(broken[0], whole, *broken[1:])
    await shop.drain()
    assert row.log.count("a batch was refused") > 1
    await row.looks(CURSORS)
    assert await shop.statuses([ids[1]]) == ["pending"], "it goes on by itself"
    said = await row.does("doorbuster dead-letters list")
    assert said.count("rejected_by_database") == 3


@pytest.mark.walks(NAME, "`lease lost` again and again")
async def test_postgres_stalls_for_longer_than_a_lease(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = row.night.shop
    monkeypatch.setattr(shift, "IDLE_S", 60.0)
    name = f"drain:{shop.sale_number}:0"

    async def is_taken(lease_s: float) -> bool:
        return await shifts.take(shop.db, name, holder="another", lease_s=lease_s) is not None

    held = "select true from shifts where name = $1 and holder not in ('', 'another')"
    with Proxy(shop.settings.database_url.get_secret_value()) as line:
        for lease_s in (1.0, 30.0):
            drain = asyncio.create_task(shop.drain(lease_s=lease_s, database_url=SecretStr(line.url)))
            await eventually(lambda: shop.db.fetchval(held, name), what="the drain to have its lease")
            line.delay(60)
            if lease_s == 1.0:
                await eventually(lambda: is_taken(0.1), what="the lease to end")
                line.mend()
                line.reset()
                await asyncio.wait_for(drain, 30)
                assert "lease lost" in row.log
                await row.looks(CURSORS)
                await eventually(lambda: is_taken(0.001), what="the other one's to end")
                await shop.db.execute("update shifts set holder = '', lease_expires_at = now()")
            else:
                assert not await is_taken(1.0), "raised, it outlasts the stall"
                line.mend()
                line.reset()

                async def ended(drain: asyncio.Task[None] = drain) -> bool:
                    drain.cancel()  # again, where a connection's end came at the same time and was heard instead
                    return drain.done()

                await eventually(ended)
    assert row.log.count("lease lost") == 1
