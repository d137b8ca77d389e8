"""The load runs in small, against a whole system: each ends with the audit and with every 202 accounted for."""

from __future__ import annotations

import json
from array import array
from pathlib import Path

import psutil
import pytest

from loadtests import demo, locust_run, read_mix
from loadtests.bench.run import main as bench
from loadtests.crew import carry_out
from loadtests.invoices import read
from loadtests.plan import Mix, Plan
from loadtests.replay import RECORDED, replay
from loadtests.report import console
from loadtests.servers import serving

INVOICES = Path(__file__).parents[2] / RECORDED


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for a second beside other tests is no fault of a store."""
    monkeypatch.setenv("STORE_TIMEOUT_S", "10")
    monkeypatch.setenv("SEARCH_TIMEOUT_S", "10")


def left_running(folder: Path) -> list[str]:
    """Return the command lines of processes that still mention a run's folder."""
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in part for part in process.info["cmdline"] or [])
    ]


async def test_the_demo_in_small_keeps_every_promise_and_leaves_nothing_running(tmp_path: Path) -> None:
    outcome = await demo.play(tmp_path, demo.QUICK)
    assert outcome.good
    assert outcome.result.offered == len(demo.QUICK.shape.arrivals())
    assert sum(outcome.result.outcomes.values()) == outcome.result.offered
    assert sum(outcome.states.values()) == outcome.distinct == outcome.result.accepted_count
    assert outcome.states["confirmed"] > 0
    visits = outcome.result.visits
    assert visits is not None
    assert visits.joined + visits.gatecrashed == outcome.result.offered
    assert 0 < outcome.result.outcomes["admission_required"] <= visits.gatecrashed
    assert outcome.result.accepted_count <= visits.admitted <= visits.joined
    assert visits.fetches < visits.looks
    assert len(outcome.to_final) == outcome.distinct
    assert left_running(tmp_path) == []


@pytest.mark.skipif(not INVOICES.exists(), reason="the recorded invoices are not beside this checkout")
async def test_real_invoices_replayed_are_all_confirmed_and_the_stock_goes_out_even(tmp_path: Path) -> None:
    invoices = read(INVOICES, invoices_max=300)
    replayed = await replay(tmp_path, invoices, console())
    assert replayed.states == {"confirmed": len(invoices.orders)}
    assert replayed.good


def test_the_benchmark_measures_every_line_of_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(["--quick", "--json", str(tmp_path / "bench.json")]) == 0
    written = json.loads((tmp_path / "bench.json").read_text())
    assert len(written["table"]) == 10
    assert all(row["ours"] > 0 and row["rival"] > 0 for row in written["table"])
    assert {row["met"] for row in written["table"]} <= {True, False}
    (searched,) = written["repetitions"]["searching"]
    assert all(kind["found"] and not kind["refused"] for kind in searched["asked"])
    assert written["machine"]["cores"]
    assert "MISSED" in capsys.readouterr().out or all(row["met"] for row in written["table"])


def test_locust_keeps_the_timetable_and_ends_with_the_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locust_run, "REPORTS", tmp_path)
    assert locust_run.main(["--quick"]) == 0, capsys.readouterr().out
    assert (tmp_path / "locust-spike.html").stat().st_size > 10_000


async def test_the_reads_of_a_sale_leave_the_primary_alone_and_an_emptied_cache_costs_little(scratch: Path) -> None:
    outcome = await read_mix.play(scratch, read_mix.QUICK, console())
    assert outcome.faults == []
    assert len(outcome.browsed.answers) == len(read_mix.QUICK.reads.arrivals())
    assert outcome.by_server["replica 1"] > 0
    assert outcome.by_place["search", "backend"] > 0
    assert 1 <= len({process for process, _, _ in outcome.refills}) <= read_mix.QUICK.intake
    assert outcome.emptied.second >= read_mix.QUICK.height_s
    assert left_running(scratch) == []


async def test_several_generators_share_out_a_plan_against_the_floor(tmp_path: Path) -> None:
    async with serving("loadtests.floor:create_app()", tmp_path / "log") as base:
        mix = Mix(products=["a"], weights=[1.0], path="/sales/floor/orders", prefix="t")
        arrivals = array("d", [number / 1000 for number in range(300)]).tobytes()
        result = await carry_out(Plan(base=base, mix=mix, connections=4, arrivals=arrivals), processes=2)
    assert result.outcomes == {"accepted": 300}
    assert result.seconds >= 0.299
