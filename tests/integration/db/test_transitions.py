"""Transitions against real Postgres: only legal ones, one event each, stock where it belongs, also when they race."""

from __future__ import annotations

import asyncio
import itertools
from uuid import UUID, uuid4

import pytest

from db import sales
from db.audit import questions as audit
from db.connections.pool import Connection, Pool
from db.orders import orders
from db.orders.states import ALLOWED, INITIAL, Status
from db.orders.transitions import HandTerms, cancel_many, confirm_many, transition
from db.products import stock
from doorbuster.errors import IllegalTransitionError, NotFoundError
from tests.fixtures.draining import Draining, make_product

WAY = [Status.CONFIRMED, Status.PROCESSING, Status.SHIPPED, Status.DELIVERED, Status.REFUNDED]
UNITS = 10


@pytest.fixture
async def draining(db: Connection) -> Draining:
    await make_product(db, "lamp", units=UNITS)
    return await Draining.of(db, [sales.SaleProduct(product_id="lamp", quantity=UNITS, limit_per_customer=UNITS)])


async def _ledger(db: Connection) -> tuple[int, int, int]:
    row = await stock.get_stock(db, "lamp")
    assert row is not None
    return row.stock, row.reserved, row.sold


async def _statuses(db: Connection, order_id: UUID) -> list[Status]:
    order = await orders.read_order(db, order_id)
    assert order is not None
    assert order.status == order.history[-1].status
    assert [event.seq for event in order.history] == list(range(1, order.version + 1))
    return [event.status for event in order.history if event.kind is None]


async def _assert_no_breaches(db: Connection) -> None:
    findings = await audit.audit(db)
    assert [figure for figure in findings.figures if figure.breaches] == []


async def _order_in(db: Connection, draining: Draining, status: Status) -> UUID:
    order_id = await draining.order(db, {"lamp": 3})
    if status is Status.CANCELLED:
        await transition(db, order_id, Status.CANCELLED)
    elif status is not Status.PENDING:
        for step in WAY[: WAY.index(status) + 1]:
            await transition(db, order_id, step)
    return order_id


async def test_the_whole_way_moves_units_from_reserved_to_sold(db: Connection, draining: Draining) -> None:
    order_id = await draining.order(db, {"lamp": 3})
    assert await _ledger(db) == (7, 3, 0)
    seen = []
    for step in WAY[:-1]:
        await transition(db, order_id, step)
        seen.append(await _ledger(db))
    assert seen == [(7, 3, 0), (7, 3, 0), (7, 0, 3), (7, 0, 3)]
    assert await _statuses(db, order_id) == [Status.PENDING, *WAY[:-1]]
    await _assert_no_breaches(db)


@pytest.mark.parametrize(("restock", "ledger"), [(False, (7, 0, 3)), (True, (10, 0, 0))])
async def test_a_refund_restocks_only_when_asked(
    db: Connection, draining: Draining, restock: bool, ledger: tuple[int, int, int]
) -> None:
    order_id = await _order_in(db, draining, Status.DELIVERED)
    await transition(db, order_id, Status.REFUNDED, reason="broken", terms=HandTerms(restock=restock))
    assert await _ledger(db) == ledger
    await _assert_no_breaches(db)


@pytest.mark.parametrize("status", [Status.PENDING, Status.CONFIRMED, Status.PROCESSING])
async def test_cancelling_gives_units_allotment_and_limit_back(
    db: Connection, draining: Draining, status: Status
) -> None:
    order_id = await _order_in(db, draining, status)
    await transition(db, order_id, Status.CANCELLED, reason="changed my mind")
    assert await _ledger(db) == (10, 0, 0)
    assert await db.fetchval("select taken from sale_products") == 0
    assert await db.fetchval("select quantity from purchases") == 0
    assert await db.fetchval("select count(*) from reservations") == 0
    order = await orders.read_order(db, order_id)
    assert order is not None
    assert (order.reason, order.history[-1].reason) == ("changed my mind", "changed my mind")
    await _assert_no_breaches(db)


@pytest.mark.parametrize(
    ("status", "to"), [(a, b) for a, b in itertools.product(Status, Status) if b not in ALLOWED[a]]
)
async def test_an_illegal_step_is_refused_and_changes_nothing(
    db: Connection, draining: Draining, status: Status, to: Status
) -> None:
    order_id = await _order_in(db, draining, status)
    before = await _statuses(db, order_id), await _ledger(db)
    with pytest.raises(IllegalTransitionError, match=f"{status} cannot become {to}"):
        await transition(db, order_id, to)
    assert (await _statuses(db, order_id), await _ledger(db)) == before


async def test_the_steps_in_sql_are_those_in_python(db: Connection) -> None:
    rows = await db.fetch("select was::text, became::text from order_steps")
    steps = {(was, to) for was, onward in ALLOWED.items() for to in onward} | {(None, first) for first in INITIAL}
    assert {(row["was"], row["became"]) for row in rows} == steps


async def test_the_audit_finds_a_step_that_there_is_not(db: Connection, draining: Draining) -> None:
    order_id = await _order_in(db, draining, Status.CONFIRMED)
    await db.execute("update orders set status = 'delivered', version = 3")
    await db.execute(
        "insert into order_events (order_id, seq, status, at) values ($1, 3, 'delivered', now())", order_id
    )
    findings = await audit.audit(db)
    assert [one.what for one in findings.figures if one.promise == "P5" and one.breaches] == ["transitions"]


@pytest.mark.parametrize(
    ("kind", "status", "what"),
    [
        ("line_cancelled", "processing", "transitions"),  # a step of the table, which an event with a kind may not be
        ("shipment", "shipped", "transitions"),
        ("served", "confirmed", "orders whose history is not their state's"),  # it never stood by
    ],
)
async def test_the_audit_finds_an_event_with_a_kind_that_may_not_be(
    db: Connection, draining: Draining, kind: str, status: str, what: str
) -> None:
    order_id = await _order_in(db, draining, Status.CONFIRMED)
    await db.execute("update orders set status = $1::text::order_status, version = 3", status)
    await db.execute(
        "insert into order_events (order_id, seq, status, at, kind) values ($1, 3, $2::text::order_status, now(), $3)",
        order_id, status, kind,
    )  # fmt: skip
    findings = await audit.audit(db)
    assert [one.what for one in findings.figures if one.promise == "P5" and one.breaches] == [what]


async def test_an_unknown_order_is_not_found(db: Connection) -> None:
    with pytest.raises(NotFoundError):
        await transition(db, uuid4(), Status.CONFIRMED)


async def test_confirm_and_cancel_racing_move_each_order_once(db: Connection, pool: Pool, draining: Draining) -> None:
    lines = {"lamp": 1}
    placed = [await draining.order(db, lines, customer_id=f"c{i}") for i in range(UNITS)]

    async def confirm() -> list[UUID]:
        async with pool.acquire() as connection, connection.transaction():
            return await confirm_many(connection, placed)

    async def cancel() -> list[UUID]:
        async with pool.acquire() as connection, connection.transaction():
            return await cancel_many(connection, list(reversed(placed)), reason="hold_expired")

    async def by_hand(order_id: UUID) -> list[UUID]:
        async with pool.acquire() as connection:
            try:
                await transition(connection, order_id, Status.CANCELLED)
            except IllegalTransitionError:
                return []
            return [order_id]

    moved = await asyncio.gather(confirm(), cancel(), confirm(), cancel(), *(by_hand(one) for one in placed))
    by_batches = [one for batch in moved[:4] for one in batch]
    assert len(by_batches) == len(set(by_batches))
    for order_id in placed:
        assert len(await _statuses(db, order_id)) in (2, 3)  # by hand, a confirmed order can still be cancelled
    await _assert_no_breaches(db)
