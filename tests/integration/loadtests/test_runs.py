"""The load runs in small, against a whole system: each ends with the audit and with every 202 accounted for."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from loadtests import demo, locust_run
from loadtests.check.report import console
from loadtests.generate.invoices import read
from loadtests.replay import RECORDED, replay
from loadtests.scene.servers import serving
from loadtests.traffic.crew import carry_out
from loadtests.traffic.plan import Mix, Plan
from tests.fixtures.load_runs import left_running

pytestmark = pytest.mark.usefixtures("patience")

INVOICES = Path(__file__).parents[3] / RECORDED


async def test_the_demo_in_small_keeps_every_promise_and_leaves_nothing_running(scratch: Path) -> None:
    page = scratch / "reports" / "night.html"
    outcome = await demo.play(scratch, demo.QUICK, page=page)
    assert outcome.differences == []
    assert outcome.good
    assert "<h1>The Friday drop</h1>" in page.read_text()
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
    assert left_running(scratch) == []


@pytest.mark.skipif(not INVOICES.exists(), reason="the recorded invoices are not beside this checkout")
async def test_real_invoices_replayed_are_all_confirmed_and_the_stock_goes_out_even(scratch: Path) -> None:
    invoices = read(INVOICES, invoices_max=300)
    replayed = await replay(scratch, invoices, console())
    assert replayed.states == {"confirmed": len(invoices.orders)}
    assert replayed.good


def test_locust_shared_out_keeps_the_timetable_and_ends_with_the_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locust_run, "REPORTS", tmp_path)
    assert locust_run.main(["--quick", "--processes", "2"]) == 0, capsys.readouterr().out
    assert (tmp_path / "locust-spike.html").stat().st_size > 10_000


async def test_several_generators_share_out_a_plan_against_the_floor(tmp_path: Path) -> None:
    async with serving("loadtests.rivals.floor:create_app()", tmp_path / "log") as base:
        mix = Mix(products=["a"], weights=[1.0], path="/sales/floor/orders", prefix="t")
        arrivals = array("d", [number / 1000 for number in range(300)]).tobytes()
        result = await carry_out(Plan(base=base, mix=mix, connections=4, arrivals=arrivals), processes=2)
    assert result.outcomes == {"accepted": 300}
    assert result.seconds >= 0.299
