"""Hostile callbacks: whoever forges them is told so, costs little, and locks the provider out of nothing."""

from __future__ import annotations

import asyncio
import logging
from uuid import UUID

import pytest

from intake.payments.callbacks import WRONG_PER_MINUTE
from tests.edge.conftest import opened
from tests.edge.healthy import shopping
from tests.fixtures.callbacks import SIMULATED_SECRET, signed_as_standard, simulated_event
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.raw import Raw

PATH = "/payments/simulated/events"
BODY = simulated_event(UUID("00000100-783a-87a7-ac3d-28c5383a4d5d"))


def raw(body: bytes, *lines: str, length: int | None = None) -> bytes:
    head = [f"POST {PATH} HTTP/1.1", "Host: shop", *lines, f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


@pytest.fixture
async def intake(serve: Serve) -> Intake:
    return await opened(await serve(payment_webhook_secret=SIMULATED_SECRET, trusted_proxies="127.0.0.1/32"))


@pytest.mark.parametrize(
    ("body", "length", "status", "code"),
    [
        (b"x" * 16_385, None, 413, "too_large"),
        (b"x", 10**12, 413, "too_large"),
        (b"", None, 400, "signature_invalid"),
        (b"\x00" * 16_384, None, 400, "signature_invalid"),
        (b"[" * 16_384, None, 400, "signature_invalid"),
    ],
)
async def test_bodies_of_any_kind(intake: Intake, body: bytes, length: int | None, status: int, code: str) -> None:
    async with shopping(intake), Raw(intake.port) as connection:
        await connection.send(raw(body, length=length))
        answer = await connection.answer()
        assert (answer.status, answer.code) == (status, code)


@pytest.mark.parametrize(
    "lines",
    [
        ("webhook-id: \xff\xfe", "webhook-timestamp: 1", "webhook-signature: v1,\xff"),
        ("webhook-id: a", "webhook-timestamp: " + "9" * 4000, "webhook-signature: v1,a"),
        ("webhook-id: a", "webhook-timestamp: 1800000000", "webhook-signature: " + "v1,a " * 900),
        ("webhook-id: a", "webhook-id: b", "webhook-timestamp: 1", "webhook-timestamp: 2", "webhook-signature: ,"),
        ("Stripe-Signature: t=1,v1=\xff",),
    ],
)
async def test_malformed_signatures_are_refused_by_name(intake: Intake, lines: tuple[str, ...]) -> None:
    async with Raw(intake.port) as connection:
        await connection.send(raw(BODY, *lines))
        answer = await connection.answer()
        assert (answer.status, answer.code) == (400, "signature_invalid")


@pytest.mark.usefixtures("no_try_earned")
async def test_a_forger_is_heard_no_more_and_the_provider_still_is(
    intake: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    forged = {"X-Forwarded-For": "203.0.113.7"} | signed_as_standard(BODY, secret="whsec_Zm9yZ2VkLWJ5LXNvbWVib2R5")
    with caplog.at_level(logging.WARNING):
        sent = (intake.http.post(PATH, content=BODY, headers=forged) for _ in range(2 * WRONG_PER_MINUTE))
        answers = await asyncio.gather(*sent)
    told = [answer.json()["code"] for answer in answers]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert set(told) == {"signature_invalid", "rate_limited"}
    assert told.count("signature_invalid") == WRONG_PER_MINUTE
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert len([one for one in caplog.records if one.message == "payment callback refused"]) <= WRONG_PER_MINUTE
    right = {"X-Forwarded-For": "203.0.113.7"} | signed_as_standard(BODY)
    assert (await intake.http.post(PATH, content=BODY, headers=right)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_none(intake: Intake, method: str) -> None:
    answer = await intake.http.request(method, PATH)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


async def test_unknown_parameters_are_refused(intake: Intake) -> None:
    answer = await intake.http.post(f"{PATH}?a=1", content=BODY, headers=signed_as_standard(BODY))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
