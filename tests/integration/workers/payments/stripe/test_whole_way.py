"""The whole way with Stripe: real processes, a stand-in for Stripe, and its callbacks twice, late and out of order."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from tests.fixtures.callbacks import STRIPE_SECRET, signed_as_stripe, stripe_event
from tests.fixtures.stripe_server import ACTION, API_KEY, DECLINED, VISA, StripeServer
from tests.fixtures.up import Running, doorbuster, instance
from tests.fixtures.waiting import wait_until

_keys = itertools.count()


@pytest.fixture(scope="module")
def shop(stripe_process: StripeServer) -> Iterator[Running]:
    """An instance whose payments are Stripe's, with a sale for each way of taking money."""
    stripe_process.http.post("/_clear").raise_for_status()
    with instance(env=told(stripe_process)) as running:
        lamp = {"name": "Lamp", "brand": "Lux", "category": "Light", "price": 4900, "currency": "EUR"}
        running.ops.put("/ops/products/lamp", json=lamp).raise_for_status()
        running.ops.post("/ops/products/lamp/stock", json={"receive": 100}).raise_for_status()
        for sale_id, mode, hold_s in (
            ("capture", "capture", 600),
            ("authorise", "authorise", 600),
            ("short", "capture", 3),
        ):
            sale = {"sale_id": sale_id, "products": [{"product_id": "lamp"}], "payment": mode, "hold_s": hold_s}
            running.ops.post("/ops/sales", json=sale).raise_for_status()
        yield running


def told(server: StripeServer) -> dict[str, str]:
    """Return the settings of whoever asks the stand-in."""
    return {
        "PAYMENT_PROVIDER": "stripe", "STRIPE_API_KEY": API_KEY, "STRIPE_API_BASE": server.base,
        "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET, "PAYMENT_TIMEOUT_S": "10", "PAYMENT_RETRY_S": "0.5",
    }  # fmt: skip


def order(shop: Running, token: str | None = VISA, *, sale: str = "capture", quantity: int = 1) -> str:
    body: dict[str, Any] = {"customer_id": "ada", "lines": [{"product_id": "lamp", "quantity": quantity}]}
    if token is not None:
        body["payment"] = {"token": token}
    headers = {"Idempotency-Key": f"cart-{next(_keys)}"}

    def accepted() -> str | None:
        answer = shop.http.post(f"/sales/{sale}/orders", json=body, headers=headers)
        return answer.json()["order_id"] if answer.status_code == 202 else None

    taken = wait_until(accepted, what="the order to be accepted")
    assert taken is not None
    return taken


def intents(server: StripeServer, *order_ids: str) -> list[dict[str, Any]]:
    """Return what the stand-in has of these orders."""
    return [one for one in server.intents() if one["metadata"].get("order_id") in order_ids]


def shown(shop: Running, order_id: str) -> dict[str, Any]:
    view: dict[str, Any] = shop.http.get(f"/orders/{order_id}").json()
    return view


def becomes(shop: Running, order_id: str, status: str, payment: str, *, within_s: float = 20) -> dict[str, Any]:
    def as_wanted() -> dict[str, Any] | None:
        view = shown(shop, order_id)
        return view if (view["status"], view["payment"]["status"]) == (status, payment) else None

    seen = wait_until(as_wanted, within_s=within_s, what=f"{order_id} to be {status}, {payment}")
    assert seen is not None
    return seen


def tell(shop: Running, order_id: str, kind: str) -> httpx.Response:
    body = stripe_event(order_id, kind)
    return shop.http.post("/payments/stripe/events", content=body, headers=signed_as_stripe(body))


def test_a_card_is_charged_and_the_order_confirmed(shop: Running, stripe_process: StripeServer) -> None:
    order_id = order(shop)
    view = becomes(shop, order_id, "confirmed", "captured")
    assert (view["total"], view["payment"]["captured"]) == (4_900, 4_900)
    (intent,) = intents(stripe_process, order_id)
    assert (intent["amount_received"], intent["metadata"]) == (4_900, {"order_id": order_id})


def test_a_declined_card_cancels(shop: Running, stripe_process: StripeServer) -> None:
    view = becomes(shop, order(shop, DECLINED), "cancelled", "failed")
    assert view["reason"] == "payment_declined"


def test_a_charge_whose_reply_was_lost_is_made_once(shop: Running, stripe_process: StripeServer) -> None:
    stripe_process.fault("lose", times=2)
    order_id = order(shop)
    becomes(shop, order_id, "confirmed", "captured")
    assert [one["amount_received"] for one in intents(stripe_process, order_id)] == [4_900]


def test_a_shopper_acts_and_the_callback_has_it_confirmed(shop: Running, stripe_process: StripeServer) -> None:
    order_id = order(shop, ACTION)
    view = becomes(shop, order_id, "pending", "requires_action")
    action = view["payment"]["next_action"]
    assert action["type"] == "use_stripe_sdk"
    reference, _, _ = action["client_secret"].partition("_secret_")
    for early in ("payment_intent.succeeded", "payment_intent.canceled", "payment_intent.payment_failed"):
        assert tell(shop, order_id, early).status_code == 200
    stripe_process.act(reference, action["client_secret"])
    for _ in range(5):
        assert tell(shop, order_id, "payment_intent.succeeded").status_code == 200
    view = becomes(shop, order_id, "confirmed", "captured")
    for late in ("payment_intent.payment_failed", "payment_intent.requires_action", "payment_intent.canceled"):
        assert tell(shop, order_id, late).status_code == 200
    _all_looked_up(shop, order_id)
    after = shown(shop, order_id)
    assert (after["status"], after["payment"], after["history"]) == ("confirmed", view["payment"], view["history"])
    assert "next_action" not in after["payment"]


def test_a_cancelled_orders_money_is_given_back(shop: Running, stripe_process: StripeServer) -> None:
    order_id = order(shop)
    becomes(shop, order_id, "confirmed", "captured")
    assert shop.http.post(f"/orders/{order_id}/cancel").status_code == 200
    view = becomes(shop, order_id, "cancelled", "refunded")
    assert view["payment"]["refunded"] == 4_900
    (intent,) = intents(stripe_process, order_id)
    assert intent["latest_charge"]["amount_refunded"] == 4_900
    assert tell(shop, order_id, "payment_intent.succeeded").status_code == 200
    _all_looked_up(shop, order_id)
    assert shown(shop, order_id)["payment"] == view["payment"]


def test_money_is_taken_parcel_by_parcel(shop: Running, stripe_process: StripeServer) -> None:
    order_id = order(shop, sale="authorise", quantity=3)
    view = becomes(shop, order_id, "confirmed", "authorised")
    assert view["payment"]["authorised"] == 14_700
    for quantity, taken in ((1, 4_900), (2, 14_700)):
        parcel = {"lines": [{"line": 1, "quantity": quantity}]}
        shop.ops.post(f"/ops/orders/{order_id}/shipments", json=parcel).raise_for_status()
        wait_until(lambda: shown(shop, order_id)["payment"].get("captured") == taken, what="the capture")  # noqa: B023
    (intent,) = intents(stripe_process, order_id)
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 14_700)


def test_what_was_held_for_a_cancelled_order_is_let_go(shop: Running, stripe_process: StripeServer) -> None:
    order_id = order(shop, sale="authorise")
    becomes(shop, order_id, "confirmed", "authorised")
    assert shop.http.post(f"/orders/{order_id}/cancel").status_code == 200
    becomes(shop, order_id, "cancelled", "voided")
    assert [one["status"] for one in intents(stripe_process, order_id)] == ["canceled"]


def test_while_stripe_is_away_orders_wait_and_go_on_by_themselves(shop: Running, stripe_process: StripeServer) -> None:
    stripe_process.fault("refuse", ".*", times=12)
    waiting = [order(shop) for _ in range(5)]
    for order_id in waiting:
        becomes(shop, order_id, "confirmed", "captured", within_s=60)
    assert [one["amount_received"] for one in intents(stripe_process, *waiting)] == [4_900] * 5


def test_what_stripe_takes_no_more_of_is_asked_for_later(shop: Running, stripe_process: StripeServer) -> None:
    stripe_process.fault("429", "POST /v1/payment_intents", times=2)
    waiting = [order(shop) for _ in range(3)]
    for order_id in waiting:
        becomes(shop, order_id, "confirmed", "captured", within_s=60)
    assert [one["amount_received"] for one in intents(stripe_process, *waiting)] == [4_900] * 3


def test_a_hold_that_ends_while_replies_are_lost_costs_nobody(shop: Running, stripe_process: StripeServer) -> None:
    stripe_process.fault("lose", times=4)
    order_id = order(shop, sale="short")

    def ended() -> dict[str, Any] | None:
        view = shown(shop, order_id)
        return view if view["status"] != "pending" and view["payment"]["status"] in ("captured", "refunded") else None

    view = wait_until(ended, within_s=60, what="the order to be paid and served, or neither")
    (intent,) = intents(stripe_process, order_id)
    kept = intent["amount_received"] - intent["latest_charge"]["amount_refunded"]
    assert view is not None
    assert (view["status"], kept) in (("confirmed", 4_900), ("cancelled", 0))


def test_every_promise_holds_at_the_end_and_stripe_says_the_same(shop: Running, stripe_process: StripeServer) -> None:
    becomes(shop, order(shop), "confirmed", "captured")

    def holds() -> bool:
        return doorbuster("audit", "--data", shop.data).returncode == 0

    wait_until(holds, within_s=30, what="the audit to find nothing")
    compared = doorbuster("audit", "--provider", "--json", "--data", shop.data, env=told(stripe_process))
    figures = {one["what"]: one for one in json.loads(compared.stdout)["figures"]}
    assert figures["payments in the provider's list"]["value"] == len(stripe_process.intents()) > 0
    assert figures["orders that the provider's list contradicts"]["breaches"] == 0


def _all_looked_up(shop: Running, order_id: str) -> None:
    """Wait until Stripe was asked for what it has of the order, and nothing is left to be asked."""

    async def states() -> list[str]:
        connection = await asyncpg.connect(shop.ready["urls"]["database"])
        try:
            asked = "select state from payment_operations where order_id = $1 and kind = 'look_up'"
            return [row["state"] for row in await connection.fetch(asked, UUID(order_id))]
        finally:
            await connection.close()

    wait_until(lambda: set(asyncio.run(states())) == {"done"}, what="the look-ups to be done")
