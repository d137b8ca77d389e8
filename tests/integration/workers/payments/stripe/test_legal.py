"""Every call that the gateway makes, as it goes over the wire, is one that Stripe's API has and takes.

Checked against what Stripe's own package declares; and against stripe-mock too, which checks by the whole of Stripe's
OpenAPI document, where it is installed (`go install github.com/stripe/stripe-mock@latest`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import stripe
from stripe import params

from doorbuster.ports import reserve
from tests.fixtures.legal import parameters_of, problems
from tests.fixtures.stripe_server import ACTION, API_KEY, StripeServer
from tests.fixtures.waiting import wait_until
from workers.payments.gateway import OutcomeUnknownError, PaymentRequest

DECLARED: dict[str, Any] = {
    r"POST /v1/payment_intents": params.PaymentIntentCreateParams,
    r"GET /v1/payment_intents": params.PaymentIntentListParams,
    r"GET /v1/payment_intents/search": params.PaymentIntentSearchParams,
    r"GET /v1/payment_intents/pi_\w+": params.PaymentIntentRetrieveParams,
    r"POST /v1/payment_intents/pi_\w+/capture": params.PaymentIntentCaptureParams,
    r"POST /v1/payment_intents/pi_\w+/cancel": params.PaymentIntentCancelParams,
    r"POST /v1/refunds": params.RefundCreateParams,
    r"GET /v1/refunds": params.RefundListParams,
}
MOCK = shutil.which("stripe-mock") or shutil.which("stripe-mock", path=str(Path.home() / "go" / "bin"))


@pytest.fixture
async def recorded(stripe_server: StripeServer) -> list[dict[str, str]]:
    """Every verb, in all its forms, as it came to the stand-in."""
    gateway = stripe_server.gateway()
    now = datetime.now(UTC)
    for token in ("pm_card_visa", "ctoken_card_visa", ACTION, None):
        for capture in (True, False):
            payment = PaymentRequest(uuid4(), 1_000, "KWD", token, capture=capture, since=now)
            answer = await gateway.authorise(payment)
            known, key = payment._replace(reference=answer.reference, attempts=1), f"{payment.order_id}:capture:"
            await gateway.look_up(known)
            if token == "pm_card_visa" and not capture:
                await gateway.capture(known, 300, key=f"{key}1", final=False)
                await gateway.refund(known, 100, key=f"{key}2")
            await gateway.void(known, key=f"{payment.order_id}:void:3")
    lost = PaymentRequest(uuid4(), 1_000, "EUR", "pm_card_visa", since=now - timedelta(days=2))
    stripe_server.fault("lose")
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorise(lost)
    await gateway.void(lost, key=f"{lost.order_id}:void:1")
    await gateway.void(lost._replace(order_id=uuid4()), key="k")
    _ = [one async for one in gateway.list(now - timedelta(hours=1))]
    await gateway.close()
    return stripe_server.recorded()


def declared_for(call: str) -> Any:
    return next((one for pattern, one in DECLARED.items() if re.fullmatch(pattern, call)), None)


def test_every_call_is_declared_with_all_its_parameters(recorded: list[dict[str, str]]) -> None:
    assert {declared_for(one["call"]) for one in recorded} == set(DECLARED.values())
    for one in recorded:
        told = parameters_of(one["query"] or one["body"])
        assert list(problems(told, declared_for(one["call"]))) == [], one


def test_stripe_is_told_nothing_of_how_we_do() -> None:
    assert stripe.enable_telemetry is False


@pytest.mark.parametrize(
    ("call", "form"),
    [
        ("POST /v1/payment_intents", "amount=1&currency=eur&capture_metod=manual"),
        ("POST /v1/payment_intents", "amount=1&currency=eur&capture_method=slowly"),
        ("POST /v1/payment_intents", "amount=one&currency=eur"),
        ("POST /v1/payment_intents", "currency=eur"),
        ("POST /v1/payment_intents/pi_1/capture", "amount_to_capture=1&final_capture=perhaps"),
        ("POST /v1/refunds", "payment_intent=pi_1&reason=because"),
        ("GET /v1/payment_intents", "created[after]=1"),
    ],
)
def test_what_is_not_legal_is_found(call: str, form: str) -> None:
    assert len(list(problems(parameters_of(form), declared_for(call)))) == 1


if MOCK is not None:

    @pytest.fixture(scope="module")
    def mock() -> Iterator[httpx.Client]:
        """stripe-mock, which keeps nothing and checks everything, on this machine alone."""
        port, other = reserve(), reserve()
        command = [str(MOCK), "-http-addr", f"127.0.0.1:{port}", "-https-addr", f"127.0.0.1:{other}"]
        base = f"http://127.0.0.1:{port}"
        with (
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
            httpx.Client(base_url=base, auth=(API_KEY, ""), timeout=20, trust_env=False) as client,
        ):

            def listens() -> bool:
                try:
                    return client.get("/v1/payment_intents").is_success
                except httpx.TransportError:
                    return False

            wait_until(listens, what="stripe-mock")
            yield client
            process.kill()

    FORM = {"Content-Type": "application/x-www-form-urlencoded"}

    def test_stripe_mock_takes_every_call(recorded: list[dict[str, str]], mock: httpx.Client) -> None:
        for one in recorded:
            method, _, path = one["call"].partition(" ")
            answer = mock.request(method, f"{path}?{one['query']}", content=one["body"], headers=FORM)
            assert answer.status_code == 200, (one, answer.text)

    def test_stripe_mock_refuses_what_is_not_legal(mock: httpx.Client) -> None:
        form = "amount=1&currency=eur&capture_metod=manual"
        assert mock.post("/v1/payment_intents", content=form, headers=FORM).status_code == 400
