"""A big sale's report takes seconds and little memory, also beside other sales' orders."""

from __future__ import annotations

import time
import tracemalloc

from db import sales
from db.connections.pool import Connection, connect
from db.report.assemble import Known, assemble
from doorbuster.settings import Settings
from tests.fixtures.draining import make_product

ORDERS, OTHERS = 20_000, 20_000
WITHIN_S = 60
"""Far more than it takes: a busy machine is no fault of the report's."""
MEGABYTES = 30

FILL = """
with accepted as (
  insert into orders (order_id, sale_number, partition, entry_seq, version, status, accepted_at, updated_at, total,
                      currency, customer_id, fingerprint, reason, payment, captured)
  select md5($1::integer || ':' || n)::uuid, $1, n % 4, n, 2,
         (case n % 10 when 0 then 'cancelled' else 'confirmed' end)::order_status,
         now() - n * interval '100 ms', now(), 100, 'EUR', 'c' || n, '',
         case n % 10 when 0 then 'payment_declined' end,
         (case n % 10 when 0 then 'failed' else 'captured' end)::payment_status,
         case n % 10 when 0 then null else 100 end
    from generate_series(1, $2::integer) n
  returning order_id, accepted_at, status, reason
), lined as (
  insert into order_lines (order_id, line, quantity, unit_price, product_id)
  select order_id, 1, 1, 100, 'lamp' from accepted
), began as (
  insert into order_events (order_id, seq, status, at)
  select order_id, 1, 'pending', accepted_at + interval '20 ms' from accepted
)
insert into order_events (order_id, seq, status, at, reason)
select order_id, 2, status, accepted_at + interval '70 ms', reason from accepted
"""


async def test_a_big_sale_is_told_in_seconds_and_bounded_memory(db: Connection, settings: Settings) -> None:
    await make_product(db, "lamp", units=ORDERS + OTHERS)
    made = [
        await sales.create_sale(
            db, sales.SaleSpec(sale_id=name, products=[sales.SaleProduct(product_id="lamp")], partitions=4)
        )
        for name in ("big", "other")
    ]
    for sale, orders in zip(made, (ORDERS, OTHERS), strict=True):
        await db.execute(FILL, sale.number, orders)
    await db.execute("analyze")
    connection = await connect(settings.database_url.get_secret_value(), command_timeout_s=WITHIN_S, steady=False)
    try:
        tracemalloc.start()
        began = time.monotonic()
        report = await assemble(connection, Known(sale=made[0], phase="closed", over_at=None))
        took_s = time.monotonic() - began
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    finally:
        await connection.close()
    assert took_s < WITHIN_S
    assert peak < MEGABYTES * 2**20, f"{peak / 2**20:.0f} MB"
    assert (report.totals.accepted, report.totals.confirmed) == (ORDERS, ORDERS * 9 // 10)
    assert report.money.captured == ORDERS * 9 // 10 * 100
    assert (report.waits.accepted_to_decided.p50, report.waits.accepted_to_confirmed.p99) == (0.02, 0.07)
