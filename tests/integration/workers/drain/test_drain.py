"""The drain shift: entries become orders, in order, once, whatever lies between them and whoever dies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec
import pytest
from redis.asyncio import Redis

from db.sales import SaleProduct
from db.work import cursors, shifts
from db.work.due_work import Partition
from doorbuster import keys
from doorbuster.orderstore import entry
from tests.fixtures.waiting import eventually
from workers.drain import shift as drain_module
from workers.drain.shift import Drain
from workers.runtime import shift
from workers.runtime.shift import EndReason

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop

pytestmark = pytest.mark.versions


async def test_orders_are_served_in_the_order_of_acceptance(shop: Shop) -> None:
    await shop.stock(lamp=3)
    await shop.open_sale("lamp")
    ids = await shop.buy("ada", "bob", lamp=2) + await shop.buy("cyd", "dan", lamp=1)
    assert await shop.drain() == EndReason.IDLE
    assert await shop.statuses(ids) == ["pending", "cancelled:sold_out", "pending", "cancelled:sold_out"]
    assert await shop.ledger("lamp") == (0, 3, 0)


async def test_all_lines_or_none(shop: Shop) -> None:
    await shop.stock(lamp=5, rug=1)
    await shop.open_sale("lamp", "rug")
    ids = await shop.buy("ada", "bob", lamp=1, rug=1)
    await shop.drain()
    assert await shop.statuses(ids) == ["pending", "cancelled:sold_out"]
    assert await shop.ledger("lamp") == (4, 1, 0)


async def test_the_same_entries_again_change_nothing(shop: Shop) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    ids = await shop.buy("ada", "bob", "ada", lamp=1)
    await shop.drain()
    await shop.buy("bob", lamp=1)
    await shop.drain()
    assert await shop.statuses(ids[:2]) == ["pending", "pending"]
    assert await shop.ledger("lamp") == (7, 2, 0)


async def test_limits_hold_across_orders_and_batches(shop: Shop) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale(SaleProduct(product_id="lamp", limit_per_customer=2))
    first = await shop.buy("ada", lamp=1, key="1")
    await shop.drain()
    later = await shop.buy("ada", lamp=2, key="2") + await shop.buy("ada", lamp=1, key="3")
    await shop.drain()
    assert await shop.statuses(first + later) == ["pending", "cancelled:limit_exceeded", "pending"]


async def test_poison_goes_to_the_dead_letters_and_holds_nothing_up(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    broken_row = shop.entry("nul\x00byte", lamp=1)  # Postgres takes no NUL in text: only the batch's COPY finds out
    ids = await shop.accept(
        shop.entry("ada", lamp=1),
        b"no entry at all",
        shop.entry("bob", unheard_of=1),
        broken_row,
        shop.entry("cyd", lamp=1),
    )
    await shop.orders.xadd(keys.stream(shop.sale_number, 0), {"other": "field"})
    await shop.drain()
    assert await shop.statuses(ids) == ["pending", "cancelled:product_unavailable", "missing", "pending"]
    letters = await db.fetch("select reason, order_id, payload from dead_letters order by entry_id")
    assert [letter["reason"] for letter in letters] == ["unreadable", "rejected_by_database", "unreadable"]
    assert letters[0]["payload"] == b"no entry at all"
    assert letters[1]["order_id"] == UUID(bytes=broken_row.order_id)
    assert b"field" in letters[2]["payload"]


async def test_what_only_a_later_version_can_serve_is_put_aside_whole(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    order = shop.entry("ada", lamp=1)
    later = msgspec.msgpack.encode([*msgspec.msgpack.decode(entry.encode(order)), "gift wrap"])
    await shop.accept(later, shop.entry("bob", lamp=1))
    await shop.drain()
    letter = await db.fetchrow("select reason, order_id, customer_id, payload, detail from dead_letters")
    assert (letter["reason"], letter["order_id"], letter["customer_id"], letter["payload"]) == (
        "unreadable", UUID(bytes=order.order_id), "ada", later,
    )  # fmt: skip
    assert "a later version wrote this" in letter["detail"]
    assert await db.fetchval("select count(*) from orders") == 1


async def test_what_the_columns_cannot_hold_is_poison(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    huge = shop.entry("bob", lamp=2**40)
    ids = await shop.accept(shop.entry("ada", lamp=1), huge, shop.entry("cyd", lamp=1))
    await shop.drain()
    assert await shop.statuses(ids) == ["pending", "missing", "pending"]
    assert await db.fetchval("select reason from dead_letters") == "rejected_by_database"


async def test_an_order_that_exists_is_recognised_beside_new_ones_in_one_batch(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=3)
    await shop.open_sale("lamp")
    ada, bob, cyd = (shop.entry(customer, lamp=1) for customer in ("ada", "bob", "cyd"))
    await shop.accept(ada)
    await shop.drain()
    changed = msgspec.structs.replace(ada, fingerprint=b"another body....")
    ids = await shop.accept(bob, ada, changed, cyd)
    await shop.drain()
    assert await shop.statuses(ids) == ["pending"] * 4
    assert await shop.ledger("lamp") == (0, 3, 0)
    assert await db.fetchval("select repeated from stream_cursors") == 1
    assert [row["reason"] for row in await db.fetch("select reason from dead_letters")] == ["idempotency_conflict"]


async def test_an_order_whose_product_left_the_sale_is_decided_in_its_turn(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=3, rug=3)
    await shop.open_sale("lamp", "rug")
    ids = await shop.buy("ada", rug=2) + await shop.buy("bob", lamp=1, rug=1) + await shop.buy("cyd", lamp=1)
    await db.execute("delete from sale_products where product_id = 'rug'")
    await shop.drain()
    unavailable = "cancelled:product_unavailable"
    assert await shop.statuses(ids) == [unavailable, unavailable, "pending"]
    row = await db.fetchrow("select customer_id, total, currency, version from orders where order_id = $1", ids[0])
    assert row is not None
    assert tuple(row.values()) == ("ada", 200, "EUR", 1)
    lines = await db.fetch("select product_id, quantity from order_lines where order_id = $1", ids[0])
    assert [tuple(line.values()) for line in lines] == [("rug", 2)]
    event = await db.fetchrow("select status::text, reason from order_events where order_id = $1", ids[0])
    assert event is not None
    assert tuple(event.values()) == ("cancelled", "product_unavailable")
    assert await db.fetchval("select count(*) from dead_letters") == 0
    assert await shop.ledger("rug") == (3, 0, 0)
    assert not await shop.orders.smembers(keys.sold_out(shop.sale_number, 0))


async def test_a_cart_of_two_currencies_is_decided_in_its_turn(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=3, rug=3)
    await shop.open_sale("lamp", "rug")
    await db.execute(
        "alter table products disable trigger all; update products set currency = 'JPY' where product_id = 'rug'"
    )
    ids = await shop.buy("ada", lamp=1, rug=1) + await shop.buy("bob", lamp=1)
    await shop.drain()
    assert await shop.statuses(ids) == ["cancelled:mixed_currency", "pending"]
    assert await db.fetchval("select total from orders where order_id = $1", ids[0]) == 100
    assert await shop.ledger("lamp") == (2, 1, 0)


async def test_an_order_that_exists_stays_when_its_product_left_the_sale(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=3)
    await shop.open_sale("lamp")
    ada = shop.entry("ada", lamp=1)
    await shop.accept(ada)
    await shop.drain()
    await db.execute("delete from sale_products")
    bob = shop.entry("bob", lamp=1)
    ids = await shop.accept(ada, bob)
    await shop.drain()
    assert await shop.statuses(ids) == ["pending", "cancelled:product_unavailable"]
    assert await db.fetchval("select repeated from stream_cursors") == 1
    assert await db.fetchval("select drained from stream_cursors") == 3
    await db.execute(  # as it was, for the audit
        "insert into sale_products (sale_number, product_id, taken) values ($1, 'lamp', 1)", shop.sale_number
    )


async def test_metadata_is_kept_and_broken_metadata_is_poison(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    whole, broken, not_text = (
        msgspec.structs.replace(shop.entry(customer, lamp=1), metadata=metadata)
        for customer, metadata in (("ada", b'{"gift": true}'), ("bob", b'{"gift'), ("cyd", b"\xff\xfe"))
    )
    ids = await shop.accept(whole, broken, not_text)
    await shop.drain()
    assert await shop.statuses(ids) == ["pending", "missing", "missing"]
    assert await db.fetchval("select metadata->>'gift' from orders") == "true"
    assert await db.fetchval("select count(*) from dead_letters where reason = 'rejected_by_database'") == 2


async def test_after_the_commit_the_order_store_is_told(shop: Shop) -> None:
    await shop.stock(lamp=1)
    await shop.open_sale("lamp")
    async with shop.orders.pubsub() as channel:
        await channel.subscribe(keys.OUTCOMES)
        ids = await shop.buy("ada", "bob", lamp=1)
        await shop.drain()

        async def told() -> bytes | None:
            message = await channel.get_message(ignore_subscribe_messages=True, timeout=0.1)
            return message["data"] if message else None

        assert await eventually(told) == b"".join(one.bytes for one in ids)
    assert await shop.orders.xlen(keys.stream(shop.sale_number, 0)) == 0
    assert await shop.orders.hget(keys.gate(shop.sale_number, 0), "drained") == b"2"
    assert await shop.orders.smembers(keys.sold_out(shop.sale_number, 0)) == {b"lamp"}


async def test_drained_entries_stay_as_long_as_the_setting_says(shop: Shop) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    await shop.buy("ada", "bob", lamp=1)
    await shop.drain(stream_keep_s=600)
    assert await shop.orders.xlen(keys.stream(shop.sale_number, 0)) == 2


async def test_a_replaced_order_store_is_read_from_its_start(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    stream = keys.stream(shop.sale_number, 0)
    ids = await shop.buy("ada", "bob", lamp=1)
    await shop.drain(stream_keep_s=600)
    [(first_id, fields), _] = await shop.orders.xrange(stream)
    await shop.orders.flushall()
    await shop.orders.xadd(stream, fields, id=first_id)  # an older copy: its last id lies below the cursor
    await shop.drain()
    assert await cursors.read(db, shop.sale_number, 0) == (first_id.decode(), 3)
    ids += await shop.buy("cyd", lamp=1)
    await shop.drain()
    assert await shop.statuses(ids) == ["pending"] * 3
    assert await shop.ledger("lamp") == (6, 3, 0)
    assert await shop.breaches() == ["P1 of these: nobody knows what was lost: 1"]
    await db.execute("update store_losses set is_listed = true")


async def test_a_held_lease_keeps_others_out(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    ids = await shop.buy("ada", lamp=1)
    assert await shifts.acquire(db, f"drain:{shop.sale_number}:0", holder="another", lease_s=60)
    assert await shop.drain() == EndReason.NOT_FREE
    assert await shop.statuses(ids) == ["missing"]


async def test_an_expired_lease_is_taken_over_and_its_old_holder_writes_nothing(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    name = f"drain:{shop.sale_number}:0"
    zombie = await _paused_shift(shop, name)
    await db.execute("update shifts set lease_expires_at = now() - interval '1 second' where name = $1", name)
    assert await shifts.acquire(db, name, holder="the next", lease_s=60) == 2
    ids = await shop.buy("ada", lamp=1)
    assert await zombie == EndReason.LEASE_LOST
    assert await shop.statuses(ids) == ["missing"]
    assert (await cursors.read(db, shop.sale_number, 0)) == ("0-0", 0)


async def _paused_shift(shop: Shop, name: str) -> asyncio.Task[EndReason]:
    """Start a shift that has its lease and waits for entries, however long none comes."""
    began = asyncio.Event()

    class Watched(Drain):
        is_busy = True

        async def begin(self) -> None:
            await super().begin()
            began.set()

    place = Partition(shop.sale_number, 0)
    task = asyncio.create_task(shop.run(name, lambda mine: Watched(mine, place), lease_s=60))
    await began.wait()
    return task


async def test_a_broken_connection_to_postgres_loses_and_doubles_nothing(
    shop: Shop, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before a batch, in a batch, and after its commit but before the answer."""
    await shop.stock(lamp=5000)
    await shop.open_sale("lamp")
    ids = await shop.buy(*(f"c{n}" for n in range(900)), lamp=1)
    real, calls = drain_module.drain_batch, 0

    async def faulty(connection: Connection, *arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        victim = connection.get_server_pid()
        if calls in (2, 4):
            await db.execute("select pg_terminate_backend($1, 5000)", victim)
        outcome = await real(connection, *arguments, **named)  # type: ignore[arg-type]
        if calls == 6:  # committed, the answer never came
            await db.execute("select pg_terminate_backend($1, 5000)", victim)
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        return outcome

    monkeypatch.setattr(drain_module, "drain_batch", faulty)
    await shop.drain(drain_batch_max=100)
    assert calls > 9
    assert set(await shop.statuses(ids)) == {"pending"}
    assert await shop.ledger("lamp") == (4100, 900, 0)
    assert (await cursors.read(db, shop.sale_number, 0))[1] == 900
    places = await db.fetch("select order_id from orders order by accepted_at, entry_seq")
    assert [row["order_id"] for row in places] == ids


async def test_a_store_that_cannot_be_told_is_told_later(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    await shop.buy("ada", "bob", lamp=1)
    real, failures = Redis.pipeline, iter([False, True, True])

    def flaky(self: Redis, *arguments: object, **named: object) -> object:
        pipeline = real(self, *arguments, **named)  # type: ignore[arg-type]
        if next(failures, False):

            async def refuse(*_: object, **__: object) -> None:
                raise ConnectionResetError("cut")

            pipeline.execute = refuse  # type: ignore[method-assign]
        return pipeline

    monkeypatch.setattr(Redis, "pipeline", flaky)
    await shop.drain()
    assert next(failures, "all used") == "all used"
    assert await shop.orders.hget(keys.gate(shop.sale_number, 0), "drained") == b"2"
    assert await shop.orders.xlen(keys.stream(shop.sale_number, 0)) == 0


async def test_a_shift_asked_to_stop_ends_after_its_batch_and_releases(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=5000)
    await shop.open_sale("lamp")
    await shop.buy(*(f"c{n}" for n in range(2000)), lamp=1)
    stop = asyncio.Event()
    place = Partition(shop.sale_number, 0)

    class Stopped(Drain):
        async def step(self) -> int:
            done = await super().step()
            stop.set()
            return done

    settings = shop.settings.model_copy(update={"drain_batch_max": 100})
    name = f"drain:{shop.sale_number}:0"
    assert await shift.run(name, settings, stop, lambda mine: Stopped(mine, place)) == EndReason.STOPPED
    drained = (await cursors.read(db, shop.sale_number, 0))[1]
    assert 100 <= drained < 2000
    assert await shop.orders.hget(keys.gate(shop.sale_number, 0), "drained") == str(drained).encode()
    assert name not in await shifts.live(db)
