"""Prices that hold for a time. Owns the rule of which price holds when; pure, so that pages and orders agree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Window: TypeAlias = tuple[int, int | None, int]
"""From a start until before an end (None: until another begins), in microseconds of the Unix epoch, and the price."""


def price_at(price: int, windows: Iterable[Window], now_us: int) -> tuple[int, int | None]:
    """Return the price that holds at a moment, and when it may change next.

    Of windows that overlap, the one that began last holds; where none does, the product's own price.
    """
    began = -1
    until: int | None = None
    for starts_us, ends_us, amount in windows:
        if began < starts_us <= now_us and (ends_us is None or now_us < ends_us):
            price, began = amount, starts_us
        for edge in (starts_us, ends_us):
            if edge is not None and edge > now_us and (until is None or edge < until):
                until = edge
    return price, until
