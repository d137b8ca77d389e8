"""Rows of `admission_invalid`, of orders that stay `accepted`, and of dead letters."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import pytest

from db.connections import pool as pools
from doorbuster.embedded.stores.postgres import Postgres
from doorbuster.orderstore import entry
from tests.fixtures.intake import Intake
from tests.fixtures.night import Night, work_off
from tests.fixtures.runbook_rows import Row
from tests.fixtures.visitors import Visitor
from tests.fixtures.waiting import eventually

INVALID = "Shoppers hear `admission_invalid`"
STAY = "Orders stay `accepted`"
LETTERS = "Dead letters"
LAMP = [{"product_id": "lamp", "quantity": 1}]
LIST, SHOW = "doorbuster dead-letters list", "doorbuster dead-letters show $ID"
RETRY = "doorbuster dead-letters retry $ID"


async def _inside(night: Night, name: str, intake: Intake | None = None) -> str:
    """Let a visitor in; return the admission."""
    visitor = Visitor(intake or night.intake, "sale", name)
    assert (await visitor.join()).status_code == 201
    return await visitor.admitted()


async def _with_room(night: Night) -> None:
    room = {"mode": "always", "rate_per_s": 1000, "burst": 1000}
    (await night.intake.ops.patch("/ops/sales/sale", json={"room": room})).raise_for_status()


async def _order(intake: Intake, admission: str) -> str:
    bearer = {"Authorization": f"Bearer {admission}"}
    answer = await intake.post("sale", headers=bearer, lines=LAMP)
    return str(answer.json().get("code", answer.status_code))


@pytest.mark.walks(INVALID, "`revoke` in the log, or somebody typed `keys rotate --overlap-s 0`")
async def test_admissions_were_made_worthless(row: Row) -> None:
    night = row.night
    await _with_room(night)
    before = await _inside(night, "ann")
    night.person.env["ROOM_KEYS"] = "one:" + "0" * 64
    await night.person.type("doorbuster sale revoke $SALE --yes")
    assert await _order(night.intake, before) == "admission_invalid"
    await row.looks("doorbuster sale log $SALE")
    assert await _order(night.intake, await _inside(night, "ann-again")) == "202"
    own = await night.serve(room_keys=night.person.env["ROOM_KEYS"])
    held = await _inside(night, "bob", own)
    _, said = await night.person.type("doorbuster keys rotate --overlap-s 0 --yes")
    rotated = await night.serve(room_keys=said.split("ROOM_KEYS=")[2].split()[0])
    assert await _order(rotated, held) == "admission_invalid"
    assert await _order(rotated, await _inside(night, "bob-again", rotated)) == "202"


@pytest.mark.walks(INVALID, "the check `keys` says that intake processes have different keys")
async def test_intakes_have_different_keys(row: Row) -> None:
    night = row.night
    await _with_room(night)
    odd = await night.serve(room_keys="odd:" + "0" * 64)
    admission = await _inside(night, "ann")
    assert await _order(odd, admission) == "admission_invalid"
    assert "different keys" in await row.looks("doorbuster prewarm $SALE")
    odd.stop()
    assert await _order(await night.serve(), admission) == "202", "with the same keys it counts"


async def _put_aside(night: Night) -> dict[str, Any]:
    """Return the dead letter that is open; the runbook's `$ID` is its number."""
    await night.shop.drain()
    (letter,) = (await night.intake.ops.get("/ops/dead-letters")).json()["items"]
    night.person.env["ID"] = str(letter["dead_letter_id"])
    return dict(letter)


async def _status(night: Night, order_id: str) -> str:
    return str((await night.intake.http.get(f"/orders/{order_id}")).json()["status"])


async def _refused_by_postgres(night: Night) -> str:
    """Have an order that Postgres refuses until its cause is gone; return its id."""
    await night.shop.db.execute(
        """
        create function stranger() returns trigger language plpgsql as
          $$ begin raise exception 'not here' using errcode = 'check_violation'; end $$;
        create trigger stranger before insert on orders for each row execute function stranger()
        """
    )
    order_id = str((await night.intake.post("sale", lines=LAMP)).json()["order_id"])
    await _put_aside(night)
    return order_id


async def _correct(night: Night) -> None:
    await night.shop.db.execute("drop trigger stranger on orders; drop function stranger")


@pytest.mark.walks(STAY, "the order has a `reason`")
async def test_it_is_a_dead_letter(row: Row) -> None:
    night = row.night
    night.person.env |= {"ID": await _refused_by_postgres(night), "N": "1", "P": "0"}
    order_id = night.person.env["ID"]
    said = await row.looks("curl -s $OPS_URL/orders/$ID")
    assert '"status":"accepted"' in said
    assert '"reason":"rejected_by_database"' in said
    await _correct(night)
    await _put_aside(night)
    await row.does(RETRY)
    await night.shop.drain()
    assert await _status(night, order_id) == "pending"


@pytest.mark.walks(STAY, "entries beyond the cursor's `entry_id`, and nobody drains them")
async def test_nobody_drains(row: Row) -> None:
    night = row.night
    night.alive.close()
    order_id = str((await night.intake.post("sale", lines=LAMP)).json()["order_id"])
    night.person.env |= {"ID": order_id, "N": str(night.shop.sale_number), "P": "0"}
    said = await row.looks("curl -s $OPS_URL/orders/$ID", "psql", "orders XRANGE")
    assert '"status":"accepted"' in said
    assert "(0 rows)" in said or " 0-0 " in said, "the cursor is before it"
    assert "-0', {'e':" in said
    row.starts("python -m workers.scheduler &")
    row.starts("python -m workers &")

    async def drained() -> bool:
        return await _status(night, order_id) in ("pending", "confirmed")

    await eventually(drained, within_s=30, what="the worker to drain it")


@pytest.mark.walks(STAY, "no entries, and the audit counts entries lost under P1")
async def test_postgres_was_restored_from_an_old_backup(row: Row, postgres_server: Postgres) -> None:
    night = row.night
    async with _backups(night, postgres_server) as backup:
        await backup("before")
        order_id = str((await night.intake.post("sale", lines=LAMP)).json()["order_id"])
        night.person.env |= {"ID": order_id, "N": str(night.shop.sale_number), "P": "0"}
        await night.shop.drain()
        await work_off(night.shop)
        await backup("later")
        night.person.env["DATABASE_URL"] = postgres_server.url("before")
        said = await row.looks("orders XRANGE", "doorbuster audit")
        assert said.startswith("[]"), "no entries"
        assert re.search(r"^P1 +partitions drained beyond .* BROKEN|^P1 .*BROKEN", said, re.MULTILINE)
        night.person.env["DATABASE_URL"] = postgres_server.url("later")
        assert "all promises hold" in await row.looks("doorbuster audit")
        restored = await night.serve(database_url=postgres_server.url("later"))
        assert (await restored.http.get(f"/orders/{order_id}")).json()["status"] == "confirmed"


@asynccontextmanager
async def _backups(night: Night, server: Postgres) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Copy the night's database as it stands; the copies are gone at the end."""
    source, made = await night.shop.db.fetchval("select current_database()"), list[str]()
    admin = await asyncpg.connect(server.url("postgres"))

    async def backup(name: str) -> None:
        await admin.execute(f"alter database {source} allow_connections false")
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", source)
        await eventually(lambda: _is_alone(admin, source), what="nobody to be in the database")
        await admin.execute(f"create database {name} template {source} strategy file_copy")
        made.append(name)
        await admin.execute(f"alter database {source} allow_connections true")
        night.shop.db = await pools.connect(server.url(source), command_timeout_s=30)

    try:
        yield backup
    finally:
        for name in made:
            await admin.execute(f"drop database {name} with (force)")
        await admin.close()


async def _is_alone(admin: asyncpg.Connection, database: str) -> bool:
    others = "select count(*) = 0 from pg_stat_activity where datname = $1"
    return bool(await admin.fetchval(others, database))


@pytest.mark.walks(LETTERS, "`unreadable`")
async def test_bytes_of_a_format_that_is_not_known(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    night = row.night
    order = night.shop.entry("ada", lamp=1)
    newer = msgspec.structs.replace(order, format=entry.FORMAT + 1)
    (order_id,) = await night.shop.accept(newer)
    await _put_aside(night)
    assert "entries dead-lettered" in row.log
    await row.looks(LIST, SHOW)
    await row.does(RETRY)
    await night.shop.drain()
    again = await _put_aside(night)
    assert again["failures"] == 2, "by the same version it stays what it is"
    monkeypatch.setattr(entry, "_READABLE", frozenset({entry.FORMAT, entry.FORMAT + 1}))  # the version that knows it
    await row.does(RETRY)
    await night.shop.drain()
    assert await _status(night, str(order_id)) == "pending"


@pytest.mark.walks(LETTERS, "`idempotency_conflict`")
async def test_the_same_key_with_another_body(row: Row) -> None:
    night = row.night
    first, second = night.shop.entry("ada", lamp=1), night.shop.entry("ada", lamp=2)
    (order_id,) = await night.shop.accept(first)
    await night.shop.drain()
    await night.shop.accept(second)
    await _put_aside(night)
    await row.looks(LIST, SHOW)
    await work_off(night.shop)
    assert await _status(night, str(order_id)) == "confirmed"
    await night.fires()


@pytest.mark.walks(LETTERS, "`rejected_by_database`")
async def test_postgres_refuses_the_row(row: Row) -> None:
    night = row.night
    order_id = await _refused_by_postgres(night)
    assert "not here" in await row.looks(LIST, SHOW)
    await _correct(night)
    await row.does(RETRY)
    await night.shop.drain()
    assert await _status(night, order_id) == "pending"
