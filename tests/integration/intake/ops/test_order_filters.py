"""Lists of orders by reason and time of acceptance; what is no filter is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from db.connections.pool import Connection
from tests.fixtures.intake import Intake

START = datetime(2026, 3, 1, tzinfo=UTC)


async def fill(db: Connection, sale_number: int, orders: int, *, partitions: int = 1) -> None:
    """Put orders into a sale, one a second from `START` on, in turn in each partition; every third was declined."""
    await db.execute(
        "insert into orders (order_id, sale_number, partition, entry_seq, version, status, accepted_at, updated_at,"
        " total, currency, customer_id, fingerprint, reason)"
        " select ('00000000-0000-8000-8000-' || lpad(to_hex($1::bigint * 16777216 + n), 12, '0'))::uuid, $1,"
        " n % $3, n, 2, (case n % 3 when 0 then 'cancelled' else 'confirmed' end)::order_status,"
        " $4::timestamptz + n * interval '1 s', now(), 100, 'EUR', 'c' || n % 10, '',"
        " case n % 3 when 0 then 'payment_declined' end from generate_series(0, $2 - 1) n",
        sale_number, orders, partitions, START,
    )  # fmt: skip
    await db.execute(
        "insert into order_lines (order_id, line, quantity, unit_price, product_id)"
        " select order_id, 1, 1, 100, 'hot' from orders where sale_number = $1",
        sale_number,
    )
    await db.execute(
        "insert into order_events (order_id, seq, status, at)"
        " select order_id, seq, (case seq when 1 then 'pending' else status::text end)::order_status, accepted_at"
        " from orders, generate_series(1, 2) seq where sale_number = $1",
        sale_number,
    )


async def seconds_of(intake: Intake, **params: str) -> list[int]:
    """Return how many seconds after `START` the orders of a list were accepted, over all of its pages."""
    found: list[int] = []
    asked = {"limit": "4"} | params
    while True:
        answer = await intake.ops.get("/ops/orders", params=asked)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        moments = [datetime.fromisoformat(one["accepted_at"]) for one in page["items"]]
        found += [round((moment - START).total_seconds()) for moment in moments]
        if "next_cursor" not in page:
            return found
        asked["cursor"] = page["next_cursor"]


def moment(second: int) -> str:
    return (START + timedelta(seconds=second)).isoformat()


@pytest.mark.parametrize("partitions", [1, 3])
async def test_orders_are_listed_by_reason_and_time(intake: Intake, db: Connection, partitions: int) -> None:
    number = (await intake.open_sale(partitions=partitions))["sale_number"]
    await fill(db, number, 30, partitions=partitions)
    everything = list(range(29, -1, -1))
    declined = [n for n in everything if n % 3 == 0]
    within = {"from": moment(6), "to": moment(21)}
    for scope in ({}, {"sale": "sale"}):
        assert await seconds_of(intake, **scope) == everything
        assert await seconds_of(intake, reason="payment_declined", **scope) == declined
        assert await seconds_of(intake, **within, **scope) == [n for n in everything if 6 <= n < 21]
        both = [n for n in declined if 6 <= n < 21]
        assert await seconds_of(intake, reason="payment_declined", **within, **scope) == both
        assert await seconds_of(intake, reason="payment_declined", status="confirmed", **scope) == []
        assert await seconds_of(intake, reason="sold_out", **scope) == []
        of_c9 = await seconds_of(intake, customer="c9", reason="payment_declined", **{"from": moment(8)}, **scope)
        assert of_c9 == [n for n in declined if n % 10 == 9 and n >= 8]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-03-01T10:00:00"}, "from"),
        ({"from": "2026-03-01T10:00:00 01:00"}, "from"),
        ({"to": "9999-12-31T23:59:59Z"}, "to"),
        ({"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "to"),
        ({"reason": "x" * 201}, "reason"),
        ({"status": "paid"}, "status"),
        ({"since": "2026-03-01T10:00:00Z"}, "since"),
    ],
)
@pytest.mark.parametrize("path", ["/ops/orders", "/ops/orders:export"])
async def test_what_is_no_filter_is_refused(intake: Intake, path: str, params: dict[str, str], field: str) -> None:
    answer = await intake.ops.get(path, params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert field in {one["field"] for one in answer.json()["errors"]}
