"""The simulated gateway answers by the token alone."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

import pytest

from workers.payments.gateway import GatewayError, PaymentRequest, ProviderPayment, ProviderStatus, answered_at_once
from workers.payments.simulated import SimulatedGateway

CAPTURED = ProviderPayment(ProviderStatus.CAPTURED, 100, 100)


def _payment(token: str | None, attempts: int = 0) -> PaymentRequest:
    return PaymentRequest(UUID(int=1), 100, "EUR", token, attempts)


@pytest.mark.parametrize("token", [None, "", "tok_visa", "anything"])
def test_other_tokens_are_approved_at_once(token: str | None) -> None:
    gateway, payment = SimulatedGateway(), _payment(token)
    assert gateway.answers_at_once(payment)
    assert answered_at_once(gateway.authorise(payment)) == CAPTURED
    held = answered_at_once(gateway.authorise(payment._replace(capture=False)))
    assert held == ProviderPayment(ProviderStatus.AUTHORISED, 100)
    assert held.held == 100


def test_declined() -> None:
    assert answered_at_once(SimulatedGateway().authorise(_payment("tok_decline"))).status is ProviderStatus.DECLINED


@pytest.mark.parametrize(("token", "failures"), [("flaky", 1), ("flaky:3", 3)])
async def test_flaky_fails_first_then_approves(token: str, failures: int) -> None:
    gateway = SimulatedGateway()
    for attempts in range(failures):
        with pytest.raises(GatewayError):
            await gateway.authorise(_payment(token, attempts))
    assert (await gateway.authorise(_payment(token, failures))).status is ProviderStatus.CAPTURED


async def test_slow_takes_its_time() -> None:
    assert not SimulatedGateway().answers_at_once(_payment("slow:80"))
    began = time.monotonic()
    assert (await SimulatedGateway().authorise(_payment("slow:80"))).captured == 100
    assert time.monotonic() - began >= 0.08


@pytest.mark.parametrize(("halves", "found"), [(0, ProviderStatus.NOTHING), (1, ProviderStatus.CAPTURED)])
async def test_a_slow_payment_that_was_given_up_is_there_after_half_of_its_time(
    halves: int, found: ProviderStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > halves:
            await asyncio.get_running_loop().create_future()

    monkeypatch.setattr("workers.payments.simulated.asyncio.sleep", sleep)
    gateway = SimulatedGateway()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(gateway.authorise(_payment("slow:60000")), 0.02)
    assert slept[0] == 30
    assert (await gateway.look_up(_payment("slow:60000", 1))).status is found


async def test_a_slow_failure_takes_its_time_too() -> None:
    began = time.monotonic()
    with pytest.raises(GatewayError):
        await SimulatedGateway().authorise(_payment("slow:80 flaky"))
    assert time.monotonic() - began >= 0.08


async def test_timeout_never_answers() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(SimulatedGateway().authorise(_payment("timeout")), 0.02)


async def test_a_gateway_that_waits_although_it_answers_at_once_is_found() -> None:
    with pytest.raises(TypeError, match="waited"):
        answered_at_once(SimulatedGateway().authorise(_payment("slow")))
