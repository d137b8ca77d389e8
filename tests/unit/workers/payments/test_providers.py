"""The payment providers: each that the setting can name has a gateway, and each gateway conforms."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import get_args

import pytest

from doorbuster.settings import Settings
from tests.fixtures.files import files_under
from tests.fixtures.gateways import GatewayConformance
from workers.payments.gateway import Gateway
from workers.payments.providers import PROVIDERS
from workers.payments.simulated import SimulatedGateway


class TestSimulated(GatewayConformance):
    """The simulated gateway."""

    approved = "tok_visa"
    declined = "tok_decline"

    async def make(self) -> Gateway:
        return SimulatedGateway()


CONFORMING = {"simulated": TestSimulated}
"""The suite of each provider."""


def test_every_provider_has_a_gateway_and_conforms() -> None:
    assert set(get_args(Settings.model_fields["payment_provider"].annotation)) == set(PROVIDERS) == set(CONFORMING)


def test_the_suite_is_found_wanting_without_its_tests() -> None:
    named = {name for name, _ in inspect.getmembers(GatewayConformance, inspect.isfunction) if name.startswith("test_")}
    assert len(named) >= 7
    assert all(issubclass(suite, GatewayConformance) for suite in CONFORMING.values())


class Forgetful(SimulatedGateway):
    """Declines what it approved before: what the suite is there to find."""

    asked = 0

    async def authorise(self, payment):  # type: ignore[no-untyped-def]
        self.asked += 1
        return await super().authorise(payment._replace(token="decline" if self.asked > 1 else payment.token))


async def test_a_gateway_that_does_not_conform_is_found() -> None:
    class Suite(TestSimulated):
        async def make(self) -> Gateway:
            return Forgetful()

    with pytest.raises(AssertionError):
        await Suite().test_what_is_approved_once_is_approved_again()


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
