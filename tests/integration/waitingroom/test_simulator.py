"""The simulator: small crowds, the real scripts; and that its figures would show a breach."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from waitingroom.script_loader import FOLDER
from waitingroom.simulator import store as simulated
from waitingroom.simulator.clock import VIRTUAL
from waitingroom.simulator.figures import busiest, kendall_tau, overdraft, percentile
from waitingroom.simulator.report import breaches, report, rows_of
from waitingroom.simulator.run import Simulation, Trace
from waitingroom.simulator.scenario import SCENARIOS, Scenario

SMALL = Scenario(
    name="small", about="a test", registered=400, latecomers=200, late_s=20, rate_per_s=20, burst=20, ends_s=60,
    max_active=150, grace_s=5, admission_s=20, order_s=5, no_show=0.2, leaving=0.1, bots=20, bot_joins=20,
)  # fmt: skip


def simulate(scenario: Scenario, seed: int = 1) -> Trace:
    with simulated.simulated_store() as store:
        return Simulation(scenario, store, seed).run()


def test_a_small_crowd_keeps_every_promise() -> None:
    trace = simulate(SMALL)
    assert breaches([trace]) == []
    assert trace.idle_calls == 0
    assert len(trace.admitted) > 300
    assert "overdraft" in report([trace])


def test_the_same_seed_gives_the_same_run() -> None:
    one, other = simulate(SMALL), simulate(SMALL)
    assert (one.admitted, one.claimants) == (other.admitted, other.claimants)
    assert simulate(SMALL, seed=2).claimants != one.claimants


def test_an_outage_and_a_restart_keep_every_promise() -> None:
    trace = simulate(replace(SMALL, ends_s=120, pause_at_s=5, kill_at_s=70, slow_at_s=72, max_active=0))
    assert breaches([trace]) == []
    assert trace.last is not None
    assert trace.last.waiting == 0


def test_it_shows_the_breach_when_the_scripts_lack_their_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    source = (FOLDER / "shared" / "admit.lua").read_text().replace("room.issue >= 1 and ", "")
    monkeypatch.setattr(simulated, "VIRTUAL", VIRTUAL | {"admit": source})
    bunching = replace(SMALL, burst=2, no_show=0.6, max_active=0)
    assert "small: overdraft" in breaches([simulate(bunching)])


def test_the_scenarios_of_the_report_have_names_of_their_own() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    assert all(row.name for row in rows_of(simulate(replace(SMALL, registered=20, latecomers=5, ends_s=5))))


def test_busiest_window() -> None:
    assert busiest([], 1_000) == 0
    assert busiest([0, 500, 999, 1_000, 1_001], 1_000) == 4
    assert busiest([0, 1_000, 2_000], 1_000) == 1


def test_overdraft_of_a_bucket() -> None:
    assert overdraft([0, 0, 500, 1_000], rate_per_s=2, burst=2) == 0
    assert overdraft([0, 0, 0], rate_per_s=2, burst=2) == pytest.approx(1)


def test_kendalls_tau_equals_its_definition() -> None:
    order = list(range(60))
    Random(3).shuffle(order)
    pairs = [(a, b) for at, a in enumerate(order) for b in order[at + 1 :]]
    assert kendall_tau(order) == pytest.approx(sum(1 if a < b else -1 for a, b in pairs) / len(pairs))
    assert (kendall_tau([1, 2, 3]), kendall_tau([3, 2, 1])) == (1, -1)


def test_percentile() -> None:
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([], 0.5) == 0
