"""The room by a sale's plan: terms change at their moment by the store's clock, whoever is there to see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.fixtures.rooms import START_MS, Clockwork
from waitingroom.room import Mode, Phase, PlannedChange, RoomConfig, effective_phase

MINUTE_MS = 60_000


def planned(config: RoomConfig, *steps: tuple[int, dict[str, Any]]) -> tuple[PlannedChange, ...]:
    """Return changes, each on top of those before."""
    made: list[PlannedChange] = []
    for at_ms, terms in steps:
        config = replace(config, **terms)
        made.append(PlannedChange(at_ms, config))
    return tuple(made)


async def with_plan(room: Clockwork, *steps: tuple[int, dict[str, Any]]) -> None:
    await room.change(changes=planned(replace(room.config, version=room.config.version + 1), *steps))


async def test_rate_message_and_caps_change_at_their_moment(clockwork: Callable[..., Any]) -> None:
    room: Clockwork = await clockwork(rate_per_s=10, burst=10)
    at = START_MS + 10_000
    await with_plan(room, (at, {"rate_per_s": 2, "burst": 2, "message": "slower"}), (at + 5_000, {"max_active": 7}))
    await room.join_many(500)
    before = await room.over(9.0)
    assert (before.config.rate_per_s, before.config.message) == (10, "")
    await room.at(at - 1)
    frontier = (await room.room.tick()).frontier
    after = await room.after(0.001)
    assert (after.config.rate_per_s, after.config.burst, after.config.message) == (2, 2, "slower")
    assert (await room.over(4.0)).frontier - frontier <= 2 + 4 * 2
    assert (await room.over(2.0)).config.max_active == 7


async def test_a_store_that_nobody_asked_for_an_hour_applies_all_of_it_at_once(clockwork: Callable[..., Any]) -> None:
    room: Clockwork = await clockwork(rate_per_s=10, burst=10)
    steps = [(START_MS + n * MINUTE_MS, {"rate_per_s": 10 + n, "phase": ("open", "hold")[n % 2]}) for n in range(1, 6)]
    await with_plan(room, *steps)
    state = await room.after(3_600)
    assert (state.config.rate_per_s, state.config.phase, state.phase) == (15, "hold", Phase.HOLD)
    again = await room.after(3_600)
    assert (again.config.rate_per_s, again.phase) == (15, Phase.HOLD)


async def test_nobody_is_let_in_between_hold_and_open_also_without_a_tick(clockwork: Callable[..., Any]) -> None:
    room: Clockwork = await clockwork(rate_per_s=10, burst=10, grace_ms=30_000)
    tickets = await room.join_many(40)
    hold = START_MS + 2_000
    await with_plan(room, (hold, {"phase": "hold"}), (hold + 60_000, {"phase": "open"}))
    await room.over(1.0)
    await room.at(hold)
    assert await room.admitted(tickets) == []
    await room.at(hold + 59_999)
    assert await room.admitted(tickets) == []
    # The grace of those released before the hold did not run: nobody's place is gone.
    await room.at(hold + 60_000)
    state = await room.room.tick()
    assert (state.phase, state.counts.lapsed) == (Phase.OPEN, 0)
    assert 0 < len(await room.admitted(tickets)) <= 20


async def test_what_the_bucket_earned_before_was_earned_at_the_old_rate(clockwork: Callable[..., Any]) -> None:
    room: Clockwork = await clockwork(rate_per_s=1, burst=100)
    await room.join_many(400)
    frontier = (await room.over(1.0)).frontier
    await with_plan(room, (room.now_ms + 10_000, {"rate_per_s": 50}))
    # Nobody looked for 11 s: ten of them at 1/s, one at 50/s.
    assert (await room.after(11.0)).frontier - frontier == 10 + 50


async def test_a_newer_configuration_takes_the_place_of_the_plan(clockwork: Callable[..., Any]) -> None:
    room: Clockwork = await clockwork(rate_per_s=10, burst=10)
    await with_plan(room, (START_MS + 5_000, {"phase": "hold"}))
    await room.change(changes=())
    assert (await room.after(10.0)).phase is Phase.OPEN


async def test_a_lost_store_is_told_the_plan_again(clockwork: Callable[..., Any]) -> None:
    room: Clockwork = await clockwork(rate_per_s=10, burst=10)
    await with_plan(room, (START_MS + 1_000, {"rate_per_s": 3}), (START_MS + 90_000, {"mode": Mode.OFF}))
    await room.redis.flushall()
    await room.at(START_MS + 30_000)
    await room.room.configure()
    state = await room.room.tick()
    assert (state.config.rate_per_s, state.config.mode) == (3, Mode.ALWAYS)
    assert (await room.after(60.0)).config.mode is Mode.OFF


def test_the_pure_function_says_what_the_scripts_do() -> None:
    config = RoomConfig(sale_number=1, version=1, opens_ms=10, closes_ms=100)
    plan = replace(config, changes=planned(config, (20, {"phase": "hold"}), (30, {"phase": "open"})))
    seen = [effective_phase(plan, now) for now in (5, 15, 20, 29, 30, 100)]
    assert seen == [Phase.CLOSED, Phase.OPEN, Phase.HOLD, Phase.HOLD, Phase.OPEN, Phase.OVER]
