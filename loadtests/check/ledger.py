"""What the database says after a run: every 202 accounted for, times to the final outcome, batches.

Reads only; what it must never do is repair what it finds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from db.connections.pool import connect
from db.query_files import load
from db.report import stored
from db.work import outbox
from loadtests.scene.loopback import check_database
from loadtests.traffic.samples import Samples

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("loadtests")
_POLL_S = 0.1
_CALM_S = 6.0
_TOLD_POLL_S = 0.5
_RELAY = "events"
"""The cursor of the stream of order events."""
_INSTANT_S = 0.001
"""Events of one batch have one time: that is no time, and no rate."""

Progress = Callable[[int], None]


def _quiet(_final: int) -> None:
    """Tell nobody."""


class NotSettledError(RuntimeError):
    """Accepted orders did not all reach a final outcome in time."""


async def ask_alone(connection: Connection) -> None:
    """Have what is asked over a connection cost its own session alone, for who takes that cost off."""
    await connection.execute(_SQL["ask_alone"])


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    """Yield a connection to the audited database."""
    connection = await connect(
        check_database(dsn), command_timeout_s=600, application="doorbuster-loadtests", steady=False
    )
    try:
        yield connection
    finally:
        await connection.close()


async def wait_until_final(
    connection: Connection, sale_id: str, accepted: int, *, bound_s: float, progress: Progress = _quiet
) -> None:
    """Wait until the sale has `accepted` orders and none of them is pending.

    Raises:
        NotSettledError: it takes longer than `bound_s`.
    """
    await _wait(
        connection, sale_id, lambda orders, pending: orders >= accepted and not pending, bound_s, progress=progress
    )


async def wait_until_settled(connection: Connection, sale_id: str, accepted: int, *, bound_s: float) -> None:
    """Wait until the sale has `accepted` orders and none is pending but those that stand by for units.

    Raises:
        NotSettledError: it takes longer than `bound_s`.
    """
    await _wait(
        connection, sale_id, lambda orders, pending: orders >= accepted and not pending, bound_s, standing_by=True
    )


async def wait_until_drained(connection: Connection, sale_id: str, accepted: int, *, bound_s: float) -> None:
    """Wait until the sale has `accepted` orders, pending or not.

    Raises:
        NotSettledError: it takes longer than `bound_s`.
    """
    await _wait(connection, sale_id, lambda orders, _: orders >= accepted, bound_s)


async def _wait(
    connection: Connection,
    sale_id: str,
    done: Callable[[int, int], bool],
    bound_s: float,
    *,
    progress: Progress = _quiet,
    standing_by: bool = False,
) -> None:
    ends = monotonic() + bound_s
    number = await connection.fetchval(_SQL["number_of_sale"], sale_id)
    while True:
        row = await connection.fetchrow(_SQL["orders_of_sale"], number)
        assert row is not None
        orders, pending = row["orders"], row["pending"] - (row["standing_by"] if standing_by else 0)
        progress(orders - pending)
        if done(orders, pending):
            return
        if monotonic() > ends:
            raise NotSettledError(f"{orders} orders drained, {pending} of them pending after {bound_s:g} s")
        await asyncio.sleep(_POLL_S)


async def unaccounted(connection: Connection, order_ids: bytes) -> tuple[int, int]:
    """Return (distinct orders answered 202, how many of them the database does not have)."""
    async with connection.transaction():  # behind a pooler the table is this session's for so long
        await connection.execute(_SQL["make_answered"])
        records = ((UUID(bytes=order_ids[at : at + 16]),) for at in range(0, len(order_ids), 16))
        await connection.copy_records_to_table("answered", records=records, columns=["order_id"])
        distinct = await connection.fetchval(_SQL["distinct_answered"])
        missing = await connection.fetchval(_SQL["unaccounted"])
    return int(distinct), int(missing)


async def outcomes(connection: Connection, sale_id: str) -> dict[str, int]:
    """Return the sale's orders by state, cancelled ones by their reason too."""
    rows = await connection.fetch(_SQL["outcomes_of_sale"], sale_id)
    return {row["status"] + (f" ({row['reason']})" if row["reason"] else ""): row["orders"] for row in rows}


async def stories(connection: Connection, sale_id: str) -> dict[str, int]:
    """Return how many of the sale's orders went another way than straight, by the way; `refunded` in minor units."""
    row = await connection.fetchrow(_SQL["stories_of_sale"], sale_id)
    assert row is not None
    return dict(row)


async def some_confirmed(connection: Connection, sale_id: str, count: int) -> list[str]:
    """Return so many of the sale's confirmed orders whose money is taken, the first accepted first."""
    return [row["order_id"] for row in await connection.fetch(_SQL["some_confirmed"], sale_id, count)]


async def times_to_final(connection: Connection, sale_id: str) -> Samples:
    """Return each order's time from accepted to confirmed or cancelled."""
    return Samples(row["seconds"] for row in await connection.fetch(_SQL["seconds_to_final"], sale_id))


async def stock_of(connection: Connection, sale_id: str) -> list[asyncpg.Record]:
    """Return the stock ledger of the sale's products."""
    return await connection.fetch(_SQL["ledger_of_sale"], sale_id)


async def batches(connection: Connection, sale_id: str) -> list[tuple[datetime, int]]:
    """Return the drain's batches: when, how many orders."""
    return [(row["at"], row["orders"]) for row in await connection.fetch(_SQL["batches"], sale_id)]


async def most_waiting(connection: Connection, sale_id: str) -> int:
    """Return the greatest backlog: orders accepted and not yet drained, over the whole run."""
    steps = [(row["at"], row["orders"]) for row in await connection.fetch(_SQL["acceptances"], sale_id)]
    steps += [(at, -orders) for at, orders in await batches(connection, sale_id)]
    waiting = most = 0
    for _, change in sorted(steps):
        waiting += change
        most = max(most, waiting)
    return most


async def span(connection: Connection, sale_id: str) -> timedelta:
    """Return how long it took from the first of the sale's orders being accepted to the last of them changing."""
    took: timedelta = await connection.fetchval(_SQL["span"], sale_id)
    return took


async def pending_now(connection: Connection, sale_id: str) -> int:
    """Return how many of the sale's orders are held and not paid."""
    return int(await connection.fetchval(_SQL["pending_now"], sale_id))


async def database_bytes(connection: Connection) -> int:
    """Return what the database takes on disk."""
    return int(await connection.fetchval(_SQL["database_bytes"]))


async def rate_of_share(connection: Connection, sale_id: str, *, skip: int, orders: int) -> float:
    """Return the orders a second of a part of the sale, by acceptance: from its first accepted to its last final."""
    seconds: float = await connection.fetchval(_SQL["share_of_sale"], sale_id, skip, orders)
    return orders / seconds


async def confirmed_per_s(connection: Connection, sale_id: str, *, skip: int, orders: int) -> float:
    """Return the orders confirmed a second, of so many behind the first `skip` to be confirmed."""
    seconds: float = await connection.fetchval(_SQL["share_of_confirmed"], sale_id, skip, orders)
    return orders / seconds


async def make_past_orders(connection: Connection, orders: int) -> None:
    """Put confirmed orders of a sale that is over into the database, with all of their rows."""
    number = await connection.fetchval(_SQL["make_past_sale"], orders)
    await connection.execute(_SQL["make_past_stock"], orders)
    await connection.execute(_SQL["make_past_orders"], orders, number)
    await connection.execute(_SQL["make_past_lines"], number)
    await connection.execute(_SQL["make_past_events"], number)
    await connection.execute(_SQL["tell_past_events"])
    await connection.execute(_SQL["analyse_past"])
    await connection.execute(_SQL["write_past"])


async def make_shelf(connection: Connection, products: int) -> None:
    """Put products `growth-1` to `growth-N` into the catalogue, with more units than any run can sell."""
    await connection.execute(_SQL["make_shelf"], products)
    await connection.execute(_SQL["stock_shelf"])
    await connection.execute(_SQL["analyse_past"])
    await connection.execute(_SQL["write_past"])


async def put_on_sale(connection: Connection, sale_id: str, products: int) -> None:
    """Have a sale of `growth-1` sell the shelf's first `products`, on the same terms."""
    await connection.execute(_SQL["put_on_sale"], sale_id, products)


async def wait_until_told(connection: Connection, *, bound_s: float) -> None:
    """Wait until the relay has published every event of orders.

    Raises:
        NotSettledError: it takes longer than `bound_s`.
    """
    ends = monotonic() + bound_s
    while await outbox.any_unpublished(connection, _RELAY):
        if monotonic() > ends:
            raise NotSettledError(f"there are unpublished events after {bound_s:g} s")
        await asyncio.sleep(_TOLD_POLL_S)


async def wait_until_reported(connection: Connection, *, bound_s: float) -> None:
    """Wait until the report of every sale that is over is written.

    Raises:
        NotSettledError: it takes longer than `bound_s`.
    """
    ends = monotonic() + bound_s
    while due := await stored.due(connection):
        if monotonic() > ends:
            raise NotSettledError(f"there is no report of {due[0].sale_id} after {bound_s:g} s")
        await asyncio.sleep(_TOLD_POLL_S)


async def wait_until_calm(connection: Connection, *, bound_s: float) -> None:
    """Wait until no autovacuum is at work, and none begins for as long as its launcher sleeps.

    Raises:
        NotSettledError: it takes longer than `bound_s`.
    """
    ends, since = monotonic() + bound_s, monotonic()
    while monotonic() < since + _CALM_S:
        if await connection.fetchval(_SQL["is_vacuumed_now"]):
            since = monotonic()
        if monotonic() > ends:
            raise NotSettledError(f"tables are being vacuumed after {bound_s:g} s")
        await asyncio.sleep(_TOLD_POLL_S)


async def server_version(connection: Connection) -> str:
    """Return the version of PostgreSQL."""
    return str(await connection.fetchval(_SQL["server_version"]))


async def event_span(connection: Connection, sale_id: str) -> tuple[int, float, float]:
    """Return a sale's events, and seconds from the first until the last was written, and until now."""
    row = await connection.fetchrow(_SQL["event_span"], sale_id)
    assert row is not None
    return row["events"], max(row["wrote_s"], _INSTANT_S), max(row["until_now_s"], _INSTANT_S)


async def delivered(connection: Connection) -> tuple[int, float]:
    """Return the deliveries to webhooks that were taken, and seconds from the first of them to the last."""
    row = await connection.fetchrow(_SQL["delivered"])
    assert row is not None
    return row["delivered"], row["took_s"] or 0.0
