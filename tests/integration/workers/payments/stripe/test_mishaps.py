"""What goes wrong between us and Stripe costs nobody money: lost replies, silence, keys that were forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.fixtures.stripe_server import ACTION, API_KEY, DECLINED, NO_PARTS, VISA, StripeServer
from workers.payments.gateway import (
    GatewayDownError,
    OutcomeUnknownError,
    PaymentRefusedError,
    PaymentRequest,
    ProviderStatus,
    RateLimitedError,
)
from workers.payments.stripe.gateway import StripeGateway

INTENTS = "POST /v1/payment_intents"
ONE = r"/v1/payment_intents/\w+"


@pytest.fixture
async def gateway(stripe_server: StripeServer) -> AsyncIterator[StripeGateway]:
    gateway = stripe_server.gateway()
    yield gateway
    await gateway.close()


def payment(token: str | None = VISA, *, capture: bool = True, age: timedelta = timedelta()) -> PaymentRequest:
    return PaymentRequest(uuid4(), 1_000, "EUR", token, capture=capture, since=datetime.now(UTC) - age)


async def held(gateway: StripeGateway) -> PaymentRequest:
    """Return a payment that is held, as the shifts know it from then on."""
    asked = payment(capture=False)
    return asked._replace(reference=(await gateway.authorise(asked)).reference, attempts=1)


# Lost replies: done once, and heard by asking again.


@pytest.mark.parametrize("does", ["lose", "500"])
async def test_an_authorisation_without_a_reply_is_made_once(
    stripe_server: StripeServer, gateway: StripeGateway, does: str
) -> None:
    asked = payment()
    stripe_server.fault(does, times=2)
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError):
            await gateway.authorise(asked)
    assert (await gateway.authorise(asked)).captured == 1_000
    assert len(stripe_server.intents()) == 1


async def test_without_the_orders_id_as_key_it_is_made_twice(
    stripe_server: StripeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    monkeypatch.setattr("workers.payments.stripe.gateway._under", lambda _: {"idempotency_key": str(uuid4())})
    gateway, asked = stripe_server.gateway(), payment()
    stripe_server.fault("lose")
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorise(asked)
    await gateway.authorise(asked)
    await gateway.close()
    assert [one["amount_received"] for one in stripe_server.intents()] == [1_000, 1_000]


async def test_a_lost_capture_is_made_once(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    asked = await held(gateway)
    stripe_server.fault("lose", f"POST {ONE}/capture")
    with pytest.raises(OutcomeUnknownError):
        await gateway.capture(asked, 400, key=f"{asked.order_id}:capture:1", final=False)
    answer = await gateway.capture(asked, 400, key=f"{asked.order_id}:capture:1", final=False)
    assert (answer.captured, answer.held) == (400, 600)


async def test_a_lost_refund_is_made_once(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    asked = payment()
    await gateway.authorise(asked)
    stripe_server.fault("lose", "POST /v1/refunds")
    with pytest.raises(OutcomeUnknownError):
        await gateway.refund(asked, 400, key=f"{asked.order_id}:refund:1")
    assert (await gateway.refund(asked, 400, key=f"{asked.order_id}:refund:1")).refunded == 400


@pytest.mark.parametrize("path", [f"POST {ONE}/cancel", f"GET {ONE}"])
async def test_a_lost_void_is_known_when_asked_again(
    stripe_server: StripeServer, gateway: StripeGateway, path: str
) -> None:
    asked = await held(gateway)
    stripe_server.fault("lose", path)
    for _ in range(2):
        try:
            answer = await gateway.void(asked, key=f"{asked.order_id}:void:1")
        except OutcomeUnknownError:
            continue
        assert answer.status is ProviderStatus.VOIDED
        return
    raise AssertionError("it was never known")


@pytest.mark.parametrize(
    "path", [INTENTS, f"GET {ONE}", f"POST {ONE}/cancel"], ids=["forestalled", "read", "cancelled"]
)
async def test_a_void_of_the_unknown_that_is_interrupted_anywhere_ends_well(
    stripe_server: StripeServer, gateway: StripeGateway, path: str
) -> None:
    asked = payment(capture=False)
    stripe_server.fault("lose")
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorise(asked)
    stripe_server.fault("lose", path)
    for _ in range(2):
        try:
            answer = await gateway.void(asked, key=f"{asked.order_id}:void:1")
        except OutcomeUnknownError:
            continue
        break
    assert answer.status is ProviderStatus.VOIDED
    assert [one["status"] for one in stripe_server.intents()] == ["canceled"]


async def test_a_payment_that_arrives_after_its_void_is_not_made(
    stripe_server: StripeServer, gateway: StripeGateway
) -> None:
    """It was on its way while we gave it up: its key is used up, and it charges nobody."""
    asked = payment()
    assert (await gateway.void(asked, key=f"{asked.order_id}:void:1")).status is ProviderStatus.VOIDED
    assert (await gateway.authorise(asked)).status is ProviderStatus.VOIDED
    assert [(one["status"], one["amount_received"]) for one in stripe_server.intents()] == [("canceled", 0)]


async def test_what_was_taken_without_a_reply_is_found_by_its_void(
    stripe_server: StripeServer, gateway: StripeGateway
) -> None:
    asked = payment()
    stripe_server.fault("lose")
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorise(asked)
    answer = await gateway.void(asked, key=f"{asked.order_id}:void:1")
    assert (answer.status, answer.captured) == (ProviderStatus.CAPTURED, 1_000)
    again = asked._replace(reference=answer.reference)
    assert (await gateway.refund(again, 1_000, key=f"{asked.order_id}:refund:2")).refunded == 1_000


# What Stripe says while something is under way, or while it is away.


async def test_while_the_first_call_is_under_way_nothing_is_known(
    stripe_server: StripeServer, gateway: StripeGateway
) -> None:
    asked = payment()
    stripe_server.fault("hang")
    hasty = stripe_server.gateway(timeout_s=0.3)
    with pytest.raises(OutcomeUnknownError):
        await hasty.authorise(asked)
    await hasty.close()
    assert (await gateway.authorise(asked)).captured == 1_000
    assert len(stripe_server.intents()) == 1


async def test_a_call_under_way_is_none_that_failed(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    asked = payment()
    stripe_server.fault("409")
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorise(asked)
    stripe_server.fault("lock")
    with pytest.raises(OutcomeUnknownError):
        await gateway.void(asked, key="k")


async def test_too_many_calls(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    stripe_server.fault("429")
    with pytest.raises(RateLimitedError) as caught:
        await gateway.authorise(payment())
    assert caught.value.retry_after_s == 7


async def test_where_nobody_listens_nothing_was_done() -> None:
    gateway = StripeGateway(API_KEY, "http://127.0.0.1:1", timeout_s=5, connections=2)
    with pytest.raises(GatewayDownError):
        await gateway.authorise(payment())
    await gateway.close()


async def test_a_wrong_key_is_no_orders_fault(stripe_server: StripeServer, caplog: pytest.LogCaptureFixture) -> None:
    gateway = StripeGateway("pk_wrong-kind-of-key", stripe_server.base, timeout_s=5, connections=2)
    with pytest.raises(GatewayDownError):
        await gateway.authorise(payment())
    await gateway.close()
    assert "Stripe does not take the key" in caplog.text


async def test_nothing_is_repeated_by_the_client_itself(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    stripe_server.fault("500", times=5)
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorise(payment())
    assert stripe_server.calls() == [INTENTS]


# A day later: Stripe has forgotten the keys.


async def test_a_payment_of_yesterday_is_found_and_voided(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    asked = payment(capture=False, age=timedelta(days=2))
    stripe_server.fault("lose")
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorise(asked)
    stripe_server.forget_keys()
    assert (await gateway.void(asked, key=f"{asked.order_id}:void:1")).status is ProviderStatus.VOIDED
    assert [one["status"] for one in stripe_server.intents()] == ["canceled"]


async def test_a_payment_of_yesterday_is_not_made_again(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    asked = payment(age=timedelta(days=2))
    stripe_server.fault("lose")
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorise(asked)
    stripe_server.forget_keys()
    again = asked._replace(attempts=1)
    assert (await gateway.look_up(again)).captured == 1_000
    assert (await gateway.authorise(again)).captured == 1_000
    assert len(stripe_server.intents()) == 1


async def test_captures_and_refunds_of_yesterday_are_not_made_again(
    stripe_server: StripeServer, gateway: StripeGateway
) -> None:
    asked = await held(gateway)
    for _ in range(2):
        taken = await gateway.capture(asked, 400, key=f"{asked.order_id}:capture:1", final=False)
        assert (taken.captured, taken.held) == (400, 600)
        given = await gateway.refund(asked, 100, key=f"{asked.order_id}:refund:2")
        assert given.refunded == 100
        stripe_server.forget_keys()


async def test_who_only_looks_makes_nothing(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    """The audit knows nothing of an order but its id."""
    asked = payment()
    looked = PaymentRequest(asked.order_id, 0, "XXX", None, attempts=1)
    assert (await gateway.look_up(looked)).status is ProviderStatus.NOTHING
    assert stripe_server.intents() == []
    known = await gateway.authorise(asked)
    assert await gateway.look_up(looked) == known


# Other terms, other hands.


async def test_other_terms_under_the_same_key_are_not_known(
    stripe_server: StripeServer, gateway: StripeGateway
) -> None:
    asked = payment()
    await gateway.authorise(asked)
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorise(asked._replace(total=2_000))
    assert len(stripe_server.intents()) == 1


@pytest.mark.parametrize("capture", [True, False])
async def test_a_sale_that_takes_money_otherwise_now_finds_what_it_took(
    stripe_server: StripeServer, gateway: StripeGateway, capture: bool
) -> None:
    asked = payment(capture=capture)
    stripe_server.fault("lose")
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorise(asked)
    changed = asked._replace(capture=not capture, attempts=1)
    ends = ProviderStatus.CAPTURED if capture else ProviderStatus.AUTHORISED
    assert (await gateway.look_up(changed)).status is ends
    assert (await gateway.void(changed, key="k")).status is (ends if capture else ProviderStatus.VOIDED)


async def test_what_people_do_on_stripes_own_pages_is_seen(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    taken, kept = payment(), await held(gateway)
    reference = (await gateway.authorise(taken)).reference
    assert reference is not None
    assert kept.reference is not None
    stripe_server.refund(reference, 250)
    stripe_server.cancel(kept.reference)
    assert (await gateway.look_up(taken._replace(reference=reference))).refunded == 250
    assert (await gateway.look_up(kept)).status is ProviderStatus.VOIDED


async def test_two_who_void_at_once_both_hear_it(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    asked = await held(gateway)
    keys = (f"{asked.order_id}:void:{n}" for n in range(5))
    answers = await asyncio.gather(*(gateway.void(asked, key=key) for key in keys))
    assert {answer.status for answer in answers} == {ProviderStatus.VOIDED}


# Cards and pages.


async def test_a_token_that_is_none_is_a_decline(gateway: StripeGateway) -> None:
    answer = await gateway.authorise(payment("pm_of_nobody"))
    assert (answer.status, answer.reference) == (ProviderStatus.DECLINED, None)
    assert answer.detail


async def test_a_decline_says_why_and_which(gateway: StripeGateway) -> None:
    answer = await gateway.authorise(payment(DECLINED))
    assert answer.status is ProviderStatus.DECLINED
    assert answer.detail == "Your card was declined."
    assert (answer.reference or "").startswith("pi_")


async def test_a_confirmation_token_is_taken_as_well(gateway: StripeGateway) -> None:
    assert (await gateway.authorise(payment("ctoken_card_visa"))).status is ProviderStatus.CAPTURED


async def test_without_a_token_the_page_confirms(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    answer = await gateway.authorise(payment(None))
    assert answer.status is ProviderStatus.REQUIRES_ACTION
    assert answer.next_action is not None
    assert answer.next_action["type"] == "confirm"
    assert answer.next_action["client_secret"].startswith(f"{answer.reference}_secret_")


async def test_a_shopper_who_must_act_is_told_how(gateway: StripeGateway) -> None:
    answer = await gateway.authorise(payment(ACTION))
    assert answer.next_action == {"type": "use_stripe_sdk", "client_secret": answer.next_action["client_secret"]}  # type: ignore[index]


async def test_a_card_that_cannot_be_captured_in_parts_says_so(gateway: StripeGateway) -> None:
    asked = payment(NO_PARTS, capture=False)
    asked = asked._replace(reference=(await gateway.authorise(asked)).reference)
    with pytest.raises(PaymentRefusedError, match="in parts"):
        await gateway.capture(asked, 400, key=f"{asked.order_id}:capture:1", final=False)
    answer = await gateway.capture(asked, 400, key=f"{asked.order_id}:capture:2", final=True)
    assert (answer.status, answer.captured, answer.refunded) == (ProviderStatus.CAPTURED, 400, 0)


async def test_the_list_goes_past_its_first_page(stripe_server: StripeServer, gateway: StripeGateway) -> None:
    orders = {(await held(gateway)).order_id for _ in range(8)}
    found = [one.order_id async for one in gateway.list(datetime.now(UTC) - timedelta(minutes=1))]
    assert len(found) == 8
    assert set(found) == orders
