"""The order's page shows what became of each unit, its parcels, what is given back and what the shopper must do."""

from __future__ import annotations

import json
import re
from uuid import UUID

import pytest

from intake.pages.render import Pages
from tests.fixtures.fulfilment import Fulfilment

LANGUAGES = sorted(Pages(None).texts)


async def page_of(fulfilment: Fulfilment, language: str = "en") -> str:
    answer = await fulfilment.intake.http.get(
        f"/shop/sale/orders/{fulfilment.order}", headers={"Accept": "text/html", "Accept-Language": language}
    )
    assert answer.status_code == 200, answer.text
    return answer.text


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.partition('id="order"')[2]))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_parcels_and_refunds_are_shown_in_every_language(fulfilment: Fulfilment, language: str) -> None:
    await fulfilment.place()
    await fulfilment.cancel({1: 1})
    await fulfilment.ship({1: 1}, carrier="Post <b>", tracking="T-4711")
    lost = (await fulfilment.ship()).json()["shipment_id"]
    await fulfilment.parcel(lost, status="lost")
    page = await page_of(fulfilment, language)
    assert 'id="parcels"' in page
    assert 'id="refunds"' in page
    shown = text_of(page)
    assert "T-4711" in shown
    assert "Post &lt;b&gt;" in shown
    texts = Pages(None).texts[language]
    for name in ("parcel_shipped", "parcel_lost", "refund_pending", "order_parcels", "order_refunds"):
        assert texts[name] in shown, name
    assert re.findall(r'class="parcel" data-status="(\w+)"', page) == ["shipped", "lost"]


async def test_what_became_of_the_units_of_a_line_is_said(fulfilment: Fulfilment) -> None:
    await fulfilment.place()
    await fulfilment.ship({1: 2})
    await fulfilment.cancel()
    shown = text_of(await page_of(fulfilment))
    assert "2 sent" in shown
    assert "1 cancelled" in shown
    assert "1 refunded" in shown
    assert "Paid: €4.00" in shown


@pytest.mark.parametrize(
    ("payment", "said"),
    [
        ("capture", "It is paid, and the items are yours."),
        ("authorise", "The money is held, and taken when they are sent."),
        ("none", "The items are yours."),
    ],
)
async def test_a_confirmed_order_is_paid_held_or_simply_yours(fulfilment: Fulfilment, payment: str, said: str) -> None:
    await fulfilment.shop.db.execute("update sales set payment = $1::payment_mode", payment)
    await fulfilment.place()
    assert said in text_of(await page_of(fulfilment))


@pytest.mark.parametrize(
    ("action", "link"),
    [
        ({"type": "redirect_to_url", "redirect_to_url": "https://bank.example/3ds?x=1&y=2"}, True),
        ({"type": "redirect_to_url", "redirect_to_url": "javascript:alert(1)"}, False),
        ({"type": "use_stripe_sdk", "client_secret": "s"}, False),
        ([], False),
    ],
)
async def test_the_shopper_is_led_to_confirm_the_payment(fulfilment: Fulfilment, action: object, link: bool) -> None:
    await fulfilment.place(to="pending")
    await fulfilment.shop.db.execute(
        "update orders set payment = 'requires_action', next_action = $2 where order_id = $1",
        UUID(fulfilment.order), json.dumps(action).encode(),
    )  # fmt: skip
    page = await page_of(fulfilment)
    assert "Your bank asks you to confirm the payment. The items are held for you until" in text_of(page)
    assert ('href="https://bank.example/3ds?x=1&amp;y=2"' in page) == link
    assert "javascript:" not in page


async def test_an_order_that_waits_for_units_is_not_called_reserved(fulfilment: Fulfilment) -> None:
    lines = [{"product_id": "rug", "quantity": 11}]
    answer = await fulfilment.intake.post("sale", lines=lines, standby=True)
    fulfilment.order = answer.raise_for_status().json()["order_id"]
    await fulfilment.shop.drain()
    shown = text_of(await page_of(fulfilment))
    assert "waits for units" in shown
    assert "Waiting for units" in shown
    assert "Reserved for you" not in shown
