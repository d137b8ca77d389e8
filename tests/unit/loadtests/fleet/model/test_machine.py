"""Cores that are shared: against what is known of queues in closed form."""

from __future__ import annotations

from random import Random
from statistics import mean

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.fleet.model.machine import MOVE_S, Inbox, Machine, Steps

SERVICE_S = 0.001


def waits_of_one_server(load: float, jobs: int, seed: int) -> list[float]:
    """Return how long each of Poisson's arrivals waited for a server that takes the same for each (M/D/1)."""
    env, random, waits = simpy.Environment(), Random(seed), []
    inbox: Inbox[float] = Inbox(env)
    machine = Machine(env, 1, processes=1)

    def serve() -> Steps:
        while True:
            for came in (yield from inbox.take()):
                waits.append(env.now - came)
                yield from machine.work(SERVICE_S)

    def come() -> Steps:
        for _ in range(jobs):
            yield env.timeout(random.expovariate(load / SERVICE_S))
            inbox.put(env.now)

    env.process(serve())
    env.process(come())
    env.run()
    assert machine.busy_s == pytest.approx(jobs * SERVICE_S)
    return waits


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_who_waits_for_one_server_waits_as_long_as_pollaczek_and_khinchine_say(load: float) -> None:
    waits = waits_of_one_server(load, 30_000, seed=7)
    assert mean(waits) == pytest.approx(SERVICE_S * load / (2 * (1 - load)), rel=0.1)


def finished_at(cores: int, jobs: list[float]) -> list[float]:
    """Return when each of the jobs that all begin at once ends."""
    env, ends = simpy.Environment(), [0.0] * len(jobs)
    machine = Machine(env, cores)

    def job(place: int) -> Steps:
        yield from machine.work(jobs[place])
        ends[place] = env.now

    for place in range(len(jobs)):
        env.process(job(place))
    env.run()
    assert machine.busy_s == pytest.approx(sum(jobs))
    return ends


JOBS = st.lists(st.floats(0.0001, 0.05), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(JOBS, st.integers(1, 6))
def test_cores_do_all_of_the_work_and_no_more_than_they_can(jobs: list[float], cores: int) -> None:
    ends = finished_at(cores, jobs)
    last = max(ends)
    assert last >= max(max(jobs), sum(jobs) / cores) - 1e-9
    # Never longer than one core would take, and the time in which an idle core did not look.
    assert last <= sum(jobs) / cores + max(jobs) + MOVE_S * len(jobs) + 0.05


@settings(max_examples=60, deadline=None)
@given(JOBS)
def test_as_many_cores_as_jobs_leave_nobody_waiting(jobs: list[float]) -> None:
    assert finished_at(len(jobs), jobs) == pytest.approx(jobs)


def test_two_that_share_a_core_take_turns() -> None:
    first, second = finished_at(1, [0.03, 0.03])
    assert abs(first - second) < 0.002
    assert second == pytest.approx(0.06)


def test_others_use_their_share() -> None:
    env = simpy.Environment()
    machine = Machine(env, 2)
    machine.be_used(1.25)
    env.run(until=10)
    assert machine.busy_s == pytest.approx(12.5, rel=0.02)


def test_who_is_interrupted_while_waiting_leaves_the_core_to_others() -> None:
    env = simpy.Environment()
    machine = Machine(env, 1)
    ended: dict[str, float] = {}

    def job(name: str) -> Steps:
        try:
            yield from machine.work(0.01)
            ended[name] = env.now
        except simpy.Interrupt:
            ended[f"{name} interrupted"] = env.now

    env.process(job("first"))
    victim = env.process(job("second"))
    env.process(job("third"))
    env.run(until=0.0001)
    victim.interrupt()
    env.run()
    assert ended["third"] == pytest.approx(0.02)
    assert set(ended) == {"first", "second interrupted", "third"}
