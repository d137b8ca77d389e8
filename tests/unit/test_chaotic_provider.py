"""The chaotic provider passes what every gateway must while nothing goes wrong, and each fault is what it says."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from tests.fixtures.chaotic_provider import ChaoticGateway, Fault, Provider
from tests.fixtures.gateways import GatewayConformance
from workers.payments.gateway import (
    Gateway,
    GatewayDownError,
    OutcomeUnknownError,
    PaymentRefusedError,
    PaymentRequest,
    ProviderPayment,
    ProviderStatus,
    RateLimitedError,
)


class TestWithoutFaults(GatewayConformance):
    """The suite of all gateways."""

    approved = "tok"
    declined = "tok_decline"
    other_card = "tok card:other"

    def setup_method(self) -> None:
        self.provider = Provider()

    async def make(self) -> Gateway:
        """Make another gateway onto the same provider."""
        return ChaoticGateway(self.provider)

    async def action(self, *, succeeds: bool) -> str:
        """Return a token with which the shopper must act; what comes of it is said when that happens."""
        return "tok_action"

    async def act(self, answer: ProviderPayment, *, succeeds: bool) -> None:
        """Act as the shopper."""
        self.provider.act(UUID((answer.reference or "").removeprefix("pay_")), succeeds=succeeds)

    async def losing(self) -> str:
        """Lose the answer of the next call, which is the authorisation."""
        self.provider.faults.append(Fault.ANSWER_LOST)
        return self.approved


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def gateway(provider: Provider) -> ChaoticGateway:
    return ChaoticGateway(provider)


def _payment(order_id: UUID, token: str = "tok", *, capture: bool = True) -> PaymentRequest:
    return PaymentRequest(order_id, 100, "EUR", token, capture=capture)


@pytest.mark.parametrize(
    ("fault", "error", "done"),
    [
        (Fault.ANSWER_LOST, OutcomeUnknownError, True),
        (Fault.REQUEST_LOST, OSError, False),
        (Fault.LATE, TimeoutError, False),
        (Fault.DOWN, GatewayDownError, False),
        (Fault.LIMITED, RateLimitedError, False),
    ],
)
async def test_what_fails_is_done_or_not(
    provider: Provider, gateway: ChaoticGateway, fault: Fault, error: type[Exception], done: bool
) -> None:
    payment = _payment(uuid4())
    provider.faults.append(fault)
    with pytest.raises(error):
        await gateway.authorise(payment)
    assert (await gateway.look_up(payment)).status == (ProviderStatus.CAPTURED if done else ProviderStatus.NOTHING)


async def test_what_arrives_twice_is_done_once(provider: Provider, gateway: ChaoticGateway) -> None:
    payment = _payment(uuid4())
    await gateway.authorise(payment)
    provider.faults += [Fault.TWICE, Fault.LATE]
    assert (await gateway.refund(payment, 30, key="r1")).refunded == 30
    with pytest.raises(TimeoutError):
        await gateway.refund(payment, 20, key="r2")
    assert (await gateway.refund(payment, 20, key="r2")).refunded == 50
    provider.arrive(0)
    assert (await gateway.look_up(payment)).refunded == 50


async def test_a_key_means_one_thing(provider: Provider, gateway: ChaoticGateway) -> None:
    payment = _payment(uuid4())
    await gateway.authorise(payment)
    await gateway.refund(payment, 30, key="r1")
    with pytest.raises(PaymentRefusedError):
        await gateway.refund(payment, 40, key="r1")
    with pytest.raises(OutcomeUnknownError):
        await gateway.authorise(payment._replace(total=99))
    assert len(provider.misuse) == 2


@pytest.mark.parametrize("fault", [Fault.REQUEST_WAITS, Fault.ANSWER_WAITS])
async def test_a_call_waits_for_the_test(provider: Provider, gateway: ChaoticGateway, fault: Fault) -> None:
    payment = _payment(uuid4(), capture=False)
    provider.faults.append(fault)
    asked = asyncio.create_task(gateway.authorise(payment))
    await asyncio.sleep(0.01)
    assert provider.answer(payment.order_id).held == (100 if fault is Fault.ANSWER_WAITS else 0)
    await gateway.void(payment, key="v")
    provider.release(0)
    answer = await asked
    assert answer.status == (ProviderStatus.AUTHORISED if fault is Fault.ANSWER_WAITS else ProviderStatus.VOIDED)
    assert provider.answer(payment.order_id).held == 0


@pytest.mark.parametrize("remembers", [True, False])
async def test_a_void_before_its_authorisation(remembers: bool) -> None:
    provider = Provider(remembers_voids=remembers)
    gateway, payment = ChaoticGateway(provider), _payment(uuid4())
    provider.faults.append(Fault.LATE)
    with pytest.raises(TimeoutError):
        await gateway.authorise(payment)
    assert (await gateway.void(payment, key="v")).status is ProviderStatus.NOTHING
    provider.arrive(0)
    assert provider.answer(payment.order_id).captured == (0 if remembers else 100)


async def test_a_shopper_acts_or_does_not(provider: Provider, gateway: ChaoticGateway) -> None:
    first, second = _payment(uuid4(), "action"), _payment(uuid4(), "action card:A", capture=False)
    answers = [await gateway.authorise(one) for one in (first, second)]
    assert {answer.status for answer in answers} == {ProviderStatus.REQUIRES_ACTION}
    assert all(answer.next_action for answer in answers)
    provider.act(first.order_id, succeeds=False)
    provider.act(second.order_id, succeeds=True)
    assert provider.answer(first.order_id).status is ProviderStatus.DECLINED
    assert (await gateway.look_up(second)).held == 100
    assert (await gateway.capture(second, 40, key="c1", final=False)).held == 60
    taken = await gateway.void(second, key="v")
    assert (taken.status, taken.captured, taken.card) == (ProviderStatus.CAPTURED, 40, "A")
    assert [claim for order_id, claim in provider.news if order_id == first.order_id] == ["requires_action", "failed"]
    told = [claim for order_id, claim in provider.news if order_id == second.order_id]
    assert told == ["requires_action", "authorised", "authorised", "captured"]
