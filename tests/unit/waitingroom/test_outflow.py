"""The control law of a room's outflow: never above the operator's rate or what is left, down fast, up slowly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitingroom.outflow import (
    CALM_STEPS,
    HORIZON_S,
    Limits,
    OutflowDecision,
    SafetyNetState,
    Signals,
    decide,
    is_congested,
    next_rate,
)

LIMITS = Limits(backlog=1_000, lag_ms=2_000, conversion=0.5)
SIGNALS = st.builds(
    Signals,
    backlog=st.integers(0, 5_000),
    lag_ms=st.integers(0, 10_000),
    refused=st.integers(0, 10),
    remaining=st.integers(0, 100_000),
    inside=st.integers(0, 100_000),
)


def calm(**changes: Any) -> Signals:
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


@pytest.mark.parametrize(
    ("present", "signals", "why"),
    [
        (100, {}, "set"),
        (None, {}, "set"),
        (100, {"lag_ms": 2_001}, "lag"),
        (100, {"lag_ms": 2_001, "slowest": "payments"}, "payments_slow"),
        (100, {"lag_ms": 2_001, "slowest": "payments", "paused": "down"}, "payments_paused"),
        (100, {"lag_ms": 2_001, "slowest": "drain", "paused": "down"}, "lag"),
        (100, {"paused": "down"}, "set"),
        (100, {"lag_ms": 2_001, "slowest": "events"}, "events_late"),
        (100, {"backlog": 1_001}, "backlog"),
        (100, {"refused": 1}, "backlog_full"),
        (50, {}, "ramping"),
        (100, {"remaining": 10}, "few_left"),
        (100, {"remaining": 0, "backlog": 1_001}, "sold_out"),
    ],
)
def test_a_decision_says_why(present: float | None, signals: dict[str, Any], why: str) -> None:
    assert decide(present, 100, calm(**signals), LIMITS).why == why


@given(present=st.none() | st.floats(0, 1_000), operator=st.floats(0.1, 1_000), signals=SIGNALS)
def test_a_rate_is_the_operators_exactly_when_the_decision_says_so(
    present: float | None, operator: float, signals: Signals
) -> None:
    made = decide(present, operator, signals, LIMITS)
    assert made.rate_per_s == next_rate(present, operator, signals, LIMITS)
    assert (made.why == "set") == (made.rate_per_s == operator)


def test_a_rate_that_grows_back_remembers_what_it_gave_way_to() -> None:
    made = decide(100, 100, calm(backlog=1_001), LIMITS)
    for _ in range(2):
        made = decide(made.rate_per_s, 100, calm(), LIMITS, before=made)
        assert (made.why, made.after) == ("ramping", "backlog")
    assert decide(100, 100, calm(), LIMITS, before=made).after == ""


def test_a_decision_is_read_as_it_was_packed_and_one_of_another_version_not_at_all() -> None:
    made = decide(100, 100, calm(lag_ms=3_000), LIMITS, at_ms=5)
    assert OutflowDecision.read(made.packed()) == made
    for strange in ("", "{", "{}", '{"why":"weather","rate_per_s":1}'):
        assert OutflowDecision.read(strange) is None
