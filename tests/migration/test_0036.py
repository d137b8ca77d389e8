"""Filters of customers over few pages take the place of those over many while orders are written, and are cheap."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import db as database
from db.connections import pool as pools
from db.connections.pool import Connection
from db.migrate import migrate
from db.orders.orders import EARLIEST, LATEST
from db.query_files import load
from tests.fixtures.waiting import eventually

FOLDER = Path(database.__file__).with_name("migrations")
_ADD = (
    "insert into orders (order_id, sale_number, partition, entry_seq, version, status, accepted_at, updated_at, total,"
    " currency, customer_id, fingerprint, metadata)"
    " select gen_random_uuid(), 1, 0, n, 1, 'confirmed', now(), now(), 1, 'EUR', $1 || n,"
    " decode(repeat('ab', 16), 'hex'), case when $3 then jsonb_build_object('note', repeat('x', 1000)) end"
    " from generate_series(1, $2::integer) n"
)
_WAITS = (
    "select count(*) > 0 from pg_stat_activity"
    " where query like '% index concurrently %' and wait_event_type = 'Lock' and pid <> pg_backend_pid()"
)
_OLD, _NEW = "orders_by_customer_range", "orders_by_customer_pages"
_IS_VALID = "select indisvalid from pg_index where indexrelid = to_regclass($1)"
_FOUND = load("orders")["list_customers_orders"]
_EACH_MOST = 2_500
"""Bytes of the log an order: the row and its entries are 500 to 900, and a page as a whole is there now and then."""


async def _before(url: str) -> Connection:
    connection = await pools.connect(url)
    for path in sorted(path for path in FOLDER.glob("*.sql") if path.name < "0034"):
        await connection.execute(path.read_text())
    await connection.execute(load("migrate")["create_table"])
    await connection.execute(
        "insert into schema_migrations select unnest($1::text[])",
        [path.stem for path in FOLDER.glob("*.sql") if path.name < "0034"],
    )
    await connection.execute("insert into sales (sale_id, starts_at) values ('s', now())")
    return connection


async def test_orders_are_written_while_the_index_is_made(empty_database_url: str) -> None:
    connection, writer = await _before(empty_database_url), await pools.connect(empty_database_url)
    await connection.execute(_ADD, "before-", 900, False)
    await connection.execute(f"create index {_NEW} on orders (customer_id)")  # broken off
    under_way = writer.transaction()
    await under_way.start()
    await writer.execute(_ADD, "under way-", 1, False)
    migrating = asyncio.create_task(migrate(empty_database_url))
    await eventually(lambda: connection.fetchval(_WAITS), what="the migration to wait for the open transaction")
    await connection.execute(_ADD, "meanwhile-", 1, False)  # with a lock on the table this would wait for ever
    await under_way.commit()
    await migrating
    for customer in ("before-77", "under way-1", "meanwhile-1"):
        terms = (None, None, None, None, 5, EARLIEST, LATEST, None, customer)
        assert [row["customer_id"] for row in await connection.fetch(_FOUND, *terms)] == [customer]
    assert await connection.fetchval(_IS_VALID, _NEW)
    assert await connection.fetchval(_IS_VALID, _OLD) is None
    await connection.close()
    await writer.close()


async def test_an_order_in_an_older_page_writes_little(empty_database_url: str) -> None:
    """Orders with metadata leave room for such without. With filters of 128 pages each of these wrote 7 KB."""
    await migrate(empty_database_url)
    connection = await pools.connect(empty_database_url)
    await connection.execute("insert into sales (sale_id, starts_at) values ('s', now())")
    await connection.execute(_ADD, "large-", 2_000, True)
    await connection.execute("vacuum orders")  # writes the filters
    pages = await connection.fetchval("select pg_relation_size('orders')")
    small = 1_000
    ((told,),) = await connection.fetch(f"explain (analyze, wal, format json) {_ADD}", "small-", small, False)
    assert await connection.fetchval("select pg_relation_size('orders')") == pages, "they lie in pages that were there"
    (plan,) = json.loads(told) if isinstance(told, str) else told
    assert plan["Plan"]["WAL Bytes"] < small * _EACH_MOST
    await connection.close()


async def test_the_filters_are_made_by_vacuum(empty_database_url: str) -> None:
    """Without them each look for a customer's orders would read all orders."""
    await migrate(empty_database_url)
    connection = await pools.connect(empty_database_url)
    await connection.execute("insert into sales (sale_id, starts_at) values ('s', now())")
    await connection.execute(_ADD, "one-", 2_000, False)
    await connection.execute("vacuum orders")
    missing = await connection.fetchval("select brin_summarize_new_values($1::regclass)", _NEW)
    assert missing <= 1, "but for the range that is being filled"
    await connection.close()
