"""When a failed attempt is made again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.webhooks.back_off import ENDPOINT_LONGEST_S, LONGEST_S, PROBE_AFTER, delivery_s, endpoint_s, retry_after_s

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


@given(st.integers(1, 10_000))
def test_a_delivery_waits_longer_each_time_up_to_a_bound(attempts: int) -> None:
    waited = delivery_s(attempts, 5.0)
    assert min(5.0 * 2.0 ** min(attempts - 1, 40), LONGEST_S) * 0.75 <= waited <= LONGEST_S * 1.25


def test_attempts_are_spread_over_days() -> None:
    total, attempts = 0.0, 0
    while total < 259_200:
        attempts += 1
        total += delivery_s(attempts, 5.0)
    assert 15 < attempts < 40


def test_an_endpoint_is_left_alone_only_when_it_fails_again_and_again() -> None:
    assert endpoint_s(PROBE_AFTER - 1, 5.0) is None
    assert 0 < (endpoint_s(PROBE_AFTER, 5.0) or 0) < 10
    assert (endpoint_s(10_000, 5.0) or 0) <= ENDPOINT_LONGEST_S * 1.25


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None), ("", None), ("0", 0.0), ("120", 120.0), (" 7 ", 7.0), ("-5", None), ("1.5", None), ("soon", None),
        ("99999999999999999999", LONGEST_S), ("Sun, 01 Mar 2026 10:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2026 09:00:00 GMT", 0.0), ("Sun, 01 Mar 2099 10:00:00 GMT", LONGEST_S), ("٣", None),
        ("Sun, 01 Mar 2026 10:02:00 -0000", 120.0), ("99 Foo 2026", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_within_bounds(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds
