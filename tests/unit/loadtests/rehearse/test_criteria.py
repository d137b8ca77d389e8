"""When a rate counts as held, and which crowd is played."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorbuster.contract.night.rehearsal import RehearsalResult
from doorbuster.errors import InvalidError
from loadtests.rehearse import criteria
from loadtests.rehearse.criteria import Measured
from loadtests.rehearse.crowds import REAL, ShapeError, crowd
from loadtests.rehearse.run import Outcome, Terms, check, conclusion

BOUNDS = criteria.criteria()


def _measured(**changed: object) -> Measured:
    usual = {
        "seconds": 4.0, "offered": 400, "accepted": 400, "refused": {}, "p99_ms": 10.0, "late_s": 0.0,
        "lags": [(1.0, 0.1), (2.0, 0.1), (3.0, 0.1), (4.0, 0.1)],
    }  # fmt: skip
    return Measured(**(usual | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, ""),
        ({"p99_ms": 251.0}, "p99"),
        ({"refused": {"overloaded": 1}, "accepted": 399}, "refused or not answered"),
        ({"lags": [(1.0, 0.2), (2.0, 0.4), (3.0, 0.6), (4.0, 0.8)]}, "the lag grew"),
        ({"lags": [(2.0, 2.1), (4.0, 2.1)]}, "the oldest order waited"),
        ({"lags": [(2.0, 0.3), (4.0, 0.45)]}, ""),
        ({"late_s": 0.3}, "load generator"),
    ],
)
def test_a_step_is_held_when_everything_keeps_up(changed: dict[str, object], why: str) -> None:
    step = criteria.step_of(100.0, _measured(**changed), BOUNDS)
    assert step.held == (why == "")
    assert why in step.why


def test_refusals_that_load_does_not_explain_are_told_apart() -> None:
    refused = {"admission_required": 3, "overloaded": 2, "http_502": 1, "sold_out": 1}
    assert criteria.strange(_measured(refused=refused)) == ["admission_required", "sold_out"]


def test_the_spike_rises_fifty_times_within_five_seconds_and_falls_again() -> None:
    shape = crowd("spike", peak=500.0, seconds=40.0)
    assert (shape.rate_at(0), shape.peak, shape.rate_at(40.0)) == (10.0, 500.0, 10.0)
    risen = next(second for second, rate in shape.corners if rate == 500.0)
    calm = max(second for second, rate in shape.corners if rate == 10.0 and second < risen)
    assert risen - calm == 5.0


def test_the_real_shape_is_shipped() -> None:
    shape = crowd("real", peak=1_000.0, seconds=60.0)
    assert (len(shape.corners), shape.peak, shape.seconds) == (len(REAL), 1_000.0, 60.0)
    assert shape.peak / shape.corners[0][1] > 40


def test_a_file_is_a_shape(tmp_path: Path) -> None:
    file = tmp_path / "shape.csv"
    file.write_text("minute,rate\n0,1\n1,3\n3,2\n")
    assert crowd(str(file), peak=30.0, seconds=6.0).corners == [(0.0, 10.0), (2.0, 30.0), (6.0, 20.0)]
    file.write_text("minute,requests\n2026-01-01 10:00:00,5\n2026-01-01 10:01:00,10\n")
    assert crowd(str(file), peak=30.0, seconds=6.0).corners == [(0.0, 15.0), (6.0, 30.0)]


@pytest.mark.parametrize(
    "text",
    ["", "minute\n1\n2\n", "minute,rate\n1,2\n", "minute,rate\n1,2\n1,3\n", "minute,rate\n1,x\n2,3\n",
     "minute,rate\n1,-1\n2,3\n", "minute,rate\n1,0\n2,0\n", "time,rate\n1,2\n2,3\n", "minute,rate\n1,nan\n2,3\n"],
)  # fmt: skip
def test_what_is_no_shape_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "shape.csv"
    file.write_text(text)
    with pytest.raises(ShapeError, match=r"shape\.csv"):
        crowd(str(file), peak=30.0, seconds=6.0)


def test_nothing_is_made_for_a_target_that_is_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOADTEST_PROOF", raising=False)
    here = "http://127.0.0.1:8000"
    check(Terms(base=here, ops_base=here, ops_key="k", sale="s"))
    for base in ("http://shop.example:80", "https://192.0.2.1"):
        with pytest.raises(InvalidError):
            check(Terms(base=base, ops_base=here, ops_key="k", sale="s"))
    with pytest.raises(InvalidError, match="more than 2,000,000 orders"):
        check(Terms(base=here, ops_base=here, ops_key="k", sale="s", most_per_s=100_000.0, step_s=60.0))
    with pytest.raises(InvalidError, match="no-such-file"):
        check(Terms(base=here, ops_base=here, ops_key="k", sale="s", shape="no-such-file"))


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({}, 0, "proven"),
        ({"set_rate_per_s": 301.0}, 1, "NOT PROVEN"),
        ({"set_rate_per_s": None}, 0, "held: 300/s"),
        ({"stopped": "an alert"}, 1, "stopped: an alert"),
        ({"knee_per_s": None, "proposed_rate_per_s": None}, 1, "no rate was held"),
    ],
)
def test_the_exit_code_says_whether_the_set_rate_is_proven(changed: dict[str, object], code: int, said: str) -> None:
    usual = {
        "knee_per_s": 300.0, "broke_at_per_s": 325.0, "proposed_rate_per_s": 240.0, "margin": 0.2,
        "set_rate_per_s": 100.0, "criteria": BOUNDS, "steps": [],
    }  # fmt: skip
    result = RehearsalResult(**(usual | changed))  # type: ignore[arg-type]
    outcome = Outcome(sale="friday", rehearsal_id=1, result=result, shadow="removed")
    assert outcome.code == code
    assert said in "\n".join(conclusion(outcome))
