"""How long a visitor is told to wait: near the truth also in slow rooms, and steady while nothing changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.fixtures.rooms import Clockwork
from waitingroom.polling import eta_range_s

Make = Callable[..., Awaitable[Clockwork]]


@pytest.mark.parametrize("rate", [0.02, 0.1, 1.0, 20.0])
async def test_the_range_holds_the_truth_from_the_first_moment(clockwork: Make, rate: float) -> None:
    made = await clockwork(rate_per_s=rate, burst=1, grace_ms=300_000)
    await made.join_many(60)
    step_s = min(1.0, 0.5 / rate) if rate > 1 else 1.0
    widths: list[float] = []
    for _ in range(round(min(40 / rate, 600) / step_s)):
        state = await made.after(step_s)
        position = 60 - state.frontier
        if position <= 1 or state.frontier < 1:
            continue
        told = eta_range_s(position, state.paces)
        assert told is not None
        least, most = told
        assert least * 0.9 <= position / rate <= most * 1.1, f"{told} for {position} at {rate}/s"
        assert most / least <= 3.5, "a range, not a guess"
        widths.append(most / least)
    assert widths


async def test_a_slow_rooms_pace_does_not_jump_with_each_who_is_let_in(clockwork: Make) -> None:
    made = await clockwork(rate_per_s=0.1, burst=1, grace_ms=300_000)
    await made.join_many(60)
    seen: list[float] = []
    for second in range(300):
        state = await made.after(1)
        if second > 15:
            seen.append(state.pace_per_s)
    assert max(seen) / min(seen) < 1.6


async def test_a_room_that_is_full_is_soon_known_to_be_slower_than_its_rate(clockwork: Make) -> None:
    made = await clockwork(rate_per_s=10.0, burst=1, max_active=5, admission_ms=10_000, grace_ms=5_000)
    tickets = await made.join_many(200)
    for second in range(90):
        state = await made.after(1)
        for ticket in tickets[: state.frontier]:
            if state.position(ticket.number) == 0:
                await made.room.claim(ticket)
        if second > 60:
            told = eta_range_s(100, state.paces)
            assert told is not None
            assert told[1] > 100 / 10 * 5, "not what the rate would promise"


async def test_who_does_not_come_is_not_counted_as_let_in(clockwork: Make) -> None:
    made = await clockwork(rate_per_s=10.0, burst=10, grace_ms=1_000)
    tickets = await made.join_many(20)
    await made.after(1)
    await made.room.claim(tickets[0])
    state: Any = await made.over(10)
    assert state.frontier == 20
    assert state.counts.admitted == 1
    assert state.counts.lapsed == 19
