"""Kendall's tau and quantiles, held against what they are by definition."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.report.ranks import inversions, kendall_tau, median, spread

PERMUTATIONS = st.integers(0, 60).flatmap(lambda size: st.permutations(range(size)))


@given(PERMUTATIONS)
def test_tau_is_what_the_pairs_say(ranks: list[int]) -> None:
    pairs = list(combinations(ranks, 2))
    agreeing = sum(1 if a < b else -1 for a, b in pairs)
    assert inversions(ranks) == sum(a > b for a, b in pairs)
    tau = kendall_tau(ranks)
    assert tau is None if not pairs else tau == pytest.approx(agreeing / len(pairs))


def test_tau_of_known_orders() -> None:
    assert kendall_tau([3]) is None
    assert kendall_tau(range(100)) == 1
    assert kendall_tau(range(100, 0, -1)) == -1
    assert kendall_tau([1, 3, 2]) == pytest.approx(1 / 3)
    assert kendall_tau([5, 6], [1, 2], [3], []) == 1, "pairs within each list alone"
    assert kendall_tau() is None


def test_a_hundred_thousand_places_are_compared_in_a_moment() -> None:
    shuffled = list(range(100_000))
    random.Random(7).shuffle(shuffled)
    tau = kendall_tau(shuffled)
    assert tau is not None
    assert abs(tau) < 0.02


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_a_quantile_is_the_least_value_that_covers_its_share(values: list[float]) -> None:
    found = spread(values)
    assert found.count == len(values)
    assert found.max == round(max(values), 3)
    for share, value in ((0.5, found.p50), (0.9, found.p90), (0.99, found.p99)):
        covering = [one for one in values if sum(other <= one for other in values) >= share * len(values) - 1e-9]
        assert value == round(min(covering), 3)


def test_nothing_has_no_spread() -> None:
    assert (spread([]).count, spread([]).p50, spread([]).max) == (0, None, None)
    assert median([]) is None
    assert median([3.0, 1.0, 2.0]) == 2.0
