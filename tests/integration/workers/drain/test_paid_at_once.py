"""Orders whose payment is answered at once are confirmed by the drain; all others are left to the settling."""

from __future__ import annotations

import pytest

from db.sales import SaleProduct
from tests.fixtures.shop import Shop
from workers.payments.gateway import GatewayDownError, PaymentRequest, ProviderPayment
from workers.payments.providers import gateway_at_once
from workers.payments.simulated import SimulatedGateway

BOOK = "select payment::text, authorised, captured from orders where order_id = $1"


class AwayGateway(SimulatedGateway):
    """Would answer at once, and is away."""

    async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
        raise GatewayDownError(f"away for {payment.order_id}")


@pytest.mark.parametrize(
    ("mode", "kept"),
    [("capture", ("captured", None, 200)), ("authorise", ("authorised", 200, None)), ("none", (None, None, None))],
)
async def test_what_is_paid_when_it_is_drained_is_confirmed_with_it(
    shop: Shop, mode: str, kept: tuple[str | None, int | None, int | None]
) -> None:
    await shop.stock(lamp=4)
    await shop.open_sale("lamp", payment=mode)
    ids = await shop.buy("ada", "bob", "cyd", token="tok_visa", lamp=2)
    await shop.drain(gateway=SimulatedGateway())
    assert await shop.statuses(ids) == ["confirmed", "confirmed", "cancelled:sold_out"]
    assert [tuple(await shop.db.fetchrow(BOOK, one) or ()) for one in ids] == [kept, kept, (None, None, None)]
    assert await shop.db.fetchval("select count(*) from reservations") == 0
    told = await shop.db.fetch("select seq, status::text from order_events where order_id = $1 order by seq", ids[0])
    assert [tuple(row) for row in told] == [(1, "pending"), (2, "confirmed")]


async def test_the_same_is_kept_of_an_order_whichever_shift_confirms_it(shop: Shop) -> None:
    """Column by column: what comes after an order's confirmation must not depend on who confirmed it."""
    for mode in ("capture", "authorise"):
        await shop.stock(lamp=4)
        await shop.open_sale("lamp", payment=mode)
        (first,) = await shop.buy("ada", token="tok_visa", lamp=2)
        await shop.drain()
        await shop.settle()
        (second,) = await shop.buy("bob", token="tok_visa", lamp=2)
        await shop.drain(gateway=SimulatedGateway())
        rows = [
            dict(await shop.db.fetchrow("select * from orders where order_id = $1", one)) for one in (first, second)
        ]
        differing = {name for name in rows[0] if rows[0][name] != rows[1][name]}
        own = {"order_id", "customer_id", "fingerprint", "accepted_at", "updated_at", "entry_seq"}
        assert differing - own == set()


@pytest.mark.parametrize("token", ["tok_decline", "slow:1", "action", "late", "flaky", "card:A", "down", "429"])
async def test_what_is_not_paid_at_once_is_held_for_the_settling(shop: Shop, token: str) -> None:
    await shop.stock(lamp=4)
    await shop.open_sale("lamp")
    held, paid = await shop.buy("ada", token=token, lamp=2) + await shop.buy("bob", lamp=2)
    await shop.drain(gateway=SimulatedGateway())
    assert await shop.statuses([held, paid]) == ["pending", "confirmed"]
    assert await shop.db.fetchval("select order_id from reservations") == held


async def test_where_the_books_hold_everything_nothing_is_paid_before_it_is_sure(shop: Shop) -> None:
    """What leaves something behind at the provider is asked for after the commit alone."""
    await shop.stock(lamp=4)
    await shop.open_sale("lamp")
    ids = await shop.buy("ada", lamp=2)
    await shop.drain(gateway=SimulatedGateway(everything=True))
    assert await shop.statuses(ids) == ["pending"]


async def test_a_gateway_that_fails_leaves_the_order_to_the_settling(shop: Shop) -> None:
    await shop.stock(lamp=4)
    await shop.open_sale("lamp")
    ids = await shop.buy("ada", lamp=2)
    await shop.drain(gateway=AwayGateway())
    assert await shop.statuses(ids) == ["pending"]
    await shop.settle()
    assert await shop.statuses(ids) == ["confirmed"]


async def test_where_cards_are_counted_each_is_named_before_money_is_taken(shop: Shop) -> None:
    await shop.stock(lamp=4)
    await shop.open_sale(SaleProduct(product_id="lamp", limit_card=2))
    ids = await shop.buy("ada", lamp=2)
    await shop.drain(gateway=SimulatedGateway())
    assert await shop.statuses(ids) == ["pending"]


async def test_what_costs_nothing_is_confirmed_whoever_the_provider_is(shop: Shop) -> None:
    await shop.stock(lamp=4)
    await shop.open_sale(SaleProduct(product_id="lamp", price=0))
    ids = await shop.buy("ada", lamp=2)
    await shop.drain(gateway=AwayGateway())
    assert await shop.statuses(ids) == ["confirmed"]
    assert tuple(await shop.db.fetchrow(BOOK, ids[0]) or ()) == (None, None, None)


async def test_an_order_that_comes_again_is_paid_once(shop: Shop) -> None:
    await shop.stock(lamp=9)
    await shop.open_sale("lamp")
    ids = await shop.buy("ada", "ada", "bob", lamp=2)
    await shop.drain(gateway=SimulatedGateway())
    await shop.buy("bob", lamp=2)
    await shop.drain(gateway=SimulatedGateway())
    assert await shop.statuses(ids) == ["confirmed"] * 3
    assert await shop.db.fetchval("select sum(captured) from orders") == 400
    assert await shop.ledger("lamp") == (5, 4, 0)


def test_a_provider_that_never_answers_at_once_is_not_needed_by_the_drain(shop: Shop) -> None:
    """So its keys, its package and its failures are no concern of a drain."""
    assert gateway_at_once(shop.settings.model_copy(update={"payment_provider": "stripe"}), 1) is None
