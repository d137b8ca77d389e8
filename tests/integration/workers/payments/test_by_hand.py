"""Orders that ops confirm by hand: what becomes of their money, and what the audit says after each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from db.orders.states import Status
from db.orders.transitions import HandTerms, transition
from doorbuster.errors import InvalidError, PaymentOpenError
from tests.fixtures.paying import end_action, gateway_with_books, money_of

if TYPE_CHECKING:
    from uuid import UUID

    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop

ELSEWHERE = HandTerms(paid_elsewhere=True, payment_s=0.0)


@pytest.fixture
async def lamp_sale(shop: Shop) -> Shop:
    await shop.stock(lamp=10)
    await shop.open_sale("lamp")
    return shop


async def elsewhere(shop: Shop) -> int:
    """Return how many orders the audit counts as paid elsewhere, having found no breach."""
    assert await shop.breaches() == []
    count: int = await shop.db.fetchval("select count(*) from orders where paid_elsewhere")
    return count


async def ask(shop: Shop, token: str | None) -> UUID:
    """Return an order that was drained, and whose payment was asked for if it has a token."""
    (order_id,) = await shop.buy("ada", lamp=1, token=token)
    await shop.drain()
    if token is not None:
        await shop.settle(gateway_with_books(shop))
    return order_id


async def test_an_open_payment_is_not_confirmed_by_hand_without_a_word(lamp_sale: Shop, db: Connection) -> None:
    order_id = await ask(lamp_sale, "action")
    with pytest.raises(PaymentOpenError) as refused:
        await transition(db, order_id, Status.CONFIRMED, reason="please")
    assert refused.value.context == {"payment": "requires_action"}
    assert await lamp_sale.statuses([order_id]) == ["pending"]
    assert await elsewhere(lamp_sale) == 0


async def test_what_is_paid_elsewhere_is_let_go_at_the_provider(lamp_sale: Shop, db: Connection) -> None:
    order_id = await ask(lamp_sale, "action")
    await transition(db, order_id, Status.CONFIRMED, reason="paid in cash", terms=ELSEWHERE)
    assert await elsewhere(lamp_sale) == 1
    await lamp_sale.money()
    assert not await end_action(db, order_id, succeeds=True), "it is voided"
    assert await lamp_sale.statuses([order_id]) == ["confirmed:paid in cash"]
    assert await money_of(db, order_id) == ("voided", None, None, None)
    assert await elsewhere(lamp_sale) == 1
    for to in (Status.PROCESSING, Status.SHIPPED, Status.DELIVERED):
        await transition(db, order_id, to)
    await lamp_sale.money()
    assert (await lamp_sale.statuses([order_id]))[0].startswith("delivered")
    assert await elsewhere(lamp_sale) == 1


async def test_what_the_shopper_paid_meanwhile_goes_back(lamp_sale: Shop, db: Connection) -> None:
    order_id = await ask(lamp_sale, "action")
    assert await end_action(db, order_id, succeeds=True)
    await transition(db, order_id, Status.CONFIRMED, reason="paid in cash", terms=ELSEWHERE)
    await lamp_sale.money()
    await lamp_sale.money()
    assert await money_of(db, order_id) == ("refunded", None, 100, 100)
    assert (await lamp_sale.statuses([order_id]))[0].startswith("confirmed")
    assert await elsewhere(lamp_sale) == 1
    for to in (Status.PROCESSING, Status.SHIPPED, Status.DELIVERED):
        await transition(db, order_id, to)
    assert (await lamp_sale.statuses([order_id]))[0].startswith("delivered"), "nobody gave its own money back"
    assert await elsewhere(lamp_sale) == 1


async def test_an_order_nobody_was_asked_about_is_confirmed_on_a_word(lamp_sale: Shop, db: Connection) -> None:
    order_id = await ask(lamp_sale, None)
    await transition(db, order_id, Status.CONFIRMED)
    assert await elsewhere(lamp_sale) == 0
    await transition(db, order_id, Status.CANCELLED)
    await lamp_sale.money()
    assert await lamp_sale.breaches() == []


async def test_an_unknown_outcome_is_asked_for_when_it_is_confirmed_by_hand(lamp_sale: Shop, db: Connection) -> None:
    order_id = await ask(lamp_sale, "late:0")
    await transition(db, order_id, Status.CONFIRMED)
    await lamp_sale.money()
    assert await money_of(db, order_id) == ("captured", None, 100, None)
    assert await lamp_sale.breaches() == []


async def test_the_audit_sees_money_kept_of_an_order_paid_elsewhere(lamp_sale: Shop, db: Connection) -> None:
    """Negative control."""
    order_id = await ask(lamp_sale, None)
    await transition(db, order_id, Status.CONFIRMED, reason="cash", terms=ELSEWHERE)
    await lamp_sale.money()
    await db.execute("update orders set payment = 'captured', captured = 100")
    assert await lamp_sale.breaches() == ["P12 orders whose money is not what their lines cost: 1"]
    await db.execute("update orders set payment = 'voided', captured = null")


async def test_where_nothing_is_to_be_paid_nothing_is_paid_elsewhere(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=1)
    await shop.open_sale("lamp")
    order_id = await ask(shop, None)
    await db.execute("update sales set payment = 'none'")
    with pytest.raises(InvalidError):
        await transition(db, order_id, Status.CONFIRMED, reason="cash", terms=ELSEWHERE)
