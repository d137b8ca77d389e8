"""What shifts and the scheduler ask again and again is answered from an index, however much the tables hold."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from db.reservations import BEGINNING
from db.sql import load

if TYPE_CHECKING:
    from db.pool import Connection

ROWS = 20_000


@pytest.fixture
async def full(db: Connection) -> Connection:
    """Tables with many pending orders, of which none is due, and as many events."""
    await db.execute(
        "insert into reservations (order_id, sale_number, partition, due_at, expires_at, total, currency)"
        " select gen_random_uuid(), 1, 0, now() + n * interval '1 second', now() + n * interval '1 minute', 1, 'EUR'"
        " from generate_series(1, $1::integer) as n",
        ROWS,
    )
    await db.execute(
        "insert into order_events (order_id, seq, status, at)"
        " select gen_random_uuid(), 1, 'pending', now() from generate_series(1, $1::integer)",
        ROWS,
    )
    await db.execute(
        "insert into relay_cursors (relay, tx, position) select 'events', max(tx), max(position) from order_events"
    )
    await db.execute("analyze")
    return db


@pytest.mark.parametrize(
    ("file", "name", "arguments"),
    [
        ("outbox", "unpublished", ("0", 5, 100)),
        ("outbox", "any_unpublished", ("events",)),
        ("reservations", "due", (1, 0, *BEGINNING, 1000)),
        ("reservations", "expired", (1000,)),
        ("orders", "events_behind", ([UUID(int=n) for n in range(50)], [0] * 50)),
        ("agenda", "due", ([1, 2], [0, 0])),
        ("agenda", "any_expired", ()),
    ],
)
async def test_no_scan_and_no_sort_of_a_whole_table(
    full: Connection, file: str, name: str, arguments: tuple[object, ...]
) -> None:
    rows = await full.fetch(f"explain (analyze, costs off, timing off) {load(file)[name]}", *arguments)
    plan = "\n".join(row[0] for row in rows)
    assert "Index" in plan, plan
    for table in ("reservations", "order_events"):
        assert f"Seq Scan on {table}" not in plan, plan
    assert "Sort Key" not in plan, plan
    assert f"Rows Removed by Filter: {ROWS}" not in plan, plan
