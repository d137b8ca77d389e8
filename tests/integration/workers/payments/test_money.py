"""Money at the provider: what the settle shift leaves open, what others queue, and that each order ends well of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from db.orders import line_cancels, money, transitions
from db.orders.states import Status
from db.payments import simulated_books
from doorbuster.contract.orders import LineUnits
from tests.fixtures.waiting import eventually
from workers.payments import apply
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


def _gateway(shop: Shop, **more: Any) -> SimulatedGateway:
    return SimulatedGateway(PostgresBooks(shop.settings.database_url.get_secret_value(), timeout_s=5), **more)


async def _money_of(db: Connection, order_id: UUID) -> tuple[Any, ...]:
    row = await db.fetchrow(
        "select payment::text, authorised, captured, refunded from orders where order_id = $1", order_id
    )
    assert row is not None
    return tuple(row)


async def _end_hold(db: Connection) -> None:
    await db.execute("update reservations set expires_at = now() - interval '1 h', due_at = now(), extended = true")


async def _let_go(shop: Shop, db: Connection, token: str) -> UUID:
    """Return an order whose hold ended without an answer: its units are free, its payment is still open."""
    (order_id,) = await shop.buy("ada", lamp=3, token=token)
    await shop.drain()
    await shop.settle()
    await _end_hold(db)
    await shop.settle()
    assert await shop.statuses([order_id]) == ["pending"]
    assert await shop.ledger("lamp") == (10, 0, 0)
    return order_id


async def test_a_shopper_who_must_act_has_more_time_once_and_is_told_once(lamp_sale: Shop, db: Connection) -> None:
    (order_id,) = await lamp_sale.buy("ada", lamp=1, token="action")
    await lamp_sale.drain()
    held = "select extract(epoch from expires_at - now())::float8, extended from reservations"
    await lamp_sale.settle()
    ends_in, extended = await db.fetchrow(held)
    assert extended
    assert 840 < ends_in <= 900, "600 s and the sale's 300 s"
    for _ in range(3):
        await db.execute("update reservations set due_at = now()")
        await lamp_sale.settle()
    assert (await db.fetchrow(held))[0] <= ends_in, "made longer once"
    row = await db.fetchrow("select payment::text, next_action, version from orders")
    assert tuple(row) == ("requires_action", {"type": "simulated", "order_id": str(order_id)}, 2)
    events = await db.fetch("select seq, status::text, kind from order_events order by seq")
    assert [tuple(event) for event in events] == [(1, "pending", None), (2, "pending", "action_required")]

    assert await simulated_books.end_action(db, order_id, succeeds=True)
    await money.queue_look_ups(db, [order_id])  # as the provider's callback does
    await lamp_sale.money()
    assert await lamp_sale.statuses([order_id]) == ["confirmed"]
    assert await _money_of(db, order_id) == ("captured", None, 100, None)
    assert await db.fetchval("select next_action from orders") is None


@pytest.mark.parametrize(("ends", "status"), [("succeed", "confirmed"), ("fail", "cancelled:payment_declined")])
async def test_an_action_that_nobody_calls_back_for_is_looked_up(
    lamp_sale: Shop, db: Connection, ends: str, status: str
) -> None:
    ids = await lamp_sale.buy("ada", lamp=1, token=f"action:{ends}:0")
    await lamp_sale.drain()
    await lamp_sale.settle()
    await db.execute("update reservations set due_at = now()")
    await lamp_sale.settle()
    assert await lamp_sale.statuses(ids) == [status]


async def test_an_action_that_is_never_done_ends_with_the_hold(lamp_sale: Shop, db: Connection) -> None:
    order_id = await _let_go(lamp_sale, db, "action")
    await lamp_sale.money()
    assert await lamp_sale.statuses([order_id]) == ["cancelled:hold_expired"]
    assert not await simulated_books.end_action(db, order_id, succeeds=True), "too late: it is voided"
    assert (await _money_of(db, order_id))[0] == "voided"


async def test_a_payment_that_succeeds_after_its_hold_is_served_if_units_are_left(
    lamp_sale: Shop, db: Connection
) -> None:
    order_id = await _let_go(lamp_sale, db, "action")
    await simulated_books.end_action(db, order_id, succeeds=True)
    await lamp_sale.money()
    assert await lamp_sale.statuses([order_id]) == ["confirmed"]
    assert await lamp_sale.ledger("lamp") == (7, 3, 0)
    assert await _money_of(db, order_id) == ("captured", None, 300, None)


@pytest.mark.parametrize("mode", ["capture", "authorise"])
async def test_and_else_its_money_goes_back(lamp_sale: Shop, db: Connection, mode: str) -> None:
    await db.execute("update sales set payment = $1::payment_mode", mode)
    order_id = await _let_go(lamp_sale, db, "action")
    await lamp_sale.buy("bob", lamp=8)
    await lamp_sale.drain()
    await lamp_sale.settle()
    await simulated_books.end_action(db, order_id, succeeds=True)
    await lamp_sale.money()
    assert await lamp_sale.statuses([order_id]) == ["cancelled:hold_expired"]
    await lamp_sale.money()
    wanted = ("refunded", None, 300, 300) if mode == "capture" else ("voided", 300, None, None)
    assert await _money_of(db, order_id) == wanted
    book = await simulated_books.read_book(db, order_id)
    assert book is not None
    assert (book.captured, book.refunded) == ((300, 300) if mode == "capture" else (0, 0))
    assert await lamp_sale.ledger("lamp") == (2, 8, 0)


async def test_a_late_payment_does_not_break_a_customers_limit(shop: Shop, db: Connection) -> None:
    """Nor is a shopper ever blocked by an order of their own whose hold ended."""
    from db.sales import SaleProduct

    await shop.stock(lamp=10)
    await shop.open_sale(SaleProduct(product_id="lamp", limit_per_customer=3))
    order_id = await _let_go(shop, db, "action")
    second = await shop.buy("ada", lamp=3, key="2")
    await shop.drain()
    await shop.settle()
    assert await shop.statuses(second) == ["confirmed"]
    await simulated_books.end_action(db, order_id, succeeds=True)
    await shop.money()
    await shop.money()
    assert await shop.statuses([order_id]) == ["cancelled:hold_expired"]
    assert await _money_of(db, order_id) == ("refunded", None, 300, 300)


async def test_a_lost_answer_is_looked_up_and_never_repeated_blindly(lamp_sale: Shop, db: Connection) -> None:
    class Counting(SimulatedGateway):
        asked = 0

        async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
            self.asked += 1
            return await super().authorise(payment)

    ids = await lamp_sale.buy("ada", lamp=1, token="late")
    await lamp_sale.drain()
    gateway = Counting(PostgresBooks(lamp_sale.settings.database_url.get_secret_value(), timeout_s=5))
    await lamp_sale.settle(gateway, payment_retry_s=0.05)
    assert await lamp_sale.statuses(ids) == ["confirmed"]
    assert gateway.asked == 1


async def test_what_was_on_its_way_when_it_was_voided_is_held_for_nobody(lamp_sale: Shop, db: Connection) -> None:
    """A provider that forgets voids: what it has when the last request arrived is given back all the same."""

    class Forgetful(SimulatedGateway):
        voids = 0

        async def void(self, payment: PaymentRequest, *, key: str) -> ProviderPayment:
            self.voids += 1
            found = await self.look_up(payment)
            return found if found.status == "nothing" else await super().void(payment, key=key)

    order_id = await _let_go(lamp_sale, db, "timeout")
    books = PostgresBooks(lamp_sale.settings.database_url.get_secret_value(), timeout_s=5)
    gateway = Forgetful(books)
    await lamp_sale.money(gateway)
    assert await lamp_sale.statuses([order_id]) == ["cancelled:hold_expired"]
    book = simulated_books.Book("captured", 300, "EUR", True, captured=300)
    await simulated_books.open_book(db, order_id, book, turns_after_s=None)  # the first request arrives now
    due_s = await db.fetchval(
        "select extract(epoch from due_at - now())::float8 from payment_operations where kind = 'look_up'"
    )
    assert apply.LATE_LOOK_S - 30 < due_s <= apply.LATE_LOOK_S
    await lamp_sale.money(gateway)
    await lamp_sale.money(gateway)
    assert await _money_of(db, order_id) == ("refunded", None, 300, 300)


@pytest.mark.parametrize("mode", ["capture", "authorise"])
async def test_a_ring_of_accounts_gets_what_its_cards_may_have(shop: Shop, db: Connection, mode: str) -> None:
    """The provider alone knows the cards: what is over their limit is cancelled before any money is taken."""
    from db.sales import SaleProduct

    await shop.stock(lamp=100)
    await shop.open_sale(SaleProduct(product_id="lamp", limit_card=2), payment=mode)
    ids = [one for n in range(12) for one in await shop.buy(f"c{n}", lamp=1, token=f"card:{'abc'[n % 3]}")]
    free = await shop.buy("with no card at the provider", lamp=5)
    await shop.drain()
    gateway = _gateway(shop)
    await shop.settle(gateway)
    await shop.money(gateway)
    await shop.settle(gateway)
    await shop.money(gateway)
    statuses = await shop.statuses([*ids, *free])
    assert statuses.count("confirmed") == 7
    assert statuses.count("cancelled:limit_exceeded") == 6
    assert await shop.ledger("lamp") == (89, 11, 0)
    captured = await db.fetchval("select coalesce(sum(captured), 0)::bigint from simulated_payments")
    assert captured == (600 if mode == "capture" else 0), "nothing was taken of those over the limit"
    assert await db.fetchval("select count(*) from simulated_payments where status = 'voided'") == 6
    assert await db.fetchval("select count(*) from reservations") == 0


async def test_units_taken_off_while_the_payment_is_asked_for_are_given_back(lamp_sale: Shop, db: Connection) -> None:
    (order_id,) = await lamp_sale.buy("ada", lamp=3, token="action")
    await lamp_sale.drain()
    await lamp_sale.settle()
    await line_cancels.cancel(db, order_id, lines=[LineUnits(1, 2)])
    await simulated_books.end_action(db, order_id, succeeds=True)
    await money.queue_look_ups(db, [order_id])
    await lamp_sale.money()
    await lamp_sale.money()
    assert await lamp_sale.statuses([order_id]) == ["confirmed"]
    assert await _money_of(db, order_id) == ("partially_refunded", None, 300, 200)
    assert await db.fetchval("select lines from refunds") == [{"line": 1, "quantity": 2, "restock": True}]


async def test_money_is_taken_parcel_by_parcel(lamp_sale: Shop, db: Connection) -> None:
    await db.execute("update sales set payment = 'authorise'")
    (order_id,) = await lamp_sale.buy("ada", lamp=3)
    await lamp_sale.drain()
    await lamp_sale.settle()
    assert await lamp_sale.statuses([order_id]) == ["confirmed"]
    assert await _money_of(db, order_id) == ("authorised", 300, None, None)
    async with db.transaction():
        await money.queue_capture(db, order_id, 100, shipment_id=None)
        await db.execute("update order_lines set shipped = 1")
        await db.execute("update stock set reserved = reserved - 1, sold = sold + 1")
    await lamp_sale.money()
    assert await _money_of(db, order_id) == ("captured", 300, 100, None)
    await transitions.transition(db, order_id, Status.PROCESSING)
    await transitions.transition(db, order_id, Status.SHIPPED)
    await lamp_sale.money()
    assert await _money_of(db, order_id) == ("captured", 300, 300, None)
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
    assert (await _money_of(db, order_id))[2] is None
    await lamp_sale.money()
    book = await simulated_books.read_book(db, order_id)
    assert book is not None
    assert book.captured == 100
    assert await _money_of(db, order_id) == ("captured", 100, 100, None)


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
    assert await _money_of(db, ids[0]) == (None, None, None, None)


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
    assert await db.fetchval(paused) is None


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
    ids = await lamp_sale.buy("ada", "bob", lamp=1, token="429:1")
    await lamp_sale.drain()
    settling = asyncio.create_task(lamp_sale.settle())

    async def is_said() -> bool:
        return bool(await db.fetchval("select payments_paused = 'rate_limited' from shifts where name like 'settle:%'"))

    await eventually(is_said)
    assert await db.fetchval("select bool_and(due_at <= now() and attempts = 0) from reservations"), "late, so seen"
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
    assert await _money_of(db, order_id) == ("refunded", None, 100, 100)


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
