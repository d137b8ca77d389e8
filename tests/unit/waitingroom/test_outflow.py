"""The control law of a room's outflow: never above the operator's rate or what is left, down fast, up slowly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitingroom.outflow import CALM_STEPS, HORIZON_S, Limits, SafetyNetState, Signals, is_congested, next_rate

LIMITS = Limits(backlog=1_000, lag_ms=2_000, conversion=0.5)
SIGNALS = st.builds(
    Signals,
    backlog=st.integers(0, 5_000),
    lag_ms=st.integers(0, 10_000),
    refused=st.integers(0, 10),
    remaining=st.integers(0, 100_000),
    inside=st.integers(0, 100_000),
)


def calm(**changes: int) -> Signals:
    return Signals(**{"backlog": 0, "lag_ms": 0, "refused": 0, "remaining": 10**6, "inside": 0} | changes)


@given(present=st.none() | st.floats(0, 1_000), operator=st.floats(0.1, 1_000), signals=SIGNALS)
def test_no_rate_is_above_the_operators_or_what_is_left(
    present: float | None, operator: float, signals: Signals
) -> None:
    rate = next_rate(present, operator, signals, LIMITS)
    left = max(signals.remaining / LIMITS.conversion - signals.inside, 0)
    assert 0 <= rate <= operator
    assert rate * HORIZON_S <= left + 1e-6


@given(present=st.floats(1, 1_000), signals=SIGNALS)
def test_congestion_never_speeds_it_up(present: float, signals: Signals) -> None:
    if is_congested(signals, LIMITS):
        assert next_rate(present, 1_000, signals, LIMITS) < max(present, 1_000 * 0.01 + 1e-9)


@pytest.mark.parametrize("sign", [{"backlog": 1_001}, {"lag_ms": 2_001}, {"refused": 1}])
def test_each_sign_of_congestion_slows_it_down(sign: dict[str, int]) -> None:
    assert next_rate(100, 100, calm(**sign), LIMITS) == pytest.approx(70)


def test_it_recovers_step_by_step() -> None:
    rate: float | None = 10
    seen = []
    for _ in range(11):
        rate = next_rate(rate, 100, calm(), LIMITS)
        seen.append(rate)
    assert seen == pytest.approx([20, 30, 40, 50, 60, 70, 80, 90, 100, 100, 100])


def test_congestion_without_end_leaves_a_trickle() -> None:
    rate: float | None = None
    for _ in range(100):
        rate = next_rate(rate, 100, calm(refused=1), LIMITS)
    assert rate == pytest.approx(1)


def test_nobody_is_let_in_for_what_those_inside_will_take() -> None:
    assert next_rate(None, 100, calm(remaining=10, inside=20), LIMITS) == 0
    assert next_rate(None, 100, calm(remaining=10, inside=10), LIMITS) == pytest.approx(2)


def test_a_net_goes_on_at_once_and_off_only_after_some_calm() -> None:
    net, on = SafetyNetState(), False
    on = net.next(on, calm(backlog=1_001), LIMITS)
    assert on
    for _ in range(CALM_STEPS - 1):
        on = net.next(on, calm(backlog=500), LIMITS)
        assert on
    on = net.next(on, calm(backlog=501), LIMITS)
    assert on, "half the threshold is not passed yet: the calm begins anew"
    for step in range(CALM_STEPS):
        on = net.next(on, calm(), LIMITS)
        assert on == (step < CALM_STEPS - 1)


def test_limits_have_defaults() -> None:
    assert Limits.of(None) == Limits()
    assert Limits.of({"backlog": 5, "lag_ms": None}) == Limits(backlog=5)
