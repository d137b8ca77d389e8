"""The audit of prices and money (P11, P12): what is right passes, and each thing that is wrong is found."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from db.audit.questions import KnownMoney, audit
from db.orders import money, transitions
from db.orders.states import Status
from db.payments import simulated_books
from doorbuster.cli.audit.provider import differs, provider_figures
from workers.payments.gateway import NOTHING, ProviderPayment, ProviderStatus
from workers.payments.simulated import SimulatedGateway
from workers.payments.simulated_books import PostgresBooks

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop


@pytest.fixture
async def paid(shop: Shop) -> Shop:
    """A shop with an order of each kind: confirmed, declined, given back, at shipping, waiting."""
    await shop.stock(lamp=50)
    await shop.open_sale("lamp")
    await shop.buy("ada", lamp=2)
    await shop.buy("bob", lamp=1, token="decline")
    given_back = await shop.buy("cyd", lamp=3)
    await shop.drain()
    await shop.settle()
    await transitions.transition(shop.db, given_back[0], Status.CANCELLED)
    await shop.money()
    await shop.open_sale("lamp", payment="authorise")
    await shop.buy("dan", lamp=4)
    await shop.drain()
    await shop.settle()
    return shop


async def _figures(db: Connection) -> dict[str, tuple[int, int]]:
    found = (await audit(db)).figures
    return {figure.what: (figure.value, figure.breaches) for figure in found if figure.promise in ("P1", "P11", "P12")}


async def test_what_is_right_passes(paid: Shop, db: Connection) -> None:
    found = await _figures(db)
    assert found["orders whose money the provider was asked for"] == (4, 0)
    assert found["of these: money taken"] == (2, 0)
    assert found["orders, each at its lines' accepted prices"] == (4, 0)
    assert found["orders served without a payment asked for"] == (0, 0)
    assert sum(breaches for _, breaches in found.values()) == 0


DIFFER, KEPT, HELD = (
    "orders whose money is not what their lines cost", "money kept without goods", "money held without goods"
)  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ("update orders set captured = captured + 1 where customer_id = 'ada'", DIFFER),
        ("update orders set captured = 1 where customer_id = 'dan'", DIFFER),
        ("update orders set refunded = 100 where customer_id = 'ada'", DIFFER),
        ("update order_lines l set cancelled = 1 from orders o where o.order_id = l.order_id and total = 200", DIFFER),
        ("update orders set refunded = 299 where customer_id = 'cyd'", KEPT),
        ("update orders set captured = 100 where customer_id = 'bob'", KEPT),
        ("update orders set payment = 'authorised' where customer_id = 'bob'", HELD),
        ("update orders set total = total + 1 where customer_id = 'ada'", "orders, each at its lines' accepted prices"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_found(paid: Shop, db: Connection, wrong: str, what: str) -> None:
    transaction = db.transaction()
    await transaction.start()
    await db.execute(wrong)
    statements = await _breaches_of_open_transaction(db)
    await transaction.rollback()
    assert statements.get(what) == 1, statements


async def _breaches_of_open_transaction(db: Connection) -> dict[str, int]:
    """Ask the audit's own questions inside the transaction that is wrong."""
    from db.audit import questions

    figures = [await questions._priced(db), *await questions._money(db)]
    return {figure.what: figure.breaches for figure in figures if figure.breaches}


async def test_an_order_that_nobody_will_move_is_found(paid: Shop, db: Connection) -> None:
    orphans = "rows without their order, orders without their rows"
    (order_id,) = await paid.buy("eve", lamp=1)
    await paid.drain()
    await db.execute("update reservations set expires_at = now(), attempts = 1")
    async with db.transaction():
        await transitions.release_many(db, [order_id], void_after_s=600)
    assert (await _figures(db))[orphans] == (0, 0), "its money is still to be let go"
    await db.execute("update payment_operations set state = 'done', finished_at = now() where state = 'due'")
    assert (await _figures(db))[orphans] == (1, 1)
    await money.queue_voids(db, [order_id])
    await paid.money()
    assert await paid.statuses([order_id]) == ["cancelled:hold_expired"]


async def test_what_is_under_way_is_no_breach(paid: Shop, db: Connection) -> None:
    order_id = await db.fetchval("select order_id from orders where customer_id = 'ada'")
    await transitions.transition(db, order_id, Status.CANCELLED)
    found = await _figures(db)
    assert found["of these: with something still to do there"] == (1, 0)
    assert sum(breaches for _, breaches in found.values()) == 0
    await paid.money()


@pytest.fixture
async def listed(shop: Shop) -> SimulatedGateway:
    await shop.stock(lamp=50)
    await shop.open_sale("lamp")
    books = PostgresBooks(shop.settings.database_url.get_secret_value(), timeout_s=5)
    gateway = SimulatedGateway(books, everything=True)
    ids = await shop.buy("ada", "bob", lamp=2) + await shop.buy("cyd", lamp=1, token="decline")
    await shop.drain()
    await shop.settle(gateway)
    await transitions.transition(shop.db, ids[1], Status.CANCELLED)
    await shop.money(gateway)
    return gateway


async def _contradicted(db: Connection, gateway: SimulatedGateway) -> int:
    figures = await provider_figures(db, gateway, 24)
    assert figures[0].value == await db.fetchval("select count(*) from simulated_payments")
    return figures[-1].breaches


async def test_the_providers_list_agrees(listed: SimulatedGateway, db: Connection) -> None:
    assert await _contradicted(db, listed) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        "update simulated_payments set refunded = 0",
        "delete from simulated_payments where refunded = 0 and captured > 0",
        "update simulated_payments set status = 'authorised' where status = 'declined'",
    ],
    ids=["the provider gave nothing back", "the provider took nothing", "the provider holds what we hold declined"],
)
async def test_where_the_providers_list_contradicts_orders_it_is_found(
    listed: SimulatedGateway, db: Connection, wrong: str
) -> None:
    await db.execute(wrong)
    assert await _contradicted(db, listed) == 1


async def test_a_payment_of_no_order_is_found(listed: SimulatedGateway, db: Connection) -> None:
    book = simulated_books.Book("captured", 100, "EUR", True, captured=100)
    await simulated_books.open_book(db, UUID(int=7), book, turns_after_s=None)
    assert await _contradicted(db, listed) == 1


@pytest.mark.parametrize(
    ("known", "payment", "expected"),
    [
        (("confirmed", 100, 0, False), ProviderPayment(ProviderStatus.CAPTURED, 100, 100), False),
        (("confirmed", 100, 0, False), ProviderPayment(ProviderStatus.CAPTURED, 100, 100, 100), True),
        (("confirmed", 100, 0, True), ProviderPayment(ProviderStatus.CAPTURED, 100, 100, 100), False),
        (("confirmed", 0, 0, False), ProviderPayment(ProviderStatus.AUTHORISED, 100), False),
        (("confirmed", 100, 0, False), NOTHING, True),
        (("cancelled", 0, 0, False), ProviderPayment(ProviderStatus.AUTHORISED, 100), True),
        (("cancelled", 0, 0, False), ProviderPayment(ProviderStatus.REQUIRES_ACTION), True),
        (("cancelled", 0, 0, False), ProviderPayment(ProviderStatus.VOIDED), False),
        (("pending", 0, 0, False), ProviderPayment(ProviderStatus.CAPTURED, 100, 100), False),
        (None, ProviderPayment(ProviderStatus.CAPTURED, 100, 100), True),
        (None, ProviderPayment(ProviderStatus.CAPTURED, 100, 100, 100), False),
    ],
)
def test_what_contradicts(known: tuple[str, int, int, bool] | None, payment: ProviderPayment, expected: bool) -> None:
    order = None if known is None else KnownMoney(UUID(int=1), *known)
    assert differs(order, payment) is expected
