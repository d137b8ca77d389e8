"""The slope test of a long run: growth is found under noise, noise is not taken for growth."""

from __future__ import annotations

from random import Random

import pytest

from loadtests.check.steady import LOOKS_MIN, MEMORY, Bound, judge, said

LOOKS = 60
ORDERS = [200_000 * look for look in range(1, LOOKS + 1)]


def series(per_million: float, *, noise: float = 0.0, start: float = 70.0, warm_up: float = 0.0) -> list[float]:
    random = Random(1)
    return [
        start + per_million * orders / 1e6 + random.uniform(-noise, noise) + min(place * warm_up, 10 * warm_up)
        for place, orders in enumerate(ORDERS)
    ]


@pytest.mark.parametrize(
    ("values", "steady"),
    [
        (series(0.0), True),
        (series(0.0, noise=20.0), True),
        (series(0.0, warm_up=8.0), True),
        (series(-5.0, noise=5.0), True),
        (series(9.0, noise=3.0), True),
        (series(16.0), False),
        (series(16.0, noise=20.0), False),
        (series(16.0, warm_up=8.0), False),
    ],
    ids=["flat", "noise", "start-up", "shrinks", "as much as allowed", "grows", "grows under noise", "goes on growing"],
)
def test_what_grows_is_told_from_what_swings(values: list[float], steady: bool) -> None:
    growth = judge("intake", ORDERS, values, MEMORY)
    assert growth.is_steady is steady, said(growth)


def test_one_odd_look_moves_nothing() -> None:
    values = series(0.0)
    values[-2] = 10_000.0
    assert judge("intake", ORDERS, values, MEMORY).grew == 0.0


def test_the_bound_is_for_a_million_orders_and_for_any_number() -> None:
    growth = judge(
        "store", [0, 0, 1_000_000, 2_000_000, 3_000_000, 5_000_000], [0, 0, 1, 2, 3, 5], Bound(2.0, 1.0, "MB")
    )
    assert growth.slope_per_million == pytest.approx(1.0)
    assert (growth.grew, growth.allowed) == (pytest.approx(4.0), pytest.approx(9.0))
    assert "steady" in said(growth)


def test_too_few_looks_say_so() -> None:
    with pytest.raises(ValueError, match="too few to tell"):
        judge("intake", list(range(LOOKS_MIN)), [0.0] * LOOKS_MIN, MEMORY)


def test_looks_without_orders_between_them_tell_nothing() -> None:
    assert judge("intake", [5] * 9, [float(look) for look in range(9)], MEMORY).grew == 0.0
