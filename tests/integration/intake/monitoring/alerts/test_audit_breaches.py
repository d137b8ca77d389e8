"""Rows of the audit's breaches: each made by hand, told in the words of the page, and gone when it is put right."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.work import store_losses
from db.work.store_losses import Gap, LostOrder
from doorbuster import keys
from tests.fixtures.night import Night, work_off
from tests.fixtures.runbook_rows import Row
from tests.fixtures.visitors import Visitor
from workers.payments.simulated import SimulatedGateway
from workers.payments.simulated_books import PostgresBooks

NAME = "The audit reports a breach"
AUDIT = "doorbuster audit"
HOLDS = "all promises hold"


def _broken(said: str) -> dict[str, str]:
    """Return what the audit's lines say that are broken, by what they are about."""
    lines = [line for line in said.splitlines() if "  BROKEN: " in line]
    return {line[5:].split("   ")[0].strip(): line.split()[0] for line in lines}


async def _tells(row: Row, *promises: str) -> dict[str, str]:
    """Audit as the page says; exactly these promises are broken."""
    said = await row.looks(AUDIT)
    assert (row.night.person.folder / "audit.json").read_text().startswith("{")
    broken = _broken(said)
    assert sorted(set(broken.values())) == sorted(promises), said
    return broken


async def _ends(row: Row) -> None:
    said = await row.does(AUDIT)
    assert HOLDS in said, said


async def _sold(night: Night, *customers: str, token: str | None = None) -> list[UUID]:
    """Sell a lamp to each."""
    ids = await night.shop.buy(*customers, lamp=1, token=token)
    await night.shop.drain()
    await work_off(night.shop)
    return ids


@asynccontextmanager
async def _by_hand(night: Night, wrong: str, *tables: str) -> AsyncIterator[None]:
    """Change rows by hand, past what the database checks; afterwards these tables are as they were."""
    db = night.shop.db
    await db.execute("set session_replication_role = replica")
    for table in tables:
        await db.execute(f"create table kept_{table} as table {table}")
    await db.execute(wrong)
    try:
        yield
    finally:
        for table in tables:
            await db.execute(f"delete from {table}; insert into {table} overriding system value table kept_{table}")
            await db.execute(f"drop table kept_{table}")
        await db.execute("set session_replication_role = origin")


@pytest.mark.walks(NAME, "P1 `entries the order store accepted`")
async def test_the_order_store_was_started_without_its_data(row: Row) -> None:
    night = row.night
    await night.shop.buy("ada", lamp=1)
    kept = await night.shop.orders.dump(keys.stream(night.shop.sale_number, 0))
    await night.shop.orders.delete(keys.stream(night.shop.sale_number, 0))
    await _tells(row, "P1")
    await night.shop.orders.restore(keys.stream(night.shop.sale_number, 0), 0, kept)
    await _ends(row)


@pytest.mark.walks(NAME, "P1 `rows without their order`, `accepted entries worked off`")
@pytest.mark.parametrize("table", ["orders", "order_lines"])
async def test_rows_were_deleted(row: Row, table: str) -> None:
    await _sold(row.night, "ada")
    async with _by_hand(row.night, f"delete from {table}", table):
        said = await row.looks(AUDIT)
        assert "P1" in _broken(said).values()
    await _ends(row)


@pytest.mark.walks(NAME, "P1 `nobody knows what was lost`, `orders answered 202 that neither store has`")
async def test_the_order_store_lost_its_end(row: Row) -> None:
    night, db = row.night, row.night.shop.db
    cursor = f"{int(time.time() * 1000)}-0"
    await store_losses.note(db, (night.shop.sale_number, 0), Gap(cursor, "0-0", "0-0", 3, 1))
    order_id = UUID(int=uuid4().int >> 1)
    await store_losses.note_lost(db, [LostOrder(order_id, (night.shop.sale_number, 0), cursor)])
    await _tells(row, "P1")
    await db.execute("truncate store_losses, lost_orders, loss_witnesses")
    await _ends(row)


@pytest.mark.walks(NAME, "P2")
async def test_units_were_changed(row: Row) -> None:
    await _sold(row.night, "ada")
    async with _by_hand(row.night, "update stock set stock = stock + 2, received = received + 2", "stock"):
        await _tells(row, "P2")
    await _ends(row)


@pytest.mark.walks(NAME, "P3, P4, P5")
@pytest.mark.parametrize(
    ("wrong", "table", "promises"),
    [
        ("delete from order_events where seq = 1", "order_events", {"P3", "P5"}),
        ("update orders set accepted_at = now() where customer_id = 'ada'", "orders", {"P4"}),
        ("update order_events set status = 'delivered' where seq = 2", "order_events", {"P5"}),
    ],
)
async def test_an_orders_history_was_changed(row: Row, wrong: str, table: str, promises: set[str]) -> None:
    await _sold(row.night, "ada", "bob")
    async with _by_hand(row.night, wrong, table):
        said = await row.looks(AUDIT)
        assert promises <= set(_broken(said).values())
    await _ends(row)


@pytest.mark.walks(NAME, "P6 `events the event stream was given`")
async def test_events_are_gone(row: Row) -> None:
    await _sold(row.night, "ada")
    await row.night.shop.orders.delete(keys.EVENTS)
    await _tells(row, "P6")
    await _sold(row.night, "bob")
    await _ends(row)


@pytest.mark.walks(NAME, "P11")
async def test_a_total_was_changed(row: Row) -> None:
    await _sold(row.night, "ada")
    async with _by_hand(row.night, "update orders set total = total + 1", "orders"):
        assert "P11" in (await _tells(row, "P11")).values()
    await _ends(row)


@pytest.mark.walks(NAME, "P12 `orders whose money is not what their lines cost`")
async def test_an_orders_money_was_changed(row: Row) -> None:
    await _sold(row.night, "ada")
    async with _by_hand(row.night, "update orders set captured = captured + 1", "orders"):
        await _tells(row, "P12")
    await _ends(row)


@pytest.mark.walks(NAME, "P12 `money kept without goods`, `money held without goods`")
@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ("update orders set captured = 100 where customer_id = 'bob'", "money kept without goods"),
        ("update orders set payment = 'authorised' where customer_id = 'bob'", "money held without goods"),
    ],
)
async def test_there_is_money_without_goods(row: Row, wrong: str, what: str) -> None:
    await _sold(row.night, "bob", token="decline")
    async with _by_hand(row.night, wrong, "orders"):
        assert list(await _tells(row, "P12")) == [what]
    await _ends(row)


@pytest.mark.walks(
    NAME, "P12 `orders that the provider's list contradicts`, compared by `doorbuster audit --provider` alone"
)
async def test_the_providers_list_says_otherwise(row: Row) -> None:
    night = row.night
    books = PostgresBooks(night.shop.settings.database_url.get_secret_value(), timeout_s=5)
    gateway = SimulatedGateway(books, everything=True)
    await night.shop.buy("ada", lamp=1)
    await night.shop.drain()
    await night.shop.settle(gateway)
    await work_off(night.shop)
    night.person.env["SIMULATED_BOOKS"] = "true"
    assert HOLDS in await row.does("doorbuster audit --provider")
    async with _by_hand(night, "update simulated_payments set refunded = 1", "simulated_payments"):
        assert HOLDS in await row.does(AUDIT), "alone it does not see that"
        broken = _broken(await row.does("doorbuster audit --provider", code=1))
        assert broken == {"orders that the provider's list contradicts": "P12"}
    assert HOLDS in await row.does("doorbuster audit --provider")


@pytest.mark.walks(NAME, "P7")
async def test_an_order_came_in_without_an_admission(row: Row) -> None:
    night, orders = row.night, row.night.shop.orders
    night.person.env["SALE"] = "roomy"
    sale: dict[str, Any] = {
        "sale_id": "roomy", "products": [{"product_id": "lamp"}],
        "room": {"mode": "always", "rate_per_s": 1000, "burst": 1000},
    }  # fmt: skip
    assert (await night.intake.ops.post("/ops/sales", json=sale)).is_success
    ann = Visitor(night.intake, "roomy", "ann", {"customer_id": "ann"})
    await ann.join()
    lamp = [{"product_id": "lamp", "quantity": 1}]
    answer = await ann.order(await ann.admitted(), "ann", customer_id="ann", lines=lamp)
    assert answer.status_code == 202
    (spent,) = [name async for name in orders.scan_iter(match="*spent*")]
    kept = await orders.dump(spent)
    await orders.delete(spent)
    await _tells(row, "P7")
    await row.does("doorbuster sale hold $SALE")
    await orders.restore(spent, 0, kept)
    await _ends(row)
