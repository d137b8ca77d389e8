"""The index of customers is replaced while orders are written, also where an attempt was broken off before."""

from __future__ import annotations

import asyncio
from pathlib import Path

import db as database
from db.connections import pool as pools
from db.migrate import migrate
from db.orders.orders import EARLIEST, LATEST
from db.query_files import load
from tests.fixtures.waiting import eventually

FOLDER = Path(database.__file__).with_name("migrations")
_ADD = (
    "insert into orders (order_id, sale_number, partition, entry_seq, version, status, accepted_at, updated_at, total,"
    " currency, customer_id, fingerprint)"
    " select gen_random_uuid(), 1, 0, n, 1, 'confirmed', now(), now(), 1, 'EUR', $1 || n, ''"
    " from generate_series(1, $2::integer) n"
)
_WAITS = (
    "select count(*) > 0 from pg_stat_activity"
    " where query like '% index concurrently %' and wait_event_type = 'Lock' and pid <> pg_backend_pid()"
)
_NEW = "orders_by_customer_range"
_FOUND = load("orders")["list_customers_orders"]


async def test_orders_are_written_while_the_index_is_made(empty_database_url: str) -> None:
    connection, writer = await pools.connect(empty_database_url), await pools.connect(empty_database_url)
    for path in sorted(path for path in FOLDER.glob("*.sql") if path.name < "0034"):
        await connection.execute(path.read_text())
    await connection.execute(load("migrate")["create_table"])
    await connection.execute("insert into schema_migrations select unnest($1::text[])", [
        path.stem for path in FOLDER.glob("*.sql") if path.name < "0034"
    ])  # fmt: skip
    await connection.execute("insert into sales (sale_id, starts_at) values ('s', now())")
    await connection.execute(_ADD, "before-", 900)
    await connection.execute(f"create index {_NEW} on orders (customer_id)")  # broken off
    under_way = writer.transaction()
    await under_way.start()
    await writer.execute(_ADD, "under way-", 1)
    migrating = asyncio.create_task(migrate(empty_database_url))
    await eventually(lambda: connection.fetchval(_WAITS), what="the migration to wait for the open transaction")
    await connection.execute(_ADD, "meanwhile-", 1)  # with a lock on the table this would wait for ever
    await under_way.commit()
    assert await migrating == sorted(path.stem for path in FOLDER.glob("*.sql") if path.name >= "0034")
    for customer in ("before-77", "under way-1", "meanwhile-1"):
        terms = (None, None, None, None, 5, EARLIEST, LATEST, None, customer)
        assert [row["customer_id"] for row in await connection.fetch(_FOUND, *terms)] == [customer]
    assert await connection.fetchval("select to_regclass($1)", _NEW) is None, "0036 put another in its place"
    await connection.close()
    await writer.close()
