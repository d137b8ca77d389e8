"""A rehearsal never costs money: its payments are asked of the simulated provider, whatever is set."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from uuid import UUID

import pytest

from doorbuster.settings import Settings, load_settings
from workers.payments import providers
from workers.payments.gateway import Gateway, PaymentRequest
from workers.payments.shadows_apart import ShadowsApart
from workers.payments.simulated import SimulatedGateway

SHADOW = PaymentRequest(UUID(int=(1 << 23) << 104), 100, "EUR", None)
REAL = PaymentRequest(UUID(int=((1 << 23) - 1) << 104), 100, "EUR", None)


class Recorded:
    """A gateway that notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[UUID] = []

    def answers_at_once(self, payment: PaymentRequest) -> bool:
        self.asked.append(payment.order_id)
        return True

    async def authorise(self, payment: PaymentRequest) -> None:
        self.asked.append(payment.order_id)

    async def capture(self, payment: PaymentRequest, amount: int, *, key: str, final: bool) -> None:
        self.asked.append(payment.order_id)

    async def void(self, payment: PaymentRequest, *, key: str) -> None:
        self.asked.append(payment.order_id)

    async def refund(self, payment: PaymentRequest, amount: int, *, key: str) -> None:
        self.asked.append(payment.order_id)

    async def look_up(self, payment: PaymentRequest) -> None:
        self.asked.append(payment.order_id)

    def list(self, since: datetime) -> str:
        return f"since {since:%Y}"

    async def close(self) -> None:
        self.asked.append(UUID(int=0))


@pytest.fixture
def settings() -> Settings:
    stores = {f"{name}_redis_url": "redis://127.0.0.1:1" for name in ("orders", "room", "jobs", "cache")}
    return load_settings(
        database_url="postgresql://127.0.0.1:1/x", order_id_key="an-order-id-key-for-tests",
        ops_key="an-ops-key-for-tests", **stores,
    )  # fmt: skip


async def test_every_call_goes_where_the_orders_money_is() -> None:
    own, simulated = Recorded(), Recorded()
    gateway: Gateway = ShadowsApart(own, simulated)  # type: ignore[arg-type]  # they answer nothing
    for payment in (SHADOW, REAL):
        assert gateway.answers_at_once(payment)
        await gateway.authorise(payment)
        await gateway.capture(payment, 1, key="k", final=True)
        await gateway.void(payment, key="k")
        await gateway.refund(payment, 1, key="k")
        await gateway.look_up(payment)
    assert (set(own.asked), set(simulated.asked)) == ({REAL.order_id}, {SHADOW.order_id})
    calls = {name for name, _ in inspect.getmembers(Gateway, inspect.isfunction) if name[0] != "_"}
    assert len(own.asked) == len(calls - {"list", "close"})
    assert str(gateway.list(datetime(2026, 1, 1, tzinfo=UTC))) == "since 2026"
    await gateway.close()
    assert own.asked[-1] == simulated.asked[-1] == UUID(int=0)


def test_a_shadows_settling_is_simulated(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "PROVIDERS", {"stripe": lambda _: Recorded()})
    told = settings.model_copy(update={"payment_provider": "stripe"})
    assert isinstance(providers.gateway_of_sale(told, 1 << 23), SimulatedGateway)
    assert isinstance(providers.gateway_of_sale(told, (1 << 23) - 1), Recorded)
    assert isinstance(providers.gateway_of_all(told), ShadowsApart)
