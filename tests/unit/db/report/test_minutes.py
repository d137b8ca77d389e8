"""Minutes become longer steps where a sale goes on for days; nothing is lost by it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from db.report.minutes import ROWS_MAX, rows, step_of

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def moments(*minutes: int) -> list[datetime]:
    return [BEGIN + timedelta(minutes=minute) for minute in minutes]


def test_a_night_is_told_by_minutes_and_a_month_by_more() -> None:
    assert step_of(moments(*range(600))) == 60
    assert step_of(moments(0, 40_000)) == 60, "few rows, however far apart"
    assert step_of(moments(*range(30 * 1440))) == 900
    assert step_of([]) == 60


@given(
    st.dictionaries(st.integers(0, 50_000), st.integers(1, 9), max_size=40), st.sampled_from([60, 300, 3_600, 86_400])
)
def test_the_sums_are_the_same_in_any_step(accepted: dict[int, int], step_s: int) -> None:
    counts = {BEGIN + timedelta(minutes=minute): Counter(accepted=count) for minute, count in accepted.items()}
    told = rows(counts, step_s, known=False)
    assert sum(row.accepted for row in told) == sum(accepted.values())
    assert [row.at for row in told] == sorted({row.at for row in told})
    assert all(row.at.timestamp() % step_s == 0 and row.offered is None for row in told)
    assert len(told) <= ROWS_MAX
