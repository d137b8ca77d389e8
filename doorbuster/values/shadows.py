"""What tells a shadow, the copy of a sale that a rehearsal sells, from a sale. Pure; owns a rule for each kind of id.

A shadow's number is in the upper half of those that an order id can hold. Order ids, Redis keys and rows carry the
number, so that each of them says by itself whose it is; the database has the same rule in `is_shadow`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

SHADOWS_FROM = 1 << 23
"""The first number of a shadow; sales have those below."""
PRODUCT_PREFIX = "shadow~"
"""Begins the id of each product that a shadow sells; their rows say it too."""
SALE_PREFIX = "rehearsal-"
"""Begins the id of each shadow."""


def is_shadow(sale_number: int) -> bool:
    """Say whether a sale's number is a shadow's."""
    return sale_number >= SHADOWS_FROM


def is_shadow_order(order_id: UUID) -> bool:
    """Say whether an order was placed in a shadow: its id carries the number in its first 24 bits."""
    return is_shadow(number_of(order_id))


def number_of(order_id: UUID) -> int:
    """Return the number of the sale or shadow in which an order was placed."""
    return order_id.int >> 104


def is_shadow_product(product_id: str) -> bool:
    """Say whether a product is a shadow's."""
    return product_id.startswith(PRODUCT_PREFIX)
