"""A cost is taken apart into what a batch and what an order takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.fleet.measured.fit import Point, apart


@given(st.floats(0, 1_000), st.floats(0.1, 100))
def test_what_was_made_of_both_parts_is_taken_apart(batch_us: float, order_us: float) -> None:
    points = [
        Point(b, o, (b * batch_us + o * order_us) / 1e6) for b, o in ((1_000, 3_000), (500, 8_000), (300, 16_000))
    ]
    parts = apart(points)
    assert parts.batch_us == pytest.approx(batch_us, rel=1e-4, abs=1e-3)
    assert parts.order_us == pytest.approx(order_us, rel=1e-4, abs=1e-3)


def test_neither_part_is_below_nought() -> None:
    parts = apart([Point(100, 1_000, 0.010), Point(10, 1_000, 0.011)])
    assert parts.batch_us == 0
    assert parts.order_us == pytest.approx(10.5, rel=0.01)


def test_points_of_one_kind_have_one_part() -> None:
    assert apart([Point(1, 10, 0.01), Point(2, 20, 0.02)]) in ((pytest.approx(10_000), 0), (0, pytest.approx(1_000)))


@pytest.mark.parametrize("points", [[], [Point(1, 1, 1)], [Point(1, 1, 1), Point(1, 1, 0)]])
def test_too_little_is_an_error(points: list[Point]) -> None:
    with pytest.raises(ValueError, match="two measurements"):
        apart(points)
