"""Money at the provider: what the settle shift leaves open, what others queue, and that each order ends well of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from db.orders import money, transitions
from db.orders.states import Status
from db.payments import simulated_books
from tests.fixtures.paying import money_of
from tests.fixtures.waiting import eventually
from workers.payments import money as money_shift
from workers.payments.gateway import GatewayDownError, PaymentRefusedError, PaymentRequest, ProviderPayment
from workers.payments.money import back_off_s
from workers.payments.simulated import SimulatedGateway
from workers.payments.simulated_books import PostgresBooks
from workers.runtime.shift import EndReason

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop


@pytest.fixture
async def lamp_sale(shop: Shop) -> Shop:
    await shop.stock(lamp=10)
    await shop.open_sale("lamp")
    return shop


async def test_money_is_taken_parcel_by_parcel(lamp_sale: Shop, db: Connection) -> None:
    await db.execute("update sales set payment = 'authorise'")
    (order_id,) = await lamp_sale.buy("ada", lamp=3)
    await lamp_sale.drain()
    await lamp_sale.settle()
    assert await lamp_sale.statuses([order_id]) == ["confirmed"]
    assert await money_of(db, order_id) == ("authorised", 300, None, None)
    async with db.transaction():
        await money.queue_capture(db, order_id, 100, shipment_id=None)
        await db.execute("update order_lines set shipped = 1")
        await db.execute("update stock set reserved = reserved - 1, sold = sold + 1")
    await lamp_sale.money()
    assert await money_of(db, order_id) == ("captured", 300, 100, None)
    await transitions.transition(db, order_id, Status.PROCESSING)
    await transitions.transition(db, order_id, Status.SHIPPED)
    await lamp_sale.money()
    assert await money_of(db, order_id) == ("captured", 300, 300, None)
    book = await simulated_books.read_book(db, order_id)
    assert book is not None
    assert (book.status, book.captured) == ("captured", 300)


async def test_a_shift_that_dies_before_it_commits_moves_money_once(
    lamp_sale: Shop, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.execute("update sales set payment = 'authorise'")
    (order_id,) = await lamp_sale.buy("ada", lamp=1)
    await lamp_sale.drain()
    await lamp_sale.settle()
    await transitions.transition(db, order_id, Status.PROCESSING)
    await transitions.transition(db, order_id, Status.SHIPPED)
    written = money_shift.apply

    async def dies(*args: Any, **more: Any) -> Any:
        raise RuntimeError("the process ends here")

    monkeypatch.setattr(money_shift, "apply", dies)
    with pytest.raises(RuntimeError, match="ends here"):
        await lamp_sale.money()
    monkeypatch.setattr(money_shift, "apply", written)
    assert (await money_of(db, order_id))[2] is None
    await lamp_sale.money()
    book = await simulated_books.read_book(db, order_id)
    assert book is not None
    assert book.captured == 100
    assert await money_of(db, order_id) == ("captured", 100, 100, None)


async def test_what_costs_nothing_asks_nobody(shop: Shop, db: Connection) -> None:
    class Silent(SimulatedGateway):
        async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
            raise AssertionError("asked for nothing")

    from tests.fixtures.draining import make_product

    await make_product(db, "gift", units=2, price=0)
    await shop.open_sale("gift")
    ids = await shop.buy("ada", gift=1, token="decline")
    await shop.drain()
    await shop.settle(Silent())
    assert await shop.statuses(ids) == ["confirmed"]
    assert await money_of(db, ids[0]) == (None, None, None, None)


@pytest.mark.usefixtures("patient_shifts")
async def test_a_provider_that_is_down_is_left_alone_and_orders_resume_by_themselves(
    shop: Shop, db: Connection
) -> None:
    class Away(SimulatedGateway):
        away, asked, at_once = True, 0, 0

        def answers_at_once(self, payment: PaymentRequest) -> bool:
            return False

        async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
            self.asked += 1
            if self.away:
                raise GatewayDownError("away")
            return await super().authorise(payment._replace(token=None))

        async def look_up(self, payment: PaymentRequest) -> ProviderPayment:
            if self.away:
                raise GatewayDownError("away")
            return await super().look_up(payment._replace(attempts=0))

    await shop.stock(lamp=500)
    await shop.open_sale("lamp")
    ids = await shop.buy(*(f"c{n}" for n in range(200)), lamp=1)
    await shop.drain()
    gateway = Away()
    settling = asyncio.create_task(shop.settle(gateway, payment_retry_s=0.05, settle_concurrency=20))
    paused = "select payments_paused from shifts where name like 'settle:%'"

    async def is_said() -> bool:
        return bool(await db.fetchval(paused) == "down")

    await eventually(is_said)
    assert gateway.asked < 60, "left alone after the first failures"
    assert set(await shop.statuses(ids)) == {"pending"}
    gateway.away = False
    await settling
    assert set(await shop.statuses(ids)) == {"confirmed"}
    # It is said once a second at most, and holds until its time alone.
    assert not await db.fetchval(
        "select payments_paused_until > clock_timestamp() from shifts where name like 'settle:%'"
    )


@pytest.mark.usefixtures("patient_shifts")
async def test_holds_that_end_while_the_provider_is_down_give_their_units_back(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=30)
    await shop.open_sale("lamp")
    ids = await shop.buy(*(f"c{n}" for n in range(15)), lamp=1, token="down")
    await shop.drain()
    await db.execute("update reservations set expires_at = now() + interval '2 s'")
    await shop.settle(payment_retry_s=0.05)
    assert await shop.ledger("lamp") == (30, 0, 0)
    assert set(await shop.statuses(ids)) == {"pending"}
    await shop.money()
    assert set(await shop.statuses(ids)) == {"cancelled:hold_expired"}


async def test_who_takes_no_more_slows_the_settling(lamp_sale: Shop, db: Connection) -> None:
    ids = await lamp_sale.buy("ada", "bob", lamp=1, token="429:2")
    await lamp_sale.drain()
    settling = asyncio.create_task(lamp_sale.settle())
    found: list[bool | None] = []

    async def is_said() -> bool:
        paused, late = await db.fetchrow(
            "select (select payments_paused = 'rate_limited' from shifts where name like 'settle:%'),"
            " (select bool_and(due_at <= now() and attempts = 0) from reservations)"
        )
        found.append(late)
        return bool(paused)

    await eventually(is_said)
    assert found[-1], "they are late, so that it is seen"
    await settling
    assert await lamp_sale.statuses(ids) == ["confirmed", "confirmed"]


async def test_what_the_provider_will_never_do_waits_for_a_person(lamp_sale: Shop, db: Connection) -> None:
    await db.execute("update sales set payment = 'authorise'")
    (order_id,) = await lamp_sale.buy("ada", lamp=1)
    await lamp_sale.drain()
    await lamp_sale.settle()
    await money.queue_capture(db, order_id, 5_000, shipment_id=None)
    await money.queue_capture(db, order_id, 6_000, shipment_id=None)
    assert await lamp_sale.money() is EndReason.DONE
    failed = await money.list_failed(db)
    assert [(one.kind, one.amount, one.state) for one in failed] == [
        ("capture", 6_000, "failed"), ("capture", 5_000, "failed")
    ]  # fmt: skip
    assert failed[0].detail == "less than that is held"
    assert await money.list_failed(db, before=failed[0].operation_id) == failed[1:]
    assert await money.open_operations(db) == (0, 0.0, 2)
    assert await money.retry_failed(db, failed[0].operation_id)
    assert not await money.retry_failed(db, failed[0].operation_id), "it is due"
    await lamp_sale.money()
    assert await money.open_operations(db) == (0, 0.0, 2)
    for one in failed:
        assert await money.discard_failed(db, one.operation_id, reason="paid at the counter")
        assert not await money.discard_failed(db, one.operation_id, reason="again")
    found = await money.read_failed(db, failed[0].operation_id)
    assert found is not None
    assert (found.state, found.discard_reason) == ("discarded", "paid at the counter")
    assert await money.open_operations(db) == (0, 0.0, 0)


async def test_a_refund_that_fails_is_said_to_have_failed(lamp_sale: Shop, db: Connection) -> None:
    class Stern(SimulatedGateway):
        async def refund(self, payment: PaymentRequest, amount: int, *, key: str) -> ProviderPayment:
            raise PaymentRefusedError("the card is closed")

    (order_id,) = await lamp_sale.buy("ada", lamp=1)
    await lamp_sale.drain()
    await lamp_sale.settle()
    await transitions.transition(db, order_id, Status.CANCELLED)
    gateway = Stern(PostgresBooks(lamp_sale.settings.database_url.get_secret_value(), timeout_s=5))
    await lamp_sale.money(gateway)
    assert await db.fetchval("select status from refunds") == "failed"
    await money.queue_look_ups(db, [order_id])
    await lamp_sale.money()
    assert await db.fetchval("select count(*) from refunds") == 1, "not asked for once more beside the one that failed"
    (failed,) = await money.list_failed(db)
    assert await money.retry_failed(db, failed.operation_id)
    assert await db.fetchval("select status from refunds") == "pending"
    await lamp_sale.money()
    assert await db.fetchval("select status from refunds") == "succeeded"
    assert await money_of(db, order_id) == ("refunded", None, 100, 100)


async def test_many_are_done_at_once(lamp_sale: Shop, db: Connection) -> None:
    class Slow(SimulatedGateway):
        under_way, most = 0, 0

        async def look_up(self, payment: PaymentRequest) -> ProviderPayment:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0.05)
            self.under_way -= 1
            return await super().look_up(payment)

    await db.execute("update stock set stock = 300, received = 300")
    await db.execute("update stock_movements set quantity = 300")
    ids = await lamp_sale.buy(*(f"c{n}" for n in range(300)), lamp=1)
    await lamp_sale.drain()
    await lamp_sale.settle()
    await money.queue_look_ups(db, [*ids, *ids])
    gateway = Slow()
    await lamp_sale.money(gateway)
    assert 50 < gateway.most <= money_shift.CONCURRENCY
    assert await db.fetchval("select count(*) from payment_operations where state = 'done'") == 300


def test_an_operation_is_tried_later_and_later_and_never_all_at_once() -> None:
    pauses = [{back_off_s(attempts, 2.0) for _ in range(50)} for attempts in range(12)]
    assert all(len(some) > 40 for some in pauses)
    for attempts, some in enumerate(pauses):
        most = min(600.0, 2.0 * 2**attempts)
        assert most / 2 <= min(some) <= max(some) <= most
