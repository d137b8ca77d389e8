"""Each step ahead of a sale is taken once and in order, in whatever order and however late somebody wakes up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.values.prewarm import Prewarm
from workers.prewarm.plan import NOTHING, due, steps_of, waits_until

START = datetime(2026, 11, 27, 20, tzinfo=UTC)
USUAL = Prewarm()


def at(before_s: float, *, start: datetime = START) -> datetime:
    return start - timedelta(seconds=before_s)


def names(prewarm: Prewarm, before_s: float, *done: str) -> tuple[list[str], list[str]]:
    found = due(START, prewarm, done, at(before_s))
    return [step.name for step in found.steps], list(found.passed_over)


def test_the_usual_steps_stand_in_the_order_of_their_times() -> None:
    assert [step.name for step in steps_of(START, USUAL)] == ["check:1800", "check:600", "check:120", "refill"]


def test_a_lead_is_a_check_too() -> None:
    steps = steps_of(START, Prewarm(lead_s=300, checks_at_s=(120,)))
    assert [step.name for step in steps] == ["check:300", "check:120", "refill"]
    assert [step.name for step in steps_of(START, Prewarm(lead_s=10, checks_at_s=()))] == ["refill", "check:10"]
    assert steps_of(START, Prewarm(lead_s=0, checks_at_s=())) == ()


@pytest.mark.parametrize(
    ("before_s", "done", "now", "passed_over"),
    [
        (1801, (), [], []),
        (1800, (), ["check:1800"], []),
        (1000, ("check:1800",), [], []),
        (599, ("check:1800",), ["check:600"], []),
        (300, (), ["check:600"], ["check:1800"]),  # the scheduler came up at T-5 minutes
        (60, (), ["check:120"], ["check:1800", "check:600"]),  # the sale was made at T-1 minute
        (15, ("check:1800", "check:600", "check:120"), ["refill"], []),
        (5, (), ["check:120"], ["check:1800", "check:600", "refill"]),
        (0, (), [], []),
        (-60, (), [], []),
    ],
)
def test_what_is_due(before_s: float, done: tuple[str, ...], now: list[str], passed_over: list[str]) -> None:
    assert names(USUAL, before_s, *done) == (now, passed_over)


def test_a_sale_that_has_begun_has_nothing_ahead() -> None:
    assert due(START, USUAL, (), at(-0.001)) is NOTHING


def test_a_check_waits_for_processes_a_while_but_never_too_near_to_the_start() -> None:
    first, second, third, _ = steps_of(START, USUAL)
    assert [waits_until(step, START) for step in (first, second, third)] == [at(1_500), at(300), at(60)]


PREWARMS = st.builds(
    Prewarm,
    lead_s=st.integers(0, 4_000),
    checks_at_s=st.lists(st.integers(0, 4_000), max_size=6).map(lambda some: tuple(sorted(some, reverse=True))),
)


@given(prewarm=PREWARMS, wakes=st.lists(st.tuples(st.integers(0, 2), st.floats(-100, 5_000)), max_size=30))
def test_any_order_of_wake_ups_takes_each_step_at_most_once_and_in_order(
    prewarm: Prewarm, wakes: list[tuple[int, float]]
) -> None:
    """Several schedulers, each with what it remembers; rows say what is done. Time goes on, whoever wakes."""
    rows: list[str] = []
    remembered: list[frozenset[str]] = [frozenset()] * 3
    taken = []
    for who, before_s in sorted(wakes, key=lambda wake: -wake[1]):
        if due(START, prewarm, remembered[who], at(before_s)) == NOTHING:
            continue
        remembered[who] = frozenset(rows)
        found = due(START, prewarm, remembered[who], at(before_s))
        rows += [name for name in found.passed_over if name not in rows]
        for step in found.steps:
            assert step.name not in rows
            assert step.at <= at(before_s) < START
            rows.append(step.name)
            taken.append(step)
    assert [step.at for step in taken] == sorted(step.at for step in taken)
    assert len({step.name for step in taken}) == len(taken)


@given(prewarm=PREWARMS, moves=st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 3_000)), max_size=12))
def test_a_start_that_is_moved_has_steps_of_its_own(prewarm: Prewarm, moves: list[tuple[int, int]]) -> None:
    """Whenever a start lies ahead by less than a check's time, that check or a later one was made for this start."""
    done: dict[datetime, list[str]] = {}
    now = at(10_000)
    for later_s, ahead_s in moves:
        now += timedelta(seconds=later_s)
        start = now + timedelta(seconds=ahead_s)
        mine = done.setdefault(start, [])
        found = due(start, prewarm, mine, now)
        mine += [*found.passed_over, *(step.name for step in found.steps)]
        assert {step.name for step in steps_of(start, prewarm) if step.at <= now < start} <= set(mine)
        assert len(mine) == len(set(mine))
