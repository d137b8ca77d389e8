"""Millions of orders at full load: the newest is always final within seconds, and nothing grows that should not."""

from __future__ import annotations

import os
from statistics import median

import pytest

from loadtests.endurance import FINAL_S, Endured, Run, endure

ORDERS = int(os.environ.get("STEADY_ORDERS", "2000000"))
STORE_BYTES, DATABASE_BYTES = 600, 2_500
"""An order at most, in the order store for its idempotency key and in the database, with limits and two lines."""


def _assert_steady(endured: Endured, orders: int) -> None:
    assert endured.breaches == 0
    assert endured.accepted >= orders * 0.95
    assert endured.slowest_final_s <= FINAL_S
    first, *whole, _ = endured.slices  # the first warms up, the last is cut short
    for one in whole:
        assert one.per_s >= 0.5 * median(other.per_s for other in whole), one
        assert one.store_mb * 1e6 <= 300e6 + STORE_BYTES * one.orders, one
        assert (one.database_mb - first.database_mb) * 1e6 <= 500e6 + DATABASE_BYTES * one.orders, one
        assert one.resident_mb <= 600, one


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mixed", [False, True], ids=["one product", "limits, baskets, declines and holds"])
async def test_the_newest_order_is_final_within_seconds_after_millions(mixed: bool) -> None:
    _assert_steady(await endure(Run(orders=ORDERS, mixed=mixed)), ORDERS)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_the_same_where_millions_are_there_already() -> None:
    _assert_steady(await endure(Run(orders=ORDERS, existing=5_000_000)), ORDERS)
