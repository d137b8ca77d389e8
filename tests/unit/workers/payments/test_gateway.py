"""The simulated gateway answers by the token alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from uuid import UUID

import pytest

from workers.payments.gateway import GatewayError, PaymentAnswer, PaymentRequest, void_all
from workers.payments.simulated import SimulatedGateway


def _payment(token: str | None, attempts: int = 0) -> PaymentRequest:
    return PaymentRequest(UUID(int=1), 100, "EUR", token, attempts)


@pytest.mark.parametrize("token", [None, "", "tok_visa", "anything"])
def test_other_tokens_are_approved_at_once(token: str | None) -> None:
    assert SimulatedGateway().authorise(_payment(token)) is PaymentAnswer.APPROVED


def test_declined() -> None:
    assert SimulatedGateway().authorise(_payment("tok_decline")) is PaymentAnswer.DECLINED


@pytest.mark.parametrize(("token", "failures"), [("flaky", 1), ("flaky:3", 3)])
def test_flaky_fails_first_then_approves(token: str, failures: int) -> None:
    gateway = SimulatedGateway()
    for attempts in range(failures):
        with pytest.raises(GatewayError):
            gateway.authorise(_payment(token, attempts))
    assert gateway.authorise(_payment(token, failures)) is PaymentAnswer.APPROVED


async def test_slow_takes_its_time() -> None:
    answer = SimulatedGateway().authorise(_payment("slow:80"))
    assert not isinstance(answer, PaymentAnswer)
    began = time.monotonic()
    assert await answer is PaymentAnswer.APPROVED
    assert time.monotonic() - began >= 0.08


async def test_timeout_never_answers() -> None:
    answer = SimulatedGateway().authorise(_payment("timeout"))
    assert not isinstance(answer, PaymentAnswer)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(answer, 0.02)


async def test_voiding_goes_on_past_failures_and_waits_no_longer_than_told() -> None:
    asked: list[UUID] = []

    class Gateway(SimulatedGateway):
        def void(self, order_id: UUID) -> Awaitable[None] | None:  # type: ignore[override]
            asked.append(order_id)
            if order_id.int == 1:
                raise GatewayError("no")
            return asyncio.get_running_loop().create_future() if order_id.int == 2 else None

    order_ids = [UUID(int=n) for n in (1, 2, 3)]
    await asyncio.wait_for(void_all(Gateway(), order_ids, timeout_s=0.02), 5)
    assert asked == order_ids
