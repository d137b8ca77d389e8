"""An intake that is gone: what it is known to have accepted is looked for by another, and what is not known is told."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from db.audit.questions import audit
from db.work import store_losses, witnesses
from db.work.witnesses import Latest, Word
from doorbuster import keys
from doorbuster.orderstore import server
from intake.accepting import deputy
from intake.accepting.deputy import Deputy
from intake.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop

NOBODY_KNOWS, GONE = "of these: nobody knows what was lost", "orders answered 202 that neither store has"


@pytest.fixture
async def looking(shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Deputy]:
    """One that looks after the others at once."""
    for name in ("LOOK_S", "SURE_S", "SILENT_S", "BURIED_S"):
        monkeypatch.setattr(deputy, name, 0.0)
    await shop.stock(lamp=100)
    await shop.open_sale("lamp")
    database = Database(database_url, timeout_s=10)
    await database.open()
    yield Deputy(shop.orders, database, uuid4())
    await database.close()


async def die(shop: Shop, db: Connection, *, level: str = "fsync", history: str = "", ends: bool = False) -> UUID:
    """Be an intake that accepted ann's order, said so, and is gone."""
    [order_id] = await shop.buy("ann", lamp=1)
    [(entry_id, _)] = await shop.orders.xrevrange(keys.stream(shop.sale_number, 0), count=1)
    await shop.orders.set(keys.accepted(shop.sale_number, 0, order_id.hex), b"f" * 16 + entry_id)
    [kept] = await server.kept_data(shop.orders)
    latest = {(shop.sale_number, 0): Latest(entry_id.decode(), order_id)}
    witness = uuid4()
    word = Word(level, [history or kept.info["master_replid"]], latest)
    await witnesses.note(db, witness, word, ends=ends)
    return witness


async def told(db: Connection) -> tuple[int, int]:
    """Return what the audit says that nobody knows, and what it says is gone."""
    breaches = {one.what: one.breaches for one in (await audit(db)).figures}
    return breaches[NOBODY_KNOWS], breaches[GONE]


async def open_matters(db: Connection) -> int:
    return int(await db.fetchval("select count(*) from intake_witnesses where settled_at is null"))


@pytest.mark.parametrize("ends", [False, True])
async def test_one_whose_orders_are_all_drained_is_asked_no_more(
    shop: Shop, looking: Deputy, db: Connection, ends: bool
) -> None:
    await die(shop, db, ends=ends)
    await looking.look()
    assert await open_matters(db) == 1, "its order waits"
    await shop.drain()
    await looking.look()
    assert (await open_matters(db), await told(db)) == (0, (0, 0))
    await store_losses.suspect(db, [(shop.sale_number, 0)])
    assert await told(db) == (0, 0)


@pytest.mark.parametrize("ends", [False, True])
async def test_what_it_had_accepted_and_is_gone_is_told(
    shop: Shop, looking: Deputy, db: Connection, ends: bool
) -> None:
    """No drain had read it, and no intake that lives had accepted it: nobody else would ever miss it."""
    witness = await die(shop, db, ends=ends)
    await shop.orders.delete(keys.stream(shop.sale_number, 0))
    await looking.look()
    assert await told(db) == (1, 1), "one is lost, and others may be"
    assert await db.fetchval("select count(*) from ops_log where action = $1", store_losses.LOST) == 1
    await looking.look()
    assert (await told(db), await open_matters(db)) == ((1, 1), 0)
    await shop.buy("ann", lamp=1)
    await shop.drain()
    await store_losses.testify(db, witness, [await store_losses.last_loss(db)])


@pytest.mark.parametrize(("level", "doubts"), [("fsync", 1), ("replicas:1", 0)])
async def test_a_replica_that_took_over_since_leaves_a_doubt(
    shop: Shop, looking: Deputy, db: Connection, monkeypatch: pytest.MonkeyPatch, level: str, doubts: int
) -> None:
    """Its last orders are there; whether it took more before it died, and the replica had them, nobody can say."""
    real = server.kept_data

    async def as_after_a_takeover(redis: object) -> list[server.KeptData]:
        return [one._replace(info=one.info | {"master_replid2": "a" * 40}) for one in await real(redis)]  # type: ignore[arg-type]

    witness = await die(shop, db, level=level, history="a" * 40)
    await shop.drain()
    monkeypatch.setattr(server, "kept_data", as_after_a_takeover)
    await looking.look()
    assert (await told(db))[0] == doubts
    await looking.look()
    assert (await told(db), await open_matters(db)) == ((doubts, 0), 0)
    await store_losses.testify(db, witness, [await store_losses.last_loss(db)])


async def test_a_server_that_was_started_again_leaves_none(shop: Shop, looking: Deputy, db: Connection) -> None:
    await die(shop, db, history="a" * 40)
    await shop.drain()
    await looking.look()
    assert (await told(db), await open_matters(db)) == ((0, 0), 0)


async def test_one_that_speaks_again_lives(shop: Shop, looking: Deputy, db: Connection) -> None:
    witness = await die(shop, db)
    await shop.drain()
    await looking.look()
    assert await open_matters(db) == 0
    await witnesses.note(db, witness, Word("fsync", [], {}))
    await store_losses.suspect(db, [(shop.sale_number, 0)])
    assert await told(db) == (1, 0), "it may have accepted more, and is asked"
    await store_losses.testify(db, witness, [await store_losses.last_loss(db)])
    assert await told(db) == (0, 0)
