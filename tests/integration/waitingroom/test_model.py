"""A stateful model of the bucket, held against the real scripts (Hypothesis): no interleaving ever over-admits.

The negative controls take a guard out of the scripts; the model must then find the breach.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from doorbuster.redis_clients import plain_client
from tests.fixtures.rooms import SALE, SECRET, START_MS, Clockwork, visitor
from waitingroom.admissions import Admission
from waitingroom.results import Admitted, Holding, Joined, Left, No
from waitingroom.room import RoomConfig, RoomState
from waitingroom.script_loader import FOLDER
from waitingroom.tickets import Ticket

T = TypeVar("T")
RATE, BURST, MAX_ACTIVE = 2.0, 3, 4
ADMISSION_MS, GRACE_MS = 15_000, 4_000
LOBBY_MS = 5_000
VISITORS = st.integers(0, 11)
GUARDS = {
    "rate": ("room.issue >= 1 and ", ""),
    "concurrency": ("room.active < room.max_active", "true"),
}


class Bucket:
    """The plainest bucket there is: what it refuses, nobody may have been given."""

    def __init__(self) -> None:
        self.level = float(BURST)

    def pass_time(self, ms: int) -> None:
        self.level = min(BURST, self.level + RATE * max(ms, 0) / 1000)

    def take(self) -> None:
        self.level -= 1
        assert self.level >= -1e-6, "admitted beyond burst + rate x window"


class RoomMachine(RuleBasedStateMachine):
    """Visitors, processes and a clock that do what they like."""

    url = ""
    replaced: dict[str, str] = {}  # noqa: RUF012 - set by the test that runs the machine

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bucket = Bucket()
        self.tickets: dict[int, Ticket] = {}
        self.out: dict[int, Admission] = {}
        self.given: dict[tuple[int, int], bytes] = {}
        self.epoch = 1
        self.rooms: list[Any] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(early=st.integers(0, 6))
    def open(self, early: int) -> None:
        self.redis = plain_client(self.url)
        self.run(self.redis.flushall())
        config = RoomConfig(
            sale_number=SALE, version=1, opens_ms=START_MS + LOBBY_MS, lobby_opens_ms=START_MS, rate_per_s=RATE,
            burst=BURST, max_active=MAX_ACTIVE, grace_ms=GRACE_MS, admission_ms=ADMISSION_MS,
        )  # fmt: skip
        self.clock = Clockwork(self.redis, config)
        self.run(self.clock.at(START_MS))
        self.rooms = [self.clock.process(**self.replaced) for _ in range(2)]
        self.run(self.rooms[0].configure())
        for who in range(early):
            self.join(who, 0)
        self.move(LOBBY_MS)
        self.run(self.rooms[0].open_lobby(SECRET))

    def teardown(self) -> None:
        if self.rooms:
            self.run(self.redis.aclose())
        self.loop.close()

    def move(self, ms: int) -> None:
        self.run(self.clock.at(self.clock.now_ms + ms))
        self.bucket.pass_time(ms)
        self.out = {who: one for who, one in self.out.items() if one.expires_s * 1000 > self.clock.now_ms}

    def admitted(self, who: int, answer: object) -> None:
        if not isinstance(answer, Admitted):
            return
        one = answer.admission
        if answer.again:
            assert self.given[one.epoch, one.number] == one.visitor
            return
        assert (one.epoch, one.number) not in self.given, "an admission given twice"
        self.given[one.epoch, one.number] = one.visitor
        self.bucket.take()
        self.out[who] = one

    @rule(ms=st.integers(0, 3_000))
    def time_passes(self, ms: int) -> None:
        self.move(ms)

    @rule(ms=st.sampled_from([-3_600_000, -20_000, -4_000, -900, 9_000, 60_000, 3_600_000]))
    def the_clock_jumps(self, ms: int) -> None:
        self.move(ms)

    @rule(process=st.integers(0, 1))
    def a_process_ticks(self, process: int) -> None:
        self.run(self.rooms[process].tick())

    @rule(process=st.integers(0, 1))
    def a_process_restarts(self, process: int) -> None:
        self.rooms[process] = self.clock.process(**self.replaced)

    @rule(who=VISITORS, process=st.integers(0, 1))
    def join(self, who: int, process: int) -> None:
        joined = self.run(self.rooms[process].join(visitor(str(who))))
        if joined is No.CLOSED:  # the clock went back to before the lobby
            return
        assert isinstance(joined, Joined), joined
        if joined.again:
            assert joined.ticket == self.tickets[who]
        assert joined.ticket.number not in {other.number for one, other in self.tickets.items() if one != who}
        self.tickets[who] = joined.ticket

    @rule(who=VISITORS, process=st.integers(0, 1))
    def claim(self, who: int, process: int) -> None:
        if who in self.tickets:
            self.admitted(who, self.run(self.rooms[process].claim(self.tickets[who])))

    @rule(process=st.integers(0, 1))
    def everyone_joins_and_claims(self, process: int) -> None:
        for who in range(12):
            self.join(who, process)
        for who in range(12):
            self.claim(who, process)

    @rule(who=VISITORS, process=st.integers(0, 1))
    def leave(self, who: int, process: int) -> None:
        if who in self.tickets:
            left = self.run(self.rooms[process].leave(self.tickets[who]))
            if isinstance(left, Holding):
                left = self.run(self.rooms[process].leave(self.tickets[who], ended=left.admission))
            if isinstance(left, Left):
                assert (left.held == "slot") <= (who in self.out)
                self.out.pop(who, None)

    @rule(who=VISITORS, process=st.integers(0, 1), times=st.integers(1, 3))
    def order(self, who: int, process: int, times: int) -> None:
        if who in self.out:
            self.run(self.rooms[process].release([self.out[who]] * times))
            del self.out[who]

    @rule(who=VISITORS, process=st.integers(0, 1))
    def come_by_access_code(self, who: int, process: int) -> None:
        answer = self.run(self.rooms[process].bypass(visitor(str(who)), code="GOLD", quota=1_000))
        self.admitted(who, answer)
        if isinstance(answer, Admitted):
            self.tickets[who] = Ticket(SALE, answer.admission.number, visitor(str(who)))

    @rule(process=st.integers(0, 1))
    def everyone_comes_by_access_code(self, process: int) -> None:
        for who in range(12):
            self.come_by_access_code(who, process)

    @rule(phase=st.sampled_from(["hold", "open"]))
    def ops_hold_and_resume(self, phase: str) -> None:
        self.run(self.clock.change(phase=phase))

    @rule(rate=st.sampled_from([0.0, 0.5, 1_000.0, None]))
    def the_controller_speaks(self, rate: float | None) -> None:
        self.run(self.rooms[0].set_rate(rate))

    @rule()
    def ops_revoke_the_wave(self) -> None:
        self.epoch += 1
        self.run(self.clock.change(epoch=self.epoch))
        self.out = {}

    @invariant()
    def the_caps_hold(self) -> None:
        if not self.rooms:
            return
        state: RoomState = self.run(self.rooms[0].tick())
        assert state.frontier <= state.tail
        assert len(self.out) <= state.active <= MAX_ACTIVE, "more out than the room counts, or than it may let in"
        assert state.pending >= 0
        assert 0 <= state.waiting <= state.tail - state.frontier
        assert state.counts.admitted == len(self.given)


@contextmanager
def machine(url: str, replaced: dict[str, str]) -> Iterator[type[RoomMachine]]:
    RoomMachine.url, RoomMachine.replaced = url, replaced
    yield RoomMachine
    RoomMachine.url, RoomMachine.replaced = "", {}


_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def test_no_interleaving_over_admits(room_redis_url: str) -> None:
    with machine(room_redis_url, {}) as model:
        run_state_machine_as_test(
            model,
            settings=settings(max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=_QUIET),
        )


@pytest.mark.parametrize("guard", GUARDS)
def test_without_its_guard_it_does(room_redis_url: str, guard: str) -> None:
    source = (FOLDER / "shared" / "admit.lua").read_text()
    was, becomes = GUARDS[guard]
    assert was in source
    limits = settings(
        max_examples=300, stateful_step_count=40, deadline=None, suppress_health_check=_QUIET,
        phases=[Phase.generate], database=None, derandomize=True,
    )  # fmt: skip
    with machine(room_redis_url, {"admit": source.replace(was, becomes)}) as model, pytest.raises(AssertionError):
        run_state_machine_as_test(model, settings=limits)
