"""The poll policy and the estimate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from waitingroom.polling import FEW, eta_range_s, eta_s, paces, poll_for, retry_after_s

POSITIONS = st.integers(0, 10_000_000)
PACES = st.floats(0, 10_000)
DRAWS = st.floats(0, 1, exclude_max=True)


@given(POSITIONS, PACES, DRAWS, st.floats(1, 600))
def test_asking_again_stays_within_its_bounds(position: int, pace: float, draw: float, grace_s: float) -> None:
    poll = poll_for(grace_s)
    wait = retry_after_s(position, pace, poll, draw)
    assert poll.min_s * (1 - poll.jitter) <= wait <= poll.max_s * (1 + poll.jitter)
    assert wait <= max(grace_s / 3, 1) * 1.2, "nobody sleeps through the grace"


@given(POSITIONS, POSITIONS, st.floats(0.01, 10_000))
def test_who_is_further_back_asks_less_often(one: int, other: int, pace: float) -> None:
    near, far = sorted((one, other))
    poll = poll_for(60)
    assert retry_after_s(near, pace, poll, 0.5) <= retry_after_s(far, pace, poll, 0.5)


def test_the_estimate() -> None:
    assert eta_s(100, 4) == 25
    assert eta_s(0, 0) == 0
    assert eta_s(100, 0) is None


@given(st.integers(1, 10**6), st.floats(0.001, 10_000), st.floats(0.001, 10_000), st.floats(0, 10_000))
def test_a_range_holds_what_is_measured_and_at_first_what_is_set(
    position: int, pace: float, rate: float, samples: float
) -> None:
    found = eta_range_s(position, paces(pace, rate, samples))
    assert found is not None
    least, most = found
    assert least <= position / pace * 1.001
    assert position / pace <= most * 1.001
    if samples < FEW:
        assert least <= position / rate * 1.001
        assert position / rate <= most * 1.001


def test_more_samples_make_a_narrower_range() -> None:
    few, many = paces(1.0, 1.0, 0), paces(1.0, 1.0, 1000)
    assert few.most_per_s / few.least_per_s > many.most_per_s / many.least_per_s
    assert eta_range_s(5, paces(0, 0, 0)) is None
    assert eta_range_s(0, paces(0, 0, 0)) == (0, 0)
