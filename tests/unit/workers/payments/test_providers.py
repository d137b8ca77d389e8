"""The payment providers: each that the setting can name has a gateway, and each gateway conforms."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import get_args
from uuid import UUID, uuid4

import pytest

from doorbuster.settings import Settings
from tests.fixtures.files import files_under
from tests.fixtures.gateways import GatewayConformance
from workers.payments.gateway import Gateway, PaymentRequest, ProviderPayment, ProviderStatus
from workers.payments.providers import PROVIDERS
from workers.payments.simulated import SimulatedGateway
from workers.payments.simulated_books import MemoryBooks


class TestSimulated(GatewayConformance):
    """The simulated gateway, with books in memory that have everything."""

    approved, declined, other_card = "tok_visa", "tok_decline", "tok_visa card:other"
    books: MemoryBooks

    @pytest.fixture(autouse=True)
    def _books(self) -> None:
        self.books = MemoryBooks()

    async def make(self) -> Gateway:
        return SimulatedGateway(getattr(self, "books", None), everything=True)

    async def action(self, *, succeeds: bool) -> str:
        return "action:succeed:600000" if succeeds else "action:fail:600000"

    async def act(self, answer: ProviderPayment, *, succeeds: bool) -> None:
        self.books._turns[UUID((answer.reference or "").removeprefix("sim_"))] = 0.0

    async def losing(self) -> str:
        return "late:0"


CONFORMING = {
    "simulated": TestSimulated,
    "stripe": import_module("tests.integration.workers.payments.stripe.test_conformance").TestStripe,
}
"""The suite of each provider."""


def test_every_provider_has_a_gateway_and_conforms() -> None:
    assert set(get_args(Settings.model_fields["payment_provider"].annotation)) == set(PROVIDERS) == set(CONFORMING)


def test_the_suite_is_found_wanting_without_its_tests() -> None:
    named = {name for name, _ in inspect.getmembers(GatewayConformance, inspect.isfunction) if name.startswith("test_")}
    assert len(named) >= 30
    assert all(issubclass(suite, GatewayConformance) for suite in CONFORMING.values())


class Forgetful(SimulatedGateway):
    """Declines what it approved before."""

    asked = 0

    async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
        self.asked += 1
        answer = await super().authorise(payment)
        return answer if self.asked == 1 else answer._replace(status=ProviderStatus.DECLINED)


class Generous(SimulatedGateway):
    """Gives back by any key as often as it is asked."""

    async def refund(self, payment: PaymentRequest, amount: int, *, key: str) -> ProviderPayment:
        return await super().refund(payment, amount, key=f"{key}:{uuid4()}")


class Greedy(SimulatedGateway):
    """Lets go nothing."""

    async def void(self, payment: PaymentRequest, *, key: str) -> ProviderPayment:
        return await self.look_up(payment)


@pytest.mark.parametrize(
    ("gateway", "found_by"),
    [
        (Forgetful, lambda suite: suite.test_what_is_approved_once_is_approved_again(True)),
        (Generous, lambda suite: suite.test_a_refund_is_done_once_for_its_key()),
        (Greedy, lambda suite: suite.test_what_is_held_is_let_go_and_let_go_again()),
    ],
)
async def test_a_gateway_that_does_not_conform_is_found(
    gateway: type[SimulatedGateway], found_by: Callable[[GatewayConformance], Awaitable[None]]
) -> None:
    class Suite(TestSimulated):
        async def make(self) -> Gateway:
            return gateway(MemoryBooks(), everything=True)

    with pytest.raises(AssertionError):
        await found_by(Suite())


def test_gateways_are_made_in_one_place() -> None:
    workers = Path(inspect.getfile(Settings)).parents[1] / "workers"
    files = [path for path in files_under(workers, "*.py") if path.name != "providers.py"]
    assert len(files) > 10
    made = [
        f"{path.name}:{node.lineno}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("Gateway")
    ]
    assert made == []
