"""No plan depends on luck: made while the tables were empty, it is still right when they are full.

Every statement under `db/queries` that shifts, scheduler and intake use is found here by itself. It is planned once, on
empty analysed tables, as a session keeps it; then the tables are filled and that very plan is run. A statement that
reads a whole table by its nature is named below with its reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest

from db import query_files
from db.connections import pool as pools
from tests.fixtures import plans
from tests.fixtures.files import files_under
from tests.integration.db.plan_arguments import BATCH, OWN_ARGUMENTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from db.connections.pool import Connection

QUERIES = Path(query_files.__file__).with_name("queries")
ORDERS = 40_000
PRODUCTS = 20_000
MOST = 12 * BATCH
"""Rows a statement may look at for a batch: a few for each that it names, far below what the tables hold."""
TIME_MS = 2_000

NOT_AT_WORK = {
    "audit": "asks about everything that there is, from a connection of its own",
    "report": "asks about a whole sale, once it is over, from a connection of its own; see db/report/test_size.py",
    "baseline": "what others would write; measured against, never used",
    "rivals": "as above",
    "loadtests": "asked once, after a run",
    "migrate": "tables of its own",
    "prewarm_buffers": "reads whole tables into the buffers, ahead of a sale, from a connection of its own",
}
WHOLE_BY_NATURE = {
    ("products", "settle_catalogue"): "vacuum; after an import",
    ("products", "make_import_table"): "makes a table",
    ("products", "make_import_lines"): "makes a table",
    ("products", "empty_import_lines"): "empties one that is the session's own",
    ("sales", "count_purchases_anew"): "counts a sale's orders when its limits change",
    ("sales", "forget_purchases"): "as above",
    ("sales", "count_identities_anew"): "as above",
    **{
        ("rehearsals", name): "makes the shadow of a sale of this database, once, or removes some of it"
        for name in ("copy_prices", "copy_sale_products", "stock_shadows", "add", "remove_some")
    },
    ("drain_batch", "count_standby"): "counts as many as may wait in a sale, by an index",
    **{
        ("search", name): "planned anew for the words asked, in a transaction bounded in time"
        for name in ("bound", "rarities", "search", "there", "correct", "suggest")
    },
}


def _statements() -> list[tuple[str, str]]:
    files = [path.stem for path in files_under(QUERIES, "*.sql")]
    return [
        (file, name)
        for file in files
        if file not in NOT_AT_WORK
        for name in query_files.load(file)
        if (file, name) not in WHOLE_BY_NATURE
    ]


@pytest.fixture
async def fillable(database_url: str) -> AsyncIterator[tuple[Connection, Connection]]:
    """A session as shifts have it, and one to fill the tables with."""
    session = await pools.connect(database_url, command_timeout_s=60)
    filler = await pools.connect(database_url, command_timeout_s=60)
    await session.execute("set plan_cache_mode = force_generic_plan")
    await session.execute("set statement_timeout = '5 s'")
    await session.execute(query_files.load("products")["make_import_table"].removesuffix(" on commit drop"))
    await session.execute(query_files.load("products")["make_import_lines"])
    try:
        yield session, filler
    finally:
        await session.close()
        await filler.close()


async def _fill(db: Connection, known: plans.Known) -> None:
    """Fill every table far beyond a batch: in one sale, in others, of the orders and products that are asked for."""
    await db.execute(
        "insert into products (product_id, name, brand, category, price, currency)"
        " select 'p' || n, 'name', 'brand', 'category', 100, 'EUR' from generate_series(1, $1::integer) n",
        PRODUCTS,
    )
    await db.execute("insert into stock (product_id, stock, received) select product_id, 50, 50 from products")
    await db.execute("update stock set stock = 30, reserved = 10, sold = 10")
    await db.execute(
        "insert into product_prices (product_id, starts_at, price) select product_id, '2020-01-01Z', 90 from products"
    )
    await db.execute(
        "insert into sales (sale_id, starts_at, room) select 's' || n, now(), '{\"mode\": \"always\"}'"
        " from generate_series(1, 3) n"
    )
    await db.execute(
        "insert into sale_products (sale_number, product_id, taken, limit_per_customer)"
        " select s, product_id, 1000, 3 from products, generate_series(2, 3) s"
    )
    await db.execute(
        "insert into sale_products (sale_number, product_id, taken, limit_per_customer)"
        " select 1, product_id, 1000, 3 from sale_products where sale_number = 2 and product_id = any($1::text[])",
        known.product_ids,
    )
    await db.execute("update sales set phase = 'closed', closed_at = now() where sale_number > 1")
    await db.execute(
        "insert into orders (order_id, sale_number, partition, entry_seq, version, status, accepted_at, updated_at,"
        " total, currency, customer_id, fingerprint)"
        " select overlay(md5(n::text) placing '0' from 1)::uuid, 1, 0, n, 1, 'pending', now() - n * interval '1 ms',"
        " now(), 100, 'EUR', 'p' || n, '' from generate_series(1, $1::integer) n",
        ORDERS,
    )
    await db.execute("update orders set reason = case entry_seq % 1000 when 0 then 'rare' else 'frequent' end")
    await db.execute(
        "insert into order_lines select order_id, 1, 1, 100, 'p' || entry_seq % $1::integer + 1 from orders", BATCH
    )
    await db.execute("insert into order_events select order_id, 1, 'pending', now() from orders")
    await db.execute(
        "insert into reservations (order_id, sale_number, partition, attempts, due_at, expires_at, total, currency)"
        " select order_id, 1, 0, 1, now() - interval '1 h', now() - interval '1 m', 100, 'EUR' from orders"
    )
    await db.execute(
        "insert into purchases select 1, product_id, customer_id, 1 from orders join order_lines using (order_id)"
    )
    await _fill_people(db)
    await db.execute(
        "insert into dead_letters (sale_number, partition, entry_id, order_id, payload, reason, detail)"
        " select 1, 0, n || '-0', gen_random_uuid(), '', 'reason', 'detail' from generate_series(1, $1::integer) n",
        PRODUCTS,
    )
    await db.execute("insert into stock_movements (product_id, quantity, reason) select product_id, 50, 'x' from stock")
    await _fill_ops(db)
    await _fill_webhooks(db)
    await _fill_money(db)
    await db.execute("update product_changes set at = now() - interval '1 day'")
    await db.execute(
        "select brin_summarize_new_values('orders_by_customer_pages')"
    )  # as vacuum does, some seconds later


async def _fill_ops(db: Connection) -> None:
    await db.execute("insert into shifts select 'settle:1:0', 1, '', now()")
    await db.execute("insert into stream_cursors (sale_number, partition) values (1, 0)")
    await db.execute("insert into shipments (shipment_id, order_id, seq) select $1, $1, 2", UUID(int=0))
    await db.execute(
        "insert into ops_log (action, target, change)"
        " select 'x', 'product:p' || n, '{}' from generate_series(1, $1::integer) n",
        PRODUCTS,
    )
    await db.execute(
        "insert into ops_keys (name, role, digest, created_by, revoked_at)"
        " select 'k' || n, 'view', sha256(n::text::bytea), 'OPS_KEY', now() from generate_series(1, $1::integer) n",
        PRODUCTS,
    )


async def _fill_money(db: Connection) -> None:
    """Fill the queue of what is to be done at the payment provider: done, due and failed."""
    for kind, state, amount in (("look_up", "done", None), ("void", "due", None), ("capture", "failed", 5)):
        await db.execute(
            "insert into payment_operations (order_id, kind, state, amount, finished_at)"
            " select order_id, $1, $2, $3, case when $2 <> 'due' then now() end from orders",
            kind,
            state,
            amount,
        )
    await db.execute(
        "insert into simulated_payments (order_id, status, total, currency, capture)"
        " select order_id, 'authorised', 5, 'EUR', false from orders"
    )


async def _fill_webhooks(db: Connection) -> None:
    await db.execute("insert into webhooks (url, secret) select 'https://shop.example', 's' from generate_series(1, 5)")
    await db.execute(
        "insert into webhook_deliveries (webhook_id, event_id, type, subject, position, order_id, at, state,"
        " finished_at, died_at)"
        " select w, 'p' || n, 'order.pending', 'p' || n, 1, null, now(), s, f, case when n % 2 = 0 then f end"
        " from generate_series(1, $1::integer) n, generate_series(1, 5) w, lateral (values"
        " (case n % 4 when 0 then 'due' when 1 then 'waiting' when 2 then 'dead' else 'delivered' end,"
        " case when n % 4 > 1 then now() end)) as v (s, f)",
        PRODUCTS,
    )
    await db.execute(
        "insert into world_events (event_id, type, subject, data)"
        " select 'p' || n, 'product.changed', 'p' || n, '{}' from generate_series(1, $1::integer) n",
        PRODUCTS,
    )
    await db.execute(
        "insert into webhook_replays (webhook_id, since, until, source) values (1, now(), now(), 'orders')"
    )


async def _fill_people(db: Connection) -> None:
    """Say who is behind the orders, and let all of them stand by."""
    await db.execute("update orders set identities = '\\x02'::bytea || decode(md5(entry_seq::text), 'hex')")
    await db.execute(
        "insert into people_counts select entry_seq, 1, 1, get_byte(identities, 1), product_id,"
        " substring(identities from 2 for 16) from orders join order_lines using (order_id)"
    )
    await db.execute(
        "insert into standby (order_id, product_id, sale_number, partition, entry_seq, quantity, accepted_at)"
        " select order_id, product_id, sale_number, partition, entry_seq, quantity, accepted_at"
        " from orders join order_lines using (order_id)"
    )
    await db.execute(
        "select brin_summarize_new_values('orders_by_customer_pages')"
    )  # as vacuum does, some seconds later


async def _known(db: Connection) -> plans.Known:
    rows = await db.fetch(
        "select overlay(md5(n::text) placing '0' from 1)::uuid from generate_series(1, $1::integer) n", BATCH
    )
    return plans.Known([row[0] for row in rows], [f"p{n}" for n in range(1, BATCH + 1)])


async def _plan_on_empty(session: Connection, name: str, statement: str, values: list[str], known: plans.Known) -> str:
    """Prepare a statement and have it planned now; return what runs that plan later."""
    types = await plans.prepare(session, name, statement)
    values = values or [known.literal(kind) for kind in types]
    call = f"execute {name}" + (f"({', '.join(values)})" if values else "")
    await plans.plan_of(session, call)
    return call


async def _faults(session: Connection, call: str) -> list[str]:
    try:
        done = await plans.run(session, call)
    except asyncpg.PostgresError as error:
        return [f"{type(error).__name__}: {error}"]
    slow = [f"took {done['Execution Time']:.0f} ms"] if done["Execution Time"] > TIME_MS else []
    return plans.faults(done["Plan"], most=MOST) + slow


async def test_plans_made_on_empty_tables_are_right_for_full_ones(fillable: tuple[Connection, Connection]) -> None:
    session, filler = fillable
    known = await _known(filler)
    await filler.execute("analyze")
    calls = {}
    for file, name in _statements():
        own = OWN_ARGUMENTS.get((file, name), [])
        statement = query_files.load(file)[name]
        calls[f"{file}.{name}"] = await _plan_on_empty(session, f"{file}__{name}", statement, own, known)
    assert len(calls) > 70
    await _fill(filler, known)
    faults = {name: await _faults(session, call) for name, call in calls.items()}
    wrong = {name: found for name, found in faults.items() if found}
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in wrong.items())


JOINED = """
with locked as (
  select order_id from orders where order_id = any($1::uuid[]) and status = 'pending' order by order_id for update
),
moved as (
  update orders o set status = 'confirmed', version = o.version + 1, updated_at = clock_timestamp()
    from locked where o.order_id = locked.order_id
  returning o.order_id, o.version, o.updated_at
),
ended as (
  delete from reservations r using moved where r.order_id = moved.order_id
)
insert into order_events (order_id, seq, status, at)
select order_id, version, 'confirmed', updated_at from moved
returning order_id
"""


@pytest.mark.parametrize(
    "statement",
    [JOINED, query_files.load("transitions")["confirm_if_pending"]],
    ids=["a join, planned freely", "by key, planned freely"],
)
async def test_without_shape_and_settings_a_plan_made_on_empty_tables_stays_wrong(
    fillable: tuple[Connection, Connection], statement: str
) -> None:
    """The negative control: what the test above holds away is there."""
    session, filler = fillable
    for name in pools.PLANNED_STEADILY:
        await session.execute(f"set {name} = on")
    known = await _known(filler)
    await filler.execute("analyze")
    call = await _plan_on_empty(session, "control", statement, [], known)
    await _fill(filler, known)
    assert await _faults(session, call) != []
