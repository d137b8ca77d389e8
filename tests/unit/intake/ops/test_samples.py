"""How fast a counter grew between two samples, and when nobody can say."""

from __future__ import annotations

import pytest

from intake.ops.live.samples import Sample, is_near, per_s


@pytest.mark.parametrize(
    ("before", "now", "elapsed_ms", "rate"),
    [
        (10, 30, 1_000, 20.0),
        (10, 30, 4_000, 5.0),
        (10, 10, 1_000, 0.0),
        (None, 10, 1_000, None),
        (10, None, 1_000, None),
        (10, 20, None, None),
        (10, 20, 100, None),
        (10, 20, -1_000, None),
        (10, 5, 1_000, None),  # a store that was replaced counts from nought
    ],
)
def test_a_rate_is_known_or_null_and_never_made_up(
    before: int | None, now: int | None, elapsed_ms: int | None, rate: float | None
) -> None:
    assert per_s(before, now, elapsed_ms) == rate


@pytest.mark.parametrize(
    ("ago_ms", "near"), [(100, False), (200, True), (10_000, True), (10_001, False), (-500, False)]
)
def test_a_sample_that_is_too_near_or_too_far_says_nothing(ago_ms: int, near: bool) -> None:
    assert is_near(Sample(at_ms=50_000 - ago_ms), 50_000) is near
    assert not is_near(None, 50_000)
