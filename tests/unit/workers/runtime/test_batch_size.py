"""How much a shift takes at a time: down to one and never less, and back to all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.settings import Settings
from workers.payments.pace import PaymentPace
from workers.runtime.batch_size import FAILED, BatchSize, transaction_bound_s

FULL = 2_000


def sized(kept: int | None = None, *, not_given_back: bool = False) -> BatchSize:
    size = BatchSize("drain:1:0", lease_s=4.0)
    size.begin(FULL, kept, not_given_back=not_given_back)
    return size


def test_what_was_ended_comes_back_smaller_also_in_another_process() -> None:
    assert sized().now == FULL
    assert sized().kept is None
    assert sized(not_given_back=True).now == FULL // FAILED
    assert sized(125, not_given_back=True).kept == 125 // FAILED


def test_after_failures_it_is_one_and_never_less() -> None:
    size = sized()
    for _ in range(20):
        size.failed("test")
    assert size.now == size.kept == 1


@given(st.lists(st.one_of(st.none(), st.floats(0, 10))))
def test_it_stays_within_its_bounds_and_comes_back(batches: list[float | None]) -> None:
    size = sized()
    for seconds in batches:
        size.failed("test") if seconds is None else size.took(seconds)
        assert 1 <= size.now <= FULL
    for _ in range(FULL.bit_length()):
        size.took(0.01)
    assert size.kept is None


def test_a_slow_batch_is_followed_by_a_smaller_one_before_any_is_ended() -> None:
    size = sized()
    size.took(transaction_bound_s(4.0) * 0.9)
    assert size.now < FULL
    before = size.now
    size.took(transaction_bound_s(4.0) * 0.3)
    assert size.now == before, "neither slow nor quick"


@pytest.mark.parametrize("lease_s", [Settings.model_fields["lease_s"].metadata[0].ge, 4.0, 60.0])
def test_no_setting_lets_a_batch_outlive_its_lease(lease_s: float) -> None:
    assert transaction_bound_s(lease_s) <= lease_s / 2


def test_the_pace_of_payments_is_concurrency_by_time() -> None:
    pace = PaymentPace(500)
    assert pace.per_s(500) is None
    for _ in range(1_000):
        pace.took(0.3)
    assert pace.per_s(500) == pace.per_s(1_000) == pytest.approx(500 / 0.3)
    assert pace.per_s(1) == pytest.approx(1 / 0.3), "a provider that is asked carefully takes less"
    immediately = PaymentPace(500)
    immediately.took(0.0)
    assert immediately.per_s(500) is None
