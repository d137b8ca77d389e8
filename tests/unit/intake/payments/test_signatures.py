"""Signatures of callbacks, against what the schemes' owners make and print."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
import standardwebhooks
import stripe

from intake.payments.signatures import SignatureInvalidError, check_standard, check_stripe
from tests.fixtures.callbacks import (
    SIMULATED_SECRET,
    STRIPE_SECRET,
    signed_as_standard,
    signed_as_stripe,
    simulated_event,
    stripe_event,
)

NOW = 1_800_000_000.0
BODY = stripe_event("00000100-783a-87a7-ac3d-28c5383a4d5d")


def _stripe(header: str | None, body: bytes = BODY, now: float = NOW, secret: str = STRIPE_SECRET) -> None:
    check_stripe(secret, header, body, now)


def test_what_stripes_own_package_signs_is_right() -> None:
    header = stripe.WebhookSignature.generate_signature_header(BODY.decode(), STRIPE_SECRET)
    _stripe(header, now=time.time())


def test_ours_is_right_for_stripes_own_package() -> None:
    header = signed_as_stripe(BODY)["Stripe-Signature"]
    assert stripe.WebhookSignature.verify_header(BODY.decode(), header, STRIPE_SECRET, tolerance=300)


def test_what_the_package_of_standard_webhooks_signs_is_right_and_ours_for_it() -> None:
    now, signer = datetime.now(UTC), standardwebhooks.Webhook(SIMULATED_SECRET)
    headers = {"webhook-id": "msg_7", "webhook-timestamp": str(int(now.timestamp()))}
    headers["webhook-signature"] = signer.sign("msg_7", now, BODY.decode())
    check_standard(SIMULATED_SECRET, headers, BODY, time.time())
    assert signer.verify(BODY.decode(), signed_as_standard(BODY))


def test_the_vector_of_standard_webhooks() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    check_standard("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", headers, b'{"test": 2432232314}', 1614265330)
    check_standard("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", headers, b'{"test": 2432232314}', 1614265330)


@pytest.mark.parametrize("off_s", [-300, 0, 300])
def test_within_the_tolerance(off_s: int) -> None:
    _stripe(signed_as_stripe(BODY, at=NOW + off_s)["Stripe-Signature"])
    check_standard(SIMULATED_SECRET, signed_as_standard(BODY, at=NOW + off_s), BODY, NOW)


@pytest.mark.parametrize("off_s", [-301, 301, -1_000_000])
def test_too_long_ago_or_ahead(off_s: int) -> None:
    with pytest.raises(SignatureInvalidError):
        _stripe(signed_as_stripe(BODY, at=NOW + off_s)["Stripe-Signature"])
    with pytest.raises(SignatureInvalidError):
        check_standard(SIMULATED_SECRET, signed_as_standard(BODY, at=NOW + off_s), BODY, NOW)


def test_while_a_secret_is_changed_either_signature_is_right() -> None:
    old, new = (signed_as_stripe(BODY, at=NOW, secret=secret)["Stripe-Signature"] for secret in ("old", STRIPE_SECRET))
    _stripe(f"{old},{new.partition(',')[2]}")
    other = signed_as_standard(BODY, at=NOW, secret="whsec_b3RoZXItc2VjcmV0LW9mLW1pbmU=")
    mine = signed_as_standard(BODY, at=NOW)
    both = {"webhook-signature": f"{other['webhook-signature']} v1a,abc {mine['webhook-signature']}"}
    check_standard(SIMULATED_SECRET, mine | both, BODY, NOW)


RIGHT = signed_as_stripe(BODY, at=NOW)["Stripe-Signature"]
STAMP, V1 = RIGHT.split(",")[:2]


@pytest.mark.parametrize(
    "header",
    [
        None, "", ",", "=", "t", "t=", "t=,v1=", STAMP, V1, f"{STAMP},v1=", f"{STAMP},v1", f"{STAMP},v0={V1[3:]}",
        f"t=1,{V1}", f"t=-1800000000,{V1}", f"t= 1800000000,{V1}", f"t=1e9,{V1}", f"t=\uff11800000000,{V1}",
        f"{STAMP},t=1800000001,{V1}", f"{STAMP},{V1[:-1]}", f"{STAMP},{V1}0", f"{STAMP},{V1.upper()}", f"{STAMP},v1=é",
        f"t={'9' * 5000},{V1}", f"{STAMP}," + ",".join(["v1=x"] * 16) + f",{V1}", "x" * 5000, f"{STAMP};{V1}",
        f"{STAMP},v1=\udcff",
    ],
)  # fmt: skip
def test_malformed_signatures_of_stripes_are_wrong(header: str | None) -> None:
    with pytest.raises(SignatureInvalidError):
        _stripe(header)


GOOD = signed_as_standard(BODY, at=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": ""}, {"webhook-id": "msg_2"}, {"webhook-id": "x" * 5000}, {"webhook-id": "é"},
        {"webhook-timestamp": ""}, {"webhook-timestamp": "now"}, {"webhook-timestamp": "1800000001"},
        {"webhook-timestamp": "9" * 5000}, {"webhook-timestamp": "-1800000000"}, {"webhook-timestamp": "1800000000.0"},
        {"webhook-signature": ""}, {"webhook-signature": "v1"}, {"webhook-signature": ","},
        {"webhook-signature": "v1,"}, {"webhook-signature": GOOD["webhook-signature"][3:]},
        {"webhook-signature": "v2" + GOOD["webhook-signature"][2:]}, {"webhook-signature": "v1,é"},
        {"webhook-signature": GOOD["webhook-signature"][:-1]},
        {"webhook-signature": "v1,x " * 16 + GOOD["webhook-signature"]},
    ],
)  # fmt: skip
def test_malformed_signatures_of_standard_webhooks_are_wrong(change: dict[str, str]) -> None:
    check_standard(SIMULATED_SECRET, GOOD, BODY, NOW)
    with pytest.raises(SignatureInvalidError):
        check_standard(SIMULATED_SECRET, GOOD | change, BODY, NOW)


def test_another_body_or_secret_is_wrong() -> None:
    for body, secret in ((BODY + b" ", STRIPE_SECRET), (BODY, "whsec_another-secret-of-mine"), (b"", STRIPE_SECRET)):
        with pytest.raises(SignatureInvalidError):
            _stripe(RIGHT, body=body, secret=secret)
    for body in (BODY + b" ", b"", simulated_event("x")):
        with pytest.raises(SignatureInvalidError):
            check_standard(SIMULATED_SECRET, GOOD, body, NOW)


def test_a_body_that_is_no_text_can_be_signed() -> None:
    body = b"\xff\x00\xfe"
    _stripe(signed_as_stripe(body, at=NOW)["Stripe-Signature"], body=body)
    check_standard(SIMULATED_SECRET, signed_as_standard(body, at=NOW), body, NOW)
