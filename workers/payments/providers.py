"""The payment providers that a setting chooses among. Owns their names; each gateway is a module of its own.

A provider's client is imported only where it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from doorbuster.errors import SettingsError
from doorbuster.settings import require_payment_keys
from doorbuster.values.shadows import is_shadow
from workers.payments.shadows_apart import ShadowsApart
from workers.payments.simulated import SimulatedGateway
from workers.payments.simulated_books import PostgresBooks

if TYPE_CHECKING:
    from doorbuster.settings import Settings
    from workers.payments.gateway import Gateway


def _simulated(settings: Settings) -> Gateway:
    books = PostgresBooks(settings.database_url.get_secret_value(), timeout_s=settings.payment_timeout_s)
    return SimulatedGateway(books, everything=settings.simulated_books)


def _stripe(settings: Settings) -> Gateway:
    require_payment_keys(settings)
    assert settings.stripe_api_key is not None
    try:
        from workers.payments.stripe.gateway import StripeGateway
    except ImportError as error:
        raise SettingsError("PAYMENT_PROVIDER: stripe needs pip install 'doorbuster[stripe]'") from error
    return StripeGateway(
        settings.stripe_api_key.get_secret_value(), settings.stripe_api_base,
        timeout_s=settings.payment_timeout_s, connections=settings.settle_concurrency,
    )  # fmt: skip


PROVIDERS: Mapping[str, Callable[[Settings], Gateway]] = MappingProxyType({"simulated": _simulated, "stripe": _stripe})
"""What makes each provider's gateway; the names are those of `PAYMENT_PROVIDER`."""

AT_ONCE = frozenset({"simulated"})
"""Those whose gateway answers some payments at once."""


def make_gateway(settings: Settings) -> Gateway:
    """Make the gateway of the provider that the settings name; whoever asks closes it.

    Raises:
        SettingsError: something is missing that the provider needs.
    """
    return PROVIDERS[settings.payment_provider](settings)


def gateway_of_sale(settings: Settings, sale_number: int) -> Gateway:
    """Make the gateway that a sale's payments are asked of: for a shadow the simulated one, whatever is set.

    Raises:
        SettingsError: something is missing that the provider needs.
    """
    return _simulated(settings) if is_shadow(sale_number) else make_gateway(settings)


def gateway_at_once(settings: Settings, sale_number: int) -> Gateway | None:
    """Make the gateway of a sale whose payments may be answered at once; None: they never are, nothing is needed."""
    is_possible = is_shadow(sale_number) or settings.payment_provider in AT_ONCE
    return gateway_of_sale(settings, sale_number) if is_possible else None


def gateway_of_all(settings: Settings) -> Gateway:
    """Make a gateway for orders of sales and shadows alike, each asked where its money is.

    Raises:
        SettingsError: something is missing that the provider needs.
    """
    gateway = make_gateway(settings)
    return gateway if settings.payment_provider == "simulated" else ShadowsApart(gateway, _simulated(settings))
