"""When a provider is left alone, and how carefully it is asked after that."""

from __future__ import annotations

import pytest

from workers.payments import breaker as law
from workers.payments.breaker import BREAK_AFTER, Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(law, "time", clock)
    return clock


def _fail(breaker: Breaker, times: int = BREAK_AFTER) -> None:
    for _ in range(times):
        breaker.failed()


def test_a_few_failures_stop_nobody(clock: Clock) -> None:
    breaker = Breaker(50)
    for _ in range(5):
        _fail(breaker, BREAK_AFTER - 1)
        breaker.answered()
    assert (breaker.limit, breaker.why) == (50, None)


def test_a_provider_that_is_down_is_left_alone_longer_each_time_and_tried_by_one(clock: Clock) -> None:
    breaker = Breaker(50)
    _fail(breaker)
    pauses = []
    for _ in range(8):
        assert (breaker.limit, breaker.why) == (0, "down")
        pauses.append(breaker.paused_s)
        _fail(breaker, 20)  # of those that were under way
        assert breaker.paused_s == pauses[-1]
        clock.now += breaker.paused_s
        assert breaker.limit == 1
        breaker.failed()
    assert all(0.5 * 2**n <= pause <= 2**n for n, pause in enumerate(pauses[:5]))
    assert max(pauses) <= 30
    clock.now += breaker.paused_s
    breaker.answered()
    assert (breaker.limit, breaker.why) == (50, None)
    _fail(breaker, BREAK_AFTER - 1)
    assert breaker.why is None


def test_who_takes_no_more_is_left_alone_as_long_as_it_says_and_asked_less_then(clock: Clock) -> None:
    breaker = Breaker(40)
    breaker.limited(7.0)
    breaker.limited(3.0)
    assert (breaker.limit, breaker.why, breaker.paused_s) == (0, "rate_limited", 7.0)
    clock.now += 7
    assert breaker.limit == 20
    for _ in range(30):
        breaker.answered()
    assert (breaker.limit, breaker.why) == (40, None)


@pytest.mark.parametrize(("said", "believed"), [(None, 1.0), (-5.0, 0.0), (0.5, 0.5), (1e9, 120.0)])
def test_what_it_says_is_believed_within_bounds(clock: Clock, said: float | None, believed: float) -> None:
    breaker = Breaker(2)
    breaker.limited(said)
    assert breaker.paused_s == believed


def test_a_shift_begins_with_what_the_one_before_knew(clock: Clock) -> None:
    breaker = Breaker(50)
    breaker.go_on("down", 3.0)
    assert breaker.limit == 0
    clock.now += 3
    assert breaker.limit == 1
    fresh = Breaker(50)
    fresh.go_on(None, 0.0)
    fresh.go_on("down", 0.0)
    assert fresh.limit == 50
