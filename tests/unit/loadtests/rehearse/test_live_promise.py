"""When a rehearsal gives way to a sale that is on, and what its result says of that."""

from __future__ import annotations

import asyncio

import pytest

from doorbuster.contract.fields import EARLIEST
from doorbuster.contract.night.rehearsal import LiveAccepting, RehearsalResult, RehearsalStep, RehearsalView
from loadtests.rehearse import criteria
from loadtests.rehearse.live_promise import RISE, WINDOW_S, GaveWayError, LivePromise
from loadtests.rehearse.run import NOT_PROVEN, Outcome, _until_stopped, conclusion

VIEW = RehearsalView(
    rehearsal_id=1, sale_id="friday", state="running", started_at=EARLIEST, lease_expires_at=EARLIEST, finished_at=None,
    removed_at=None, shadow_id="rehearsal-1", set_rate_per_s=100.0, result=None, beside=["now"],
)  # fmt: skip


def live(p99_ms: float | None, longer_ms: float | None = None) -> LiveAccepting:
    return LiveAccepting(orders=1_000, p99_ms=p99_ms, p99_ms_20s=longer_ms or p99_ms)


@pytest.mark.parametrize(
    ("before", "now", "is_broken"),
    [(6.0, 6.0 * RISE, False), (6.0, 6.0 * RISE + 0.01, True), (6.0, None, False), (None, 60.0, False)],
)
def test_it_is_broken_when_orders_take_longer_by_more_than_the_bound(
    before: float | None, now: float | None, is_broken: bool
) -> None:
    promise = LivePromise()
    promise.take(live(before), quiet_s=WINDOW_S)
    promise.take(live(now), quiet_s=0.0)
    assert bool(promise.broken) is is_broken


def test_what_is_seen_beside_the_load_or_soon_after_is_not_taken_for_before() -> None:
    promise = LivePromise()
    promise.take(live(9.0), quiet_s=WINDOW_S - 0.1)
    assert promise.wants_quiet
    promise.take(live(6.0, 7.0), quiet_s=WINDOW_S)
    assert (promise.before_ms, promise.wants_quiet) == (7.0, False)
    promise.take(live(1.0), quiet_s=WINDOW_S)
    assert promise.before_ms == 7.0


def _ended(steps: list[RehearsalStep]) -> RehearsalResult:
    async def work() -> RehearsalResult:
        raise GaveWayError("the sale 'now' is on: p99 of an acceptance rose")

    return asyncio.run(_until_stopped(work, VIEW, criteria.criteria(), steps))


def test_what_the_sale_allows_is_no_knee_and_proposes_nothing() -> None:
    step = RehearsalStep(offered_per_s=40, accepted_per_s=40, p99_ms=9, backlog_s=0, held=True)
    result = _ended([step])
    assert (result.knee_per_s, result.proposed_rate_per_s, result.limited_by) == (40, None, "live sale")
    assert result.stopped is None
    outcome = Outcome(sale="friday", rehearsal_id=1, result=result, shadow="removed")
    assert outcome.code == NOT_PROVEN
    said = conclusion(outcome)
    assert said[0] == "limited by the live sale: the sale 'now' is on: p99 of an acceptance rose; this is no knee"
    assert said[1:3] == ["held: 40/s", "the rate that is set, 100/s, is NOT PROVEN"]


def test_where_nothing_can_be_offered_it_stops_with_the_reason() -> None:
    result = _ended([])
    assert (result.knee_per_s, result.limited_by) == (None, "live sale")
    assert result.stopped == "nothing can be offered: the sale 'now' is on: p99 of an acceptance rose"
