"""The payment providers that a setting chooses among. Owns their names; each gateway is a module of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from workers.payments.simulated import SimulatedGateway
from workers.payments.simulated_books import PostgresBooks

if TYPE_CHECKING:
    from doorbuster.settings import Settings
    from workers.payments.gateway import Gateway


def _simulated(settings: Settings) -> Gateway:
    books = PostgresBooks(settings.database_url.get_secret_value(), timeout_s=settings.payment_timeout_s)
    return SimulatedGateway(books, everything=settings.simulated_books)


PROVIDERS: Mapping[str, Callable[[Settings], Gateway]] = MappingProxyType({"simulated": _simulated})
"""What makes each provider's gateway; the names are those of `PAYMENT_PROVIDER`."""


def make_gateway(settings: Settings) -> Gateway:
    """Make the gateway of the provider that the settings name; whoever asks closes it."""
    return PROVIDERS[settings.payment_provider](settings)
