"""A plan evaluated at a moment is the same as its entries applied one by one up to it (Hypothesis)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from doorbuster.values.timeline import Phase, PlanEntry, Timeline, closes_at, due, phase_after, room_after

ZERO = datetime(2026, 3, 1, tzinfo=UTC)
PHASES = st.sampled_from(["open", "hold", "drain", "closed"])
ROOMS = st.dictionaries(st.sampled_from(["rate_per_s", "burst", "message"]), st.none() | st.integers(1, 9), max_size=3)
MOMENTS = st.integers(0, 60).map(lambda minutes: ZERO + timedelta(minutes=minutes))
TIMELINES = st.lists(
    st.builds(PlanEntry, at=MOMENTS, phase=st.none() | PHASES, room=ROOMS), max_size=8, unique_by=lambda one: one.at
).map(lambda entries: tuple(sorted(entries, key=lambda one: one.at)))
Terms = tuple[str, dict[str, Any]]


def replayed(phase: str, room: dict[str, Any], timeline: Timeline, after: datetime | None, moment: datetime) -> Terms:
    """Go through the minutes, and apply each entry when its moment comes."""
    room = dict(room)
    for minute in range(61):
        now = ZERO + timedelta(minutes=minute)
        for entry in timeline:
            if entry.at != now or now > moment or (after is not None and now <= after):
                continue
            is_allowed = phase == "open" or phase == "hold" or (phase == "drain" and entry.phase == "closed")
            if entry.phase is not None and is_allowed:
                phase = entry.phase
            for name, value in entry.room.items():
                room.pop(name, None)
                if value is not None:
                    room[name] = value
    return phase, room


@given(PHASES, TIMELINES, st.none() | MOMENTS, MOMENTS)
def test_evaluating_is_replaying(phase: Phase, timeline: Timeline, after: datetime | None, moment: datetime) -> None:
    entries = due(timeline, after, moment)
    base = {"rate_per_s": 5}
    assert (phase_after(phase, entries), room_after(base, entries)) == replayed(phase, base, timeline, after, moment)


@given(TIMELINES, MOMENTS, MOMENTS)
def test_folding_what_has_applied_into_the_row_changes_nothing(
    timeline: Timeline, one: datetime, other: datetime
) -> None:
    folded_at, moment = sorted((one, other))
    before = due(timeline, None, folded_at)
    later = due(timeline, folded_at, moment)
    whole = due(timeline, None, moment)
    assert phase_after(phase_after("open", before), later) == phase_after("open", whole)
    assert room_after(room_after({}, before), later) == room_after({}, whole)


def test_when_a_plan_closes() -> None:
    at = [ZERO + timedelta(minutes=minute) for minute in range(3)]
    plan = (PlanEntry(at=at[0], phase="hold"), PlanEntry(at=at[1], phase="closed"))
    assert (closes_at(plan, None), closes_at(plan, at[0]), closes_at(plan, at[1])) == (at[1], at[1], None)
    assert closes_at(plan[:1], None) is None
