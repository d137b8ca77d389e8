"""Stripe's gateway does what every gateway must, against a stand-in that keeps state."""

from __future__ import annotations

import pytest

from tests.fixtures.gateways import GatewayConformance
from tests.fixtures.stripe_server import ACTION, DECLINED, MASTERCARD, VISA, StripeServer
from workers.payments.gateway import Gateway, ProviderPayment


class TestStripe(GatewayConformance):
    """Stripe."""

    approved, declined, other_card = VISA, DECLINED, MASTERCARD
    server: StripeServer

    @pytest.fixture(autouse=True)
    def _server(self, stripe_server: StripeServer) -> None:
        self.server = stripe_server

    async def make(self) -> Gateway:
        return self.server.gateway()

    async def action(self, *, succeeds: bool) -> str:
        return ACTION

    async def act(self, answer: ProviderPayment, *, succeeds: bool) -> None:
        assert answer.reference is not None
        assert answer.next_action is not None
        self.server.act(answer.reference, answer.next_action["client_secret"], succeeds=succeeds)

    async def losing(self) -> str:
        self.server.fault("lose")
        return VISA
