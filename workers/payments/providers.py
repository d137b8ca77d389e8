"""The payment providers that a setting chooses among. Owns their names; each gateway is a module of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from workers.payments.simulated import SimulatedGateway

if TYPE_CHECKING:
    from doorbuster.settings import Settings
    from workers.payments.gateway import Gateway

PROVIDERS: Mapping[str, Callable[[Settings], Gateway]] = MappingProxyType({"simulated": lambda _: SimulatedGateway()})
"""What makes each provider's gateway; the names are those of `PAYMENT_PROVIDER`."""


def make_gateway(settings: Settings) -> Gateway:
    """Make the gateway of the provider that the settings name; whoever asks closes it."""
    return PROVIDERS[settings.payment_provider](settings)
