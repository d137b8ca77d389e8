"""Holds of orders whose payment takes its time: made longer, ended, and what a payment that comes late is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from db.orders import money
from db.orders.fulfilment import line_cancels
from db.payments import simulated_books
from doorbuster.contract.orders import LineUnits
from tests.fixtures.paying import end_action, gateway_with_books, let_go, money_of
from workers.payments import apply
from workers.payments.gateway import PaymentRequest, ProviderPayment
from workers.payments.money import Money
from workers.payments.simulated import SimulatedGateway
from workers.payments.simulated_books import PostgresBooks

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop
    from workers.runtime.shift import Shift


@pytest.fixture
async def lamp_sale(shop: Shop) -> Shop:
    await shop.stock(lamp=10)
    await shop.open_sale("lamp")
    return shop


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

    assert await end_action(db, order_id, succeeds=True)
    await money.queue_look_ups(db, [order_id])  # as the provider's callback does
    await lamp_sale.money()
    assert await lamp_sale.statuses([order_id]) == ["confirmed"]
    assert await money_of(db, order_id) == ("captured", None, 100, None)
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
    order_id = await let_go(lamp_sale, db, "action")
    await lamp_sale.money()
    assert await lamp_sale.statuses([order_id]) == ["cancelled:hold_expired"]
    assert not await end_action(db, order_id, succeeds=True), "too late: it is voided"
    assert (await money_of(db, order_id))[0] == "voided"


async def test_a_payment_that_succeeds_after_its_hold_is_served_if_units_are_left(
    lamp_sale: Shop, db: Connection
) -> None:
    order_id = await let_go(lamp_sale, db, "action")
    await end_action(db, order_id, succeeds=True)
    await lamp_sale.money()
    assert await lamp_sale.statuses([order_id]) == ["confirmed"]
    assert await lamp_sale.ledger("lamp") == (7, 3, 0)
    assert await money_of(db, order_id) == ("captured", None, 300, None)


@pytest.mark.parametrize("mode", ["capture", "authorise"])
async def test_and_else_its_money_goes_back(lamp_sale: Shop, db: Connection, mode: str) -> None:
    await db.execute("update sales set payment = $1::payment_mode", mode)
    order_id = await let_go(lamp_sale, db, "action")
    await lamp_sale.buy("bob", lamp=8)
    await lamp_sale.drain()
    await lamp_sale.settle()
    await end_action(db, order_id, succeeds=True)
    await lamp_sale.money()
    assert await lamp_sale.statuses([order_id]) == ["cancelled:hold_expired"]
    await lamp_sale.money()
    wanted = ("refunded", None, 300, 300) if mode == "capture" else ("voided", 300, None, None)
    assert await money_of(db, order_id) == wanted
    book = await simulated_books.read_book(db, order_id)
    assert book is not None
    assert (book.captured, book.refunded) == ((300, 300) if mode == "capture" else (0, 0))
    assert await lamp_sale.ledger("lamp") == (2, 8, 0)


async def test_a_late_payment_does_not_break_a_customers_limit(shop: Shop, db: Connection) -> None:
    """Nor is a shopper ever blocked by an order of their own whose hold ended."""
    from db.sales import SaleProduct

    await shop.stock(lamp=10)
    await shop.open_sale(SaleProduct(product_id="lamp", limit_per_customer=3))
    order_id = await let_go(shop, db, "action")
    second = await shop.buy("ada", lamp=3, key="2")
    await shop.drain()
    await shop.settle()
    assert await shop.statuses(second) == ["confirmed"]
    await end_action(db, order_id, succeeds=True)
    await shop.money()
    await shop.money()
    assert await shop.statuses([order_id]) == ["cancelled:hold_expired"]
    assert await money_of(db, order_id) == ("refunded", None, 300, 300)


@pytest.mark.usefixtures("patient_shifts")
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

    order_id = await let_go(lamp_sale, db, "timeout")
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
    assert await money_of(db, order_id) == ("refunded", None, 300, 300)


@pytest.mark.parametrize("mode", ["capture", "authorise"])
async def test_a_ring_of_accounts_gets_what_its_cards_may_have(shop: Shop, db: Connection, mode: str) -> None:
    """The provider alone knows the cards: what is over their limit is cancelled before any money is taken."""
    from db.sales import SaleProduct

    await shop.stock(lamp=100)
    await shop.open_sale(SaleProduct(product_id="lamp", limit_card=2), payment=mode)
    ids = [one for n in range(12) for one in await shop.buy(f"c{n}", lamp=1, token=f"card:{'abc'[n % 3]}")]
    free = await shop.buy("with no card at the provider", lamp=5)
    await shop.drain()
    gateway = gateway_with_books(shop)
    await shop.settle(gateway)
    await shop.money(gateway)
    await shop.settle(gateway)
    await shop.money(gateway)
    statuses = await shop.statuses([*ids, *free])
    assert statuses.count("confirmed") == 7
    assert statuses.count("cancelled:limit_exceeded") == 6
    refusals = [row["refusal"] for row in await db.fetch("select refusal from orders where status = 'cancelled'")]
    assert refusals == [{"line": 1, "product_id": "lamp", "by": "card", "limit": 2, "had": 2}] * 6
    assert await shop.ledger("lamp") == (89, 11, 0)
    captured = await db.fetchval("select coalesce(sum(captured), 0)::bigint from simulated_payments")
    assert captured == (1_100 if mode == "capture" else 0), "nothing was taken of those over the limit"
    assert await db.fetchval("select count(*) from simulated_payments where status = 'voided'") == 6
    assert await db.fetchval("select count(*) from reservations") == 0


async def test_a_shift_that_stood_still_lets_nothing_go_by_an_old_look(lamp_sale: Shop, db: Connection) -> None:
    """Its successor may have found the payment there meanwhile, and confirmed the order."""
    order_id = await let_go(lamp_sale, db, "action")
    shifts: list[Money] = []

    class Still(SimulatedGateway):
        async def look_up(self, payment: PaymentRequest) -> ProviderPayment:
            found = await super().look_up(payment)
            for one in shifts:
                one._stepped -= 3600.0
            shifts.clear()
            return found

    gateway = Still(PostgresBooks(lamp_sale.settings.database_url.get_secret_value(), timeout_s=5))

    def make(mine: Shift) -> Money:
        shifts.append(Money(mine, gateway))
        return shifts[-1]

    await db.execute("update payment_operations set due_at = now()")
    await lamp_sale.run("money", make)
    operation = await db.fetchrow("select state, attempts, detail from payment_operations where kind = 'void'")
    assert tuple(operation) == ("due", 1, "what was looked up is too old to let the money go by")
    assert await lamp_sale.statuses([order_id]) == ["pending"]
    await lamp_sale.money()
    assert await lamp_sale.statuses([order_id]) == ["cancelled:hold_expired"]


async def test_units_taken_off_while_the_payment_is_asked_for_are_given_back(lamp_sale: Shop, db: Connection) -> None:
    (order_id,) = await lamp_sale.buy("ada", lamp=3, token="action")
    await lamp_sale.drain()
    await lamp_sale.settle()
    await line_cancels.cancel(db, order_id, lines=[LineUnits(1, 2)])
    await end_action(db, order_id, succeeds=True)
    await money.queue_look_ups(db, [order_id])
    await lamp_sale.money()
    await lamp_sale.money()
    assert await lamp_sale.statuses([order_id]) == ["confirmed"]
    assert await money_of(db, order_id) == ("partially_refunded", None, 300, 200)
    assert await db.fetchval("select lines from refunds") == [{"line": 1, "quantity": 2, "restock": True}]
