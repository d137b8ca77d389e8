"""A crowd that asks as rarely as it is told before a slow room with a short burst: the rate is used all the same.

Time is virtual: nothing here depends on how busy the machine is.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from itertools import count
from random import Random
from typing import NamedTuple

import pytest

from tests.fixtures.rooms import START_MS, Clockwork, visitor
from waitingroom.polling import poll_for, retry_after_s
from waitingroom.results import Admitted, Joined, No, Wait
from waitingroom.room_store import Room
from waitingroom.script_loader import FOLDER

Make = Callable[..., Awaitable[Clockwork]]
RATE, BURST = 20, 5
SECONDS, SETTLED_S = 18.0, 6.0
HALVED_BY_ONE = {
    "advance": (FOLDER / "shared" / "advance.lua")
    .read_text()
    .replace(
        "room.queued > math.max(room.burst, rate * QUEUE_S, QUEUE_LEAST)",
        "now - room.throttled_ms < PATIENCE_MS and room.pending > room.issue",
    )
}
"""The rule before: any claim put off within 2.5 s had the frontier earn half."""
TOLD_BY_THE_RATE = {
    "admit": (FOLDER / "shared" / "admit.lua").read_text().replace("rate * (1 + CATCH_UP) or rate", "rate or rate")
}
"""Who is put off is told to come as if nothing were owed."""


class Stalling(NamedTuple):
    """How long something stands still, and how often; the whole machine, or the visitors' side alone."""

    for_s: float
    every_s: float
    whole: bool = True


NEVER = Stalling(0.0, 1.0)


class AskingCrowd:
    """More visitors than can be let in, who look at the frontier and claim in their turn; one process that ticks."""

    def __init__(self, clock: Clockwork, room: Room, *, stalling: Stalling = NEVER, no_shows: float = 0.0) -> None:
        self.clock, self.room, self._stalling, self._no_shows = clock, room, stalling, no_shows
        self.admitted_s: list[float] = []
        self.lapsed = 0
        self._draw, self._order = Random(1), count()
        self._due: list[tuple[float, int, int]] = []
        """When, in turn, who: a visitor, -1 the process."""
        self._poll = poll_for(clock.config.grace_ms / 1000)

    async def come_and_wait(self) -> None:
        """Let everybody join, look and claim until the time is over."""
        crowd = int(RATE * SECONDS * 1.2 / (1 - self._no_shows))
        joined = await asyncio.gather(*(self.room.join(visitor(f"visitor-{who}")) for who in range(crowd)))
        tickets = [one.ticket for one in joined if isinstance(one, Joined)]
        state = await self.room.tick()
        claiming = set[int]()
        self._at(0.0, -1)
        for who, ticket in enumerate(tickets):
            self._look_later(0.0, who, ticket.number, state.pace_per_s)
        while True:
            now, _, who = heapq.heappop(self._due)
            if (goes_on := self._goes_on(now, who)) > now:
                self._at(goes_on, who)
                continue
            if now >= SECONDS:
                return
            await self.clock.at(START_MS + round(now * 1000))
            if who < 0:
                state = await self.room.tick()
                self._at(now + self.clock.config.tick_s, -1)
            elif who in claiming or (position := tickets[who].number - state.frontier) <= 0:
                if who not in claiming and self._draw.random() < self._no_shows:
                    continue
                claiming.add(who)
                found = await self.room.claim(tickets[who])
                if isinstance(found, Wait):
                    self._at(now + (found.retry_after_s or 1.0), who)
                elif isinstance(found, Admitted):
                    self.admitted_s.append(now)
                else:
                    assert found is No.LAPSED, found
                    self.lapsed += 1
            else:
                self._look_later(now, who, position, state.pace_per_s)

    def used(self) -> float:
        """Return what was used of the rate once the crowd had begun to claim."""
        settled = [one for one in self.admitted_s if one >= SETTLED_S]
        return len(settled) / RATE / (SECONDS - SETTLED_S)

    def _goes_on(self, now: float, who: int) -> float:
        """Return when who is due goes on, that stands still now and then."""
        stalling = self._stalling
        into = now % stalling.every_s
        return now - into + stalling.for_s if into < stalling.for_s and (stalling.whole or who >= 0) else now

    def _look_later(self, now: float, who: int, position: int, pace_per_s: float) -> None:
        self._at(now + retry_after_s(position, pace_per_s, self._poll, self._draw.random()), who)

    def _at(self, due: float, who: int) -> None:
        heapq.heappush(self._due, (due, next(self._order), who))


def breaches(admitted_s: list[float], *, owed: bool, burst: int = BURST) -> list[tuple[float, float, int]]:
    """Return windows in which more were let in than burst and rate allow, and what stalls are owed."""
    found = []
    for i, first in enumerate(admitted_s):
        for j, last in enumerate(admitted_s[i:], i):
            earned = RATE * (last - first)
            if j - i + 1 > burst + earned + (min(RATE - burst, earned) if owed else 0) + 0.1:
                found.append((first, last, j - i + 1))
    return found


@pytest.mark.parametrize(
    ("stalling", "least"), [(NEVER, 0.97), (Stalling(0.5, 2.0), 0.97), (Stalling(0.35, 0.6, whole=False), 0.84)]
)
async def test_a_slow_room_uses_its_rate_whoever_asks_when(clockwork: Make, stalling: Stalling, least: float) -> None:
    clock = await clockwork(rate_per_s=RATE, burst=BURST)
    crowd = AskingCrowd(clock, clock.room, stalling=stalling)
    await crowd.come_and_wait()
    assert crowd.used() >= least
    assert len(crowd.admitted_s) <= BURST + RATE * SECONDS
    assert breaches(crowd.admitted_s, owed=stalling is not NEVER) == []


async def used_of_one_at_a_time(clockwork: Make, **replaced: str) -> float:
    """Return what a room of burst 1 uses whose whole machine stands still for half a second in two; its bound holds."""
    clock = await clockwork(rate_per_s=RATE, burst=1)
    crowd = AskingCrowd(clock, clock.process(**replaced), stalling=Stalling(0.5, 2.0))
    await crowd.come_and_wait()
    assert breaches(crowd.admitted_s, owed=True, burst=1) == []
    return crowd.used()


async def test_a_room_that_lets_in_one_at_a_time_makes_up_for_most_of_its_stalls(clockwork: Make) -> None:
    assert await used_of_one_at_a_time(clockwork) >= 0.88


async def test_where_who_is_put_off_comes_no_sooner_for_what_is_owed_a_sixth_is_lost(clockwork: Make) -> None:
    assert await used_of_one_at_a_time(clockwork, **TOLD_BY_THE_RATE) < 0.86


async def test_where_one_claim_put_off_slows_the_frontier_a_quarter_is_lost(clockwork: Make) -> None:
    clock = await clockwork(rate_per_s=RATE, burst=BURST)
    crowd = AskingCrowd(clock, clock.process(**HALVED_BY_ONE))
    await crowd.come_and_wait()
    assert crowd.used() < 0.85


async def test_no_shows_are_made_up_for_while_claims_are_put_off(clockwork: Make) -> None:
    clock = await clockwork(rate_per_s=RATE, burst=BURST, grace_ms=3_000)
    crowd = AskingCrowd(clock, clock.room, no_shows=0.2)
    await crowd.come_and_wait()
    assert (await clock.room.tick()).counts.throttled > 50
    assert crowd.used() >= 0.93
    assert crowd.lapsed == 0, "who was put off does not lose the place meanwhile"


async def test_a_place_whose_claim_was_put_off_is_kept_as_long_as_it_comes_again(clockwork: Make) -> None:
    clock = await clockwork(rate_per_s=10, burst=10, grace_ms=3_000)
    first, second = await clock.join_many(2)
    assert (await clock.after(0.1)).frontier == 2
    await clock.change(max_active=1)
    await clock.after(2.9)
    assert isinstance(await clock.room.claim(first), Admitted)
    for _ in range(3):
        assert isinstance(await clock.room.claim(second), Wait), "the only slot is taken, and the grace is over"
        await clock.over(2.0)
    await clock.over(4.0)
    assert await clock.room.claim(second) is No.LAPSED, "it did not come again"
