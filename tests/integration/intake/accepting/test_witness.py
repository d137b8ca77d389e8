"""An intake looks for what it accepted when the order store's end may be lost, and says what is gone."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest

from db.audit import promises, streams
from db.audit.questions import audit
from db.work import store_losses
from db.work.store_losses import Gap
from doorbuster import keys
from doorbuster.orderstore import entry
from doorbuster.orderstore.accept import Candidate
from intake.accepting import witness
from intake.accepting.witness import Witness
from intake.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url, timeout_s=10)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def looking(shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch) -> Witness:
    """An intake that has looked once."""
    monkeypatch.setattr(witness, "SURE_S", 0.0)
    await shop.stock(lamp=100)
    await shop.open_sale("lamp")
    made = Witness(shop.orders, database, durability="fsync")
    await made.look()
    return made


async def accept(shop: Shop, looking: Witness, *customers: str) -> list[UUID]:
    """Accept orders as the intake does, which remembers them."""
    ids = await shop.buy(*customers, lamp=1)
    batch, verdicts = [], []
    entries = await shop.orders.xrevrange(keys.stream(shop.sale_number, 0), count=len(customers))
    for order_id, (entry_id, _) in zip(ids, reversed(entries), strict=True):
        key = keys.accepted(shop.sale_number, 0, order_id.hex)
        await shop.orders.set(key, b"f" * 16 + entry_id)
        batch.append(Candidate(key, b"f" * 16, entry.encode(shop.entry("x", lamp=1)), None, lambda _one, _said: None))
        verdicts.append(b"+" + entry_id)
    looking.accepted((shop.sale_number, 0), batch, verdicts)
    return ids


async def lose(shop: Shop, db: Connection, cursor_ms: int | None = None) -> None:
    """Write a loss down, as a drain does."""
    at = int(time.time() * 1000) if cursor_ms is None else cursor_ms
    await store_losses.note(db, (shop.sale_number, 0), Gap(f"{at}-0", "0-0", "0-0", 1, 0))


def of(found: object, what: str) -> tuple[int, int]:
    return next((one.value, one.breaches) for one in cast("list", found) if one.what == what)  # type: ignore[type-arg]


NOBODY_KNOWS, GONE = "of these: nobody knows what was lost", "orders answered 202 that neither store has"


async def test_it_testifies_that_nothing_is_lost(shop: Shop, looking: Witness, db: Connection) -> None:
    await accept(shop, looking, "ada", "bob")
    await shop.drain()
    await accept(shop, looking, "cyd")  # waits in the stream
    await lose(shop, db)
    assert of((await audit(db)).figures, NOBODY_KNOWS) == (1, 1)
    await looking.look()
    figures = (await audit(db)).figures
    assert (of(figures, NOBODY_KNOWS), of(figures, GONE)) == ((0, 0), (0, 0))
    await shop.drain()


async def test_an_audit_waits_for_those_that_look_since_the_drain_that_it_waited_for(
    shop: Shop, looking: Witness, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, short_now = asyncio.Event(), streams._short_now

    async def seen(*arguments: Any) -> int:
        if short := await short_now(*arguments):
            waits.set()
        return short

    monkeypatch.setattr(streams, "_short_now", seen)
    await accept(shop, looking, "ada")
    await shop.drain()
    ahead = f"{int(time.time() * 1000) + 60_000}-0"
    await db.execute("update stream_cursors set entry_id = $1 where sale_number = $2", ahead, shop.sale_number)
    looks = asyncio.create_task(promises.look(db, shop.orders))
    await waits.wait()  # for a drain, which has to find what is wrong
    await shop.drain()
    done, _ = await asyncio.wait({looks}, timeout=0.5)
    assert not done, "a loss was found just now, and the intake has not looked"
    await looking.look()
    assert of((await looks).figures, NOBODY_KNOWS) == (0, 0)


async def test_it_names_what_is_gone_once_and_until_it_is_sent_again(
    shop: Shop, looking: Witness, db: Connection
) -> None:
    await accept(shop, looking, "ada")
    await shop.drain()
    gone = await accept(shop, looking, "bob", "cyd")
    await shop.orders.delete(keys.stream(shop.sale_number, 0))
    for _ in range(2):
        await lose(shop, db)
        await looking.look()
        assert of((await audit(db)).figures, GONE) == (2, 2)
    assert await db.fetchval("select count(*) from ops_log where action = $1", store_losses.LOST) == 1
    assert [row["order_id"] for row in await db.fetch("select order_id from lost_orders order by entry_id")] == gone
    await shop.buy("bob", "cyd", lamp=1)
    await shop.drain()
    assert of((await audit(db)).figures, GONE) == (0, 0)


async def test_it_does_not_testify_to_what_came_before_its_memory(
    shop: Shop, looking: Witness, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_ms = int(time.time() * 1000) - 1
    monkeypatch.setattr(looking, "_keep", 1)
    await accept(shop, looking, "ada")
    await accept(shop, looking, "bob")
    await shop.drain()
    await lose(shop, db, cursor_ms=before_ms)
    await looking.look()
    assert of((await audit(db)).figures, NOBODY_KNOWS) == (1, 1)
    await lose(shop, db)  # all that it has forgotten was drained by then
    await looking.look()
    assert of((await audit(db)).figures, NOBODY_KNOWS) == (1, 1)
    await store_losses.testify(db, looking.id, [await store_losses.last_loss(db) - 1])
    assert of((await audit(db)).figures, NOBODY_KNOWS) == (0, 0)


async def test_one_that_found_all_of_its_own_does_not_clear_what_a_dead_one_took(
    shop: Shop, looking: Witness, database: Database, db: Connection
) -> None:
    """Control: with both alive, both are asked, and what the second one misses is named."""
    other = Witness(shop.orders, database, durability="fsync")
    await other.look()
    await accept(shop, looking, "ada")
    await shop.drain()
    [gone] = await accept(shop, other, "bob")
    await shop.orders.delete(keys.stream(shop.sale_number, 0))
    await lose(shop, db)
    await looking.look()
    figures = (await audit(db)).figures
    assert (of(figures, NOBODY_KNOWS), of(figures, GONE)) == ((1, 1), (0, 0)), "the other is dead, for all we know"
    assert "cannot be ruled out" in (await store_losses.summary(db)).words
    await other.look()
    figures = (await audit(db)).figures
    assert (of(figures, NOBODY_KNOWS), of(figures, GONE)) == ((0, 0), (1, 1)), "it lives, and says what it misses"
    assert [row["order_id"] for row in await db.fetch("select order_id from lost_orders")] == [gone]
    await shop.buy("bob", lamp=1)
    await shop.drain()


async def test_one_that_ended_is_asked_of_nothing_that_was_drained(
    shop: Shop, looking: Witness, database: Database, db: Connection
) -> None:
    other = Witness(shop.orders, database, durability="fsync")
    await other.look()
    await accept(shop, other, "ada")
    await other.end()
    await lose(shop, db, cursor_ms=int(time.time() * 1000) - 60_000)
    await looking.look()
    assert of((await audit(db)).figures, NOBODY_KNOWS) == (1, 1), "it accepted behind that cursor"
    await shop.drain()
    await lose(shop, db)
    await looking.look()
    assert of((await audit(db)).figures, NOBODY_KNOWS) == (1, 1)
    await store_losses.testify(db, other.id, [await store_losses.last_loss(db) - 1])
    assert of((await audit(db)).figures, NOBODY_KNOWS) == (0, 0)


async def test_where_nobody_is_known_who_accepted_nobody_can_clear_it(
    shop: Shop, database: Database, db: Connection
) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    await lose(shop, db)
    late = Witness(shop.orders, database, durability="fsync")
    await late.look()
    await lose(shop, db)
    await late.look()
    assert of((await audit(db)).figures, NOBODY_KNOWS) == (1, 1), "the first; of the second all are asked"
    await db.execute("update store_losses set is_listed = true")


async def test_a_partition_that_was_not_in_use_breaks_nothing(shop: Shop, looking: Witness, db: Connection) -> None:
    await lose(shop, db, cursor_ms=int(time.time() * 1000) - 7_200_000)
    assert of((await audit(db)).figures, NOBODY_KNOWS) == (0, 0)


async def test_its_memory_is_bounded_and_knows_since_when_it_is_whole(shop: Shop, database: Database) -> None:
    kept = Witness(shop.orders, database, durability="fsync", keep=3)
    for number in range(1, 6):
        key = keys.accepted(1, 0, f"{number:032x}")
        kept.accepted((1, 0), [Candidate(key, b"", b"", None, lambda _one, _said: None)], [b"+%d000-0" % number])
    assert kept._kept == 3
    assert kept._forgotten == {(1, 0): (2_000, 0)}
    assert [batch.keys[0][-1] for batch in kept._batches] == ["3", "4", "5"]
