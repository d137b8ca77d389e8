"""One simulation, step by step. Owns the order of a step and what is written down; never decides what a script does.

A step: the clock moves, the room ticks, whom the frontier reached is noted, then what falls due in it happens: joins,
claims, leaves, orders, each kind in a drawn order.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from waitingroom.polling import eta_s
from waitingroom.room import RoomState
from waitingroom.shuffle import permute, seed_of
from waitingroom.simulator.crowd import NEVER, Crowd, gather
from waitingroom.simulator.scenario import LOBBY_S, START_MS, Scenario
from waitingroom.simulator.store import Call, SimulatedStore

_SECRET = bytes(range(32))
_SECRET8 = b"8 bytes."
_PAUSE_S = _SLOW_S = 60
_ETA_EVERY_S, _ETA_SAMPLE = 10, 50


@dataclass(slots=True)
class Trace:
    """What was seen."""

    scenario: Scenario
    crowd: Crowd
    admitted: list[int] = field(default_factory=list)
    """Virtual milliseconds of each admission, in order."""
    released: list[tuple[int, int]] = field(default_factory=list)
    """(virtual milliseconds, places) of each advance."""
    claimants: list[int] = field(default_factory=list)
    """Visitors in the order of their admissions."""
    estimates: list[tuple[int, int, float]] = field(default_factory=list)
    """(visitor, virtual milliseconds, estimated seconds to release)."""
    active_max: int = 0
    idle_slot_s: float = 0.0
    """Slots free, and a token for each, while people waited."""
    kept_slot_s: float = 0.0
    """Slots of released visitors who had not claimed yet."""
    waiting_ms: int = 0
    """How long people waited with the room running."""
    rate_s: float = 0.0
    """Admissions the rate allowed in that time."""
    duplicates: int = 0
    rejoins: int = 0
    opening_s: float = 0.0
    """Real seconds from the start to the shuffled lobby."""
    join_s: float = 0.0
    joins: int = 0
    bytes_per_waiting: float = 0.0
    released_order: list[int] = field(default_factory=list)
    """Places in the order in which their visitors were seen released."""
    claims: int = 0
    calls: int = 0
    """Calls of scripts from the start on, as the server counts them."""
    asked: int = 0
    """Of these, ticks, joins, claims, leaves, orders and what the scenario does."""

    last: RoomState | None = None

    @property
    def idle_calls(self) -> int:
        """Calls made for visitors who only wait."""
        return self.calls - self.asked


class Simulation:
    """A crowd before a room."""

    def __init__(self, scenario: Scenario, store: SimulatedStore, seed: int = 1) -> None:
        self._scenario = scenario
        self._store = store
        self._crowd = gather(scenario, seed)
        self._trace = Trace(scenario, self._crowd)
        self._who_at: dict[int, int] = {}
        self._cohort, self._seed = -1, b""
        self._seen_frontier = 0
        self._order = random.Random(seed)  # noqa: S311 - a simulation must repeat

    def run(self) -> Trace:
        """Simulate to the end."""
        scenario, store = self._scenario, self._store
        store.set_clock(START_MS - (LOBBY_S + 1) * 1000)
        store.configure(scenario.config())
        before = store.memory()
        self._lobby()
        self._trace.bytes_per_waiting = (store.memory() - before) / max(scenario.registered, 1)
        self._open()
        calls, asked = store.commands(), store.asked
        for step in range(scenario.ends_s * 1000 // scenario.step_ms):
            if not self._happenings(step * scenario.step_ms):
                self._step(step)
        self._trace.calls += store.commands() - calls
        self._trace.asked = store.asked - asked
        self._trace.last = store.tick()
        return self._trace

    def _lobby(self) -> None:
        began = time.perf_counter()
        first = -LOBBY_S * 1000 // self._scenario.step_ms
        for step in range(first - 1, 0):
            if due := self._crowd.joins.pop(step, None):
                self._store.set_clock(START_MS + step * self._scenario.step_ms)
                self._join(due, START_MS + step * self._scenario.step_ms)
        self._trace.join_s = time.perf_counter() - began
        self._trace.joins = self._scenario.registered

    def _open(self) -> None:
        """Start the sale: fix the cohort, set the seed, and know everyone's place."""
        began = time.perf_counter()
        self._store.set_clock(START_MS)
        cohort = self._store.tick().cohort or 0
        self._seed, self._cohort = seed_of(_SECRET, cohort), cohort
        self._store.run("open_lobby", cohort, self._seed)
        self._trace.opening_s = time.perf_counter() - began
        for who in range(self._scenario.registered):
            self._crowd.place[who] = 1 + permute(self._crowd.number[who] - 1, cohort, self._seed)
            self._who_at[self._crowd.place[who]] = who

    def _happenings(self, at_ms: int) -> bool:
        """Make the scenario's outages happen; say whether the store stands still now."""
        scenario = self._scenario
        if at_ms and at_ms == scenario.kill_at_s * 1000:
            before = self._store.commands()
            self._store.kill_and_restart()
            self._trace.calls += before - self._store.commands()
        if at_ms and at_ms == scenario.slow_at_s * 1000:
            self._store.run("set_rate", scenario.rate_per_s / 2)
        if at_ms and at_ms == (scenario.slow_at_s + _SLOW_S) * 1000:
            self._store.run("set_rate", "")
        return 0 <= at_ms - scenario.pause_at_s * 1000 < _PAUSE_S * 1000 and scenario.pause_at_s > 0

    def _step(self, step: int) -> None:
        now_ms = START_MS + step * self._scenario.step_ms
        self._store.set_clock(now_ms)
        self._observe(self._store.tick(), now_ms)
        due = {}
        for what in ("joins", "claims", "leaves", "orders"):
            plan: dict[int, list[int]] = getattr(self._crowd, what)
            due[what] = [who for earlier in [one for one in plan if one <= step] for who in plan.pop(earlier)]
            self._order.shuffle(due[what])
        self._join(due["joins"], now_ms)
        self._claim(due["claims"], now_ms)
        self._leave([who for who in due["leaves"] if self._crowd.number[who] != NEVER])
        self._release(due["orders"])

    def _observe(self, state: RoomState, now_ms: int) -> None:
        trace, crowd = self._trace, self._crowd
        if state.frontier > self._seen_frontier:
            trace.released.append((now_ms, state.frontier - self._seen_frontier))
        for place in range(self._seen_frontier + 1, state.frontier + 1):
            if (who := self._who_at.get(place)) is not None:
                crowd.released(who, now_ms)
                trace.released_order.append(place)
        self._seen_frontier = state.frontier
        trace.active_max = max(trace.active_max, state.active)
        if state.waiting > 0:
            seconds = self._scenario.step_ms / 1000
            rate = min(self._scenario.rate_per_s, state.rate_now or self._scenario.rate_per_s)
            trace.waiting_ms += self._scenario.step_ms
            trace.rate_s += rate * seconds
            if self._scenario.max_active:
                free = max(self._scenario.max_active - state.active - state.pending, 0)
                trace.idle_slot_s += min(free, max(int(state.tokens), 0)) * seconds
                trace.kept_slot_s += state.pending * seconds
            if now_ms % (_ETA_EVERY_S * 1000) == 0:
                self._estimate(state, now_ms)

    def _estimate(self, state: RoomState, now_ms: int) -> None:
        for place in self._order.sample(range(state.frontier + 1, state.tail + 1), min(_ETA_SAMPLE, state.waiting)):
            wait = eta_s(place - state.frontier, state.pace_per_s)
            if wait is not None and (who := self._who_at.get(place)) is not None:
                self._trace.estimates.append((who, now_ms, wait))

    def _join(self, visitors: Sequence[int], now_ms: int) -> None:
        crowd = self._crowd
        replies = self._store.run_all([self._join_call(who) for who in visitors])
        for who, reply in zip(visitors, replies, strict=True):
            if reply[0] in (b"sold_out", b"over", b"closed"):
                continue
            number = int(reply[1])
            if reply[0] == b"joined":
                self._joined(who, number, now_ms)
            else:
                self._trace.rejoins += 1
                self._trace.duplicates += number != crowd.number[who]

    def _joined(self, who: int, number: int, now_ms: int) -> None:
        """Note a place; one who joins anew after its place was over is the same visitor again."""
        crowd = self._crowd
        crowd.number[who], crowd.joined_ms[who] = number, now_ms
        crowd.released_ms[who] = crowd.admitted_ms[who] = NEVER
        crowd.left.discard(who)
        if self._cohort >= 0:
            self._trace.duplicates += number in self._who_at
            crowd.place[who] = number
            self._who_at[number] = who

    def _join_call(self, who: int) -> Call:
        crowd = self._crowd
        known = (max(crowd.number[who], 0), max(crowd.place[who], 0), self._cohort)
        return "join", crowd.digests[who], (crowd.digests[who], _SECRET8, b"", *known)

    def _named(self, verb: str, who: int) -> Call:
        crowd = self._crowd
        return verb, crowd.digests[who], (crowd.digests[who], crowd.number[who], crowd.place[who], self._cohort)

    def _claim(self, visitors: Sequence[int], now_ms: int) -> None:
        self._trace.claims += len(visitors)
        replies: list[Any] = self._store.run_all([self._named("claim", who) for who in visitors])
        for who, reply in zip(visitors, replies, strict=True):
            if reply[0] == b"admitted":
                self._trace.admitted.append(now_ms)
                self._trace.claimants.append(who)
                self._crowd.admitted(who, now_ms)
            elif reply[0] == b"wait":
                self._crowd.claim_later(who, now_ms, max(int(reply[3]), 1_000) / 1000)

    def _leave(self, visitors: Sequence[int]) -> None:
        waiting = [who for who in visitors if self._crowd.admitted_ms[who] == NEVER]
        self._crowd.left.update(waiting)
        self._store.run_all([self._named("leave", who) for who in waiting])

    def _release(self, visitors: Sequence[int]) -> None:
        crowd = self._crowd
        self._store.run_all(
            [("release", crowd.digests[who], (crowd.digests[who], crowd.number[who], 1)) for who in visitors]
        )
