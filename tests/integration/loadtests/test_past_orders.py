"""What is kept beside a measurement looks as if it had been sold, and asking after a sale costs no helper."""

from __future__ import annotations

from db.connections.pool import Connection
from doorbuster.orderstore.ids import route_of
from doorbuster.values.shadows import is_shadow_order
from loadtests.check import ledger

ORDERS = 200


async def test_past_orders_have_ids_as_if_an_intake_had_made_them(db: Connection) -> None:
    await ledger.make_past_orders(db, ORDERS)
    rows = await db.fetch("select order_id, sale_number, partition from orders")
    assert len(rows) == ORDERS
    assert {route_of(row["order_id"]) for row in rows} == {(row["sale_number"], row["partition"]) for row in rows}
    assert not any(is_shadow_order(row["order_id"]) for row in rows)
    assert await db.fetchval("select count(*) from real.order_events") == 2 * ORDERS


async def test_a_sale_is_asked_after_by_its_own_orders_however_much_is_kept(db: Connection) -> None:
    await ledger.make_past_orders(db, 50 * ORDERS)
    await ledger.ask_alone(db)
    await db.execute("insert into sales (sale_id, starts_at, ends_at) values ('new', now(), now() + interval '1 hour')")
    read = "select seq_tup_read + idx_tup_fetch from pg_stat_user_tables where relname = 'orders'"
    await db.execute("select pg_stat_force_next_flush()")
    before = await db.fetchval(read)
    await ledger.wait_until_final(db, "new", 0, bound_s=10)
    await db.execute("select pg_stat_force_next_flush()")
    assert await db.fetchval(read) - before < ORDERS, "all orders that are kept were gone through"
