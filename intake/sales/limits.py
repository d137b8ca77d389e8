"""A sale's limits on people, between the contract and the rows. Owns both directions; enforces none, the drain does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from doorbuster.contract.offers import SaleLimits
from doorbuster.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from db.products.offers import SaleOffer
    from db.sales import SaleProduct
    from doorbuster.contract.sales import SaleProductRequest

_COLUMNS = {
    "customer": "limit_per_customer",
    "email": "limit_email",
    "card": "limit_card",
    "address": "limit_address",
    "device": "limit_device",
}


def limits_of(product: SaleProduct | SaleOffer) -> SaleLimits | None:
    """Return a product's limits as the contract shows them, None where it has none."""
    found = {name: getattr(product, column) for name, column in _COLUMNS.items()}
    if all(units is None for units in found.values()):
        return None
    return SaleLimits(**{name: UNSET if units is None else units for name, units in found.items()})


def limit_columns(products: Iterable[SaleProductRequest]) -> list[dict[str, Any]]:
    """Return the limits of each product as they are stored.

    Raises:
        InvalidError: `limit_per_customer` and `limits.customer` say two things.
    """
    found, problems = [], []
    for place, product in enumerate(products):
        columns = {column: getattr(product.limits, name, None) for name, column in _COLUMNS.items()}
        named, alias = columns["limit_per_customer"], product.limit_per_customer
        if None not in (named, alias) and named != alias:
            problems.append((f"products[{place}].limit_per_customer", "must be what limits.customer is, or left out"))
        columns["limit_per_customer"] = alias if named is None else named
        found.append(columns)
    if problems:
        raise InvalidError.naming(problems)
    return found
