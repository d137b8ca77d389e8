"""Rows of PromiseBroken: what waits for a person, and what may harm all."""

from __future__ import annotations

import json
import time
from uuid import UUID, uuid4

import pytest

from db.work import store_losses, witnesses
from db.work.store_losses import Gap, LostOrder
from db.work.witnesses import Word
from tests.fixtures.draining import IDS
from tests.fixtures.night import Night, work_off
from tests.fixtures.runbook_rows import Row
from tests.fixtures.waiting import eventually
from workers.payments.gateway import PaymentRefusedError, PaymentRequest, ProviderPayment
from workers.payments.simulated import SimulatedGateway
from workers.payments.simulated_books import PostgresBooks

NAME = "PromiseBroken"
METRICS = "curl -s $OPS_URL/metrics"
AUDIT = "doorbuster audit"
LAMP = [{"product_id": "lamp", "quantity": 1}]
ACKNOWLEDGE = 'doorbuster losses acknowledge $ID --reason "told them" --yes'


async def _wakes(row: Row, metric: str) -> None:
    """See it in the metrics, and that somebody is woken for it alone."""
    await row.night.fires(NAME)
    await row.looks_until(metric, METRICS)


async def _ends(night: Night) -> None:
    """See that nobody is woken any more."""
    await work_off(night.shop)
    await night.fires()


@pytest.mark.walks(NAME, '`doorbuster_dead_letters{kind="order"}`')
async def test_an_order_was_put_aside(row: Row) -> None:
    night = row.night
    await night.shop.accept(b"no order at all")
    await night.shop.drain()
    await _wakes(row, 'doorbuster_dead_letters{kind="order"} 1.0')
    assert "unreadable" in await row.looks("doorbuster dead-letters list")
    night.person.env["ID"] = str(await night.shop.db.fetchval("select dead_letter_id from dead_letters"))
    await row.does('doorbuster dead-letters discard $ID --reason "told the customer" --yes')
    await _ends(night)


class Stern(SimulatedGateway):
    """Takes no refund."""

    async def refund(self, payment: PaymentRequest, amount: int, *, key: str) -> ProviderPayment:
        raise PaymentRefusedError("the card is closed")


@pytest.mark.walks(NAME, '`doorbuster_payment_operations{state="failed"}`')
async def test_the_provider_refuses(row: Row) -> None:
    night = row.night
    (order_id,) = await night.shop.buy("ada", lamp=1)
    await night.shop.drain()
    await work_off(night.shop)
    cancel = {"to": "cancelled", "reason": "too late"}
    (await night.intake.ops.post(f"/ops/orders/{order_id}/transitions", json=cancel)).raise_for_status()
    books = PostgresBooks(night.shop.settings.database_url.get_secret_value(), timeout_s=5)
    await night.shop.money(Stern(books))
    await work_off(night.shop)
    await _wakes(row, 'doorbuster_payment_operations{state="failed"} 1.0')
    failed = await night.shop.db.fetchval("select operation_id from payment_operations where state = 'failed'")
    night.person.env["ID"] = f"payment-{failed}"
    assert "the card is closed" in await row.does("doorbuster dead-letters list --kind payment")
    await row.does("doorbuster dead-letters retry $ID")
    await night.shop.money()
    await work_off(night.shop)
    await _ends(night)


@pytest.mark.walks(NAME, "`doorbuster_ledger_breaches`, or P2 in the audit")
async def test_units_do_not_add_up(row: Row) -> None:
    night, db = row.night, row.night.shop.db
    night.person.env["PRODUCT"] = "lamp"
    await db.execute("alter table stock drop constraint stock_ledger_balances")
    await db.execute("update stock set sold = sold + 1")
    await _wakes(row, "doorbuster_ledger_breaches 1.0")
    assert "P2   products in the ledger" in await row.looks(AUDIT)
    await row.does("doorbuster sale hold $SALE")
    assert await night.order() == "sale_not_open", "nothing more is sold"
    await row.does("doorbuster audit --json > audit.json", code=1)
    assert json.loads((night.person.folder / "audit.json").read_text())["breaches"]
    await db.execute("update stock set sold = sold - 1")
    await row.looks(AUDIT)
    await _ends(night)


async def _loss(night: Night, *, lost: UUID | None = None) -> None:
    """Note that the order store came back without its end: an order is gone, or nobody knows."""
    place, cursor = (night.shop.sale_number, 0), f"{int(time.time() * 1000)}-0"
    if lost is None:
        await witnesses.note(night.shop.db, uuid4(), Word("fsync", [], {}))  # of an intake that died
    await store_losses.note(night.shop.db, place, Gap(cursor, "0-0", "0-0", 1, 0))
    if lost is not None:
        await store_losses.note_lost(night.shop.db, [LostOrder(lost, place, cursor)])
        silent = "select count(*) = 0 from loss_witnesses where said_at is null"
        await eventually(lambda: night.shop.db.fetchval(silent), what="the intake to say what it accepted")
    # A while ago: an audit waits some seconds for intakes that look for what was lost just now.
    await night.shop.db.execute("update store_losses set at = now() - interval '1 minute'")
    night.person.env["ID"] = str(await night.shop.db.fetchval("select max(loss_id) from store_losses"))
    (await night.intake.ops.get("/ops/promises")).raise_for_status()


def _lost_order(night: Night) -> UUID:
    """Return the order that `_sends` sends, of which neither store knows: as if its 202 was all that is left."""
    return UUID(bytes=IDS.derive(night.shop.sale_number, 0, customer_id="c", key="mine"))


async def _sends(night: Night) -> UUID:
    answer = await night.intake.post("sale", key="mine", lines=LAMP)
    assert answer.status_code == 202
    return UUID(answer.json()["order_id"])


@pytest.mark.walks(NAME, '`doorbuster_order_store_losses{what="orders"}`')
@pytest.mark.parametrize("sends_again", [True, False])
async def test_orders_are_lost(row: Row, sends_again: bool) -> None:
    night = row.night
    lost = _lost_order(night)
    await _loss(night, lost=lost)
    await _wakes(row, 'doorbuster_order_store_losses{what="orders"} 1.0')
    assert f" {night.person.env['ID']} " in f" {await row.does('doorbuster losses list')}".replace("\n", " ")
    assert str(lost) in await row.does("doorbuster losses show $ID")
    if sends_again:
        assert await _sends(night) == lost
        await night.shop.drain()
        await work_off(night.shop)
    else:
        await row.does(ACKNOWLEDGE)
    said = await row.looks(AUDIT)
    assert ("BROKEN" in said) is not sends_again, "acknowledged it stays in the audit"
    await _ends(night)
    await night.shop.db.execute("truncate store_losses, lost_orders, loss_witnesses")


@pytest.mark.walks(NAME, '`doorbuster_order_store_losses{what="unknown"}`')
async def test_nobody_knows_what_is_lost(row: Row) -> None:
    night = row.night
    await _loss(night)
    await _wakes(row, 'doorbuster_order_store_losses{what="unknown"} 1.0')
    gone = await night.intake.http.get(f"/orders/{_lost_order(night)}")
    there = await night.intake.http.get(f"/orders/{await _sends(night)}")
    assert (gone.status_code, there.status_code) == (404, 200), "so the shop finds out which of its 202s are gone"
    await night.shop.drain()
    await row.does(ACKNOWLEDGE)
    await row.looks(AUDIT)
    await _ends(night)
    await night.shop.db.execute("truncate store_losses, lost_orders, loss_witnesses")


@pytest.mark.walks(NAME, "`doorbuster_audit_breaches`")
async def test_the_last_audit_found_a_breach(row: Row) -> None:
    night = row.night
    await night.shop.buy("ada", lamp=1)
    await night.shop.drain()
    await work_off(night.shop)
    await night.shop.db.execute("update orders set total = total + 1")
    assert "BROKEN" in await row.looks(AUDIT)
    await _wakes(row, 'doorbuster_audit_breaches{promise="P11"} 1.0')
    await row.does("doorbuster audit --json > audit.json", code=1)
    await night.shop.db.execute("update orders set total = total - 1")
    assert "all promises hold" in await row.looks(AUDIT)
    await _ends(night)
