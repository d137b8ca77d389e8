"""A shift's pauses: none while little happens, the same for all that is busy."""

from __future__ import annotations

from workers.runtime.shift import BUSY, PACE_S, pace_s


def test_a_lone_order_costs_the_next_one_hardly_a_pause() -> None:
    assert pace_s(1) <= PACE_S / BUSY


def test_a_busy_step_is_followed_by_the_whole_pause_however_busy_it_was() -> None:
    assert pace_s(BUSY) == pace_s(BUSY * 40) == PACE_S
