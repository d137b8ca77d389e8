"""The spike's verdict: what is judged, and that it can be a bad one."""

from __future__ import annotations

from array import array
from typing import Any

import msgspec
import pytest

from loadtests.check.report import console
from loadtests.scene.system import Figure
from loadtests.spike import BAD, BAR, FACTOR, GOOD, LATE_MS, NOT_MEASURED, RISE_S, Phases, Seen, _verdict, main
from loadtests.traffic.plan import Result, merged
from loadtests.traffic.samples import Samples

WELL = Seen(
    offered=10, accepted=10, refused={}, base_late_ms=0.5, peak_late_ms=LATE_MS, base_ms=(1.0, 10.0),
    peak_ms=(2.0, 10.0 * BAR), most_waiting=3,
    drained_s=1.0, missing=0, breaches=[],
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, GOOD),
        ({"peak_late_ms": LATE_MS + 0.1}, NOT_MEASURED),
        ({"base_late_ms": LATE_MS + 0.1, "peak_ms": (2.0, 999.0)}, NOT_MEASURED),
        ({"peak_late_ms": LATE_MS + 0.1, "missing": 1}, BAD),
        ({"missing": 1}, 1),
        ({"breaches": [Figure("P2", "units", 1, 1)]}, 1),
        ({"accepted": 0}, 1),
        ({"peak_ms": (2.0, 10.0 * BAR + 0.1)}, 1),
        ({"base_ms": (0.0, 0.0)}, 1),
    ],
)
def test_what_is_lost_or_slow_ends_badly(change: dict[str, Any], code: int) -> None:
    assert _verdict(console(), WELL, msgspec.structs.replace(WELL, **change), judged=True) == code


def test_without_a_room_slowness_is_shown_and_losses_are_judged() -> None:
    slow = msgspec.structs.replace(WELL, peak_ms=(2.0, 1_000.0))
    assert _verdict(console(), slow, WELL, judged=True) == 0
    assert _verdict(console(), msgspec.structs.replace(slow, missing=1), WELL, judged=False) == 1


def test_a_quick_run_is_not_judged_by_its_latencies() -> None:
    assert _verdict(console(), WELL, msgspec.structs.replace(WELL, peak_ms=(2.0, 1_000.0)), judged=False) == 0


def test_the_peak_is_where_the_shape_says() -> None:
    phases = Phases(base=40, calm_s=15, hold_s=10)
    start, end = phases.peak_s
    assert start - phases.calm_s == RISE_S == 5
    assert {phases.shape.rate_at(at) for at in (start, (start + end) / 2, end)} == {40 * FACTOR}
    assert phases.shape.rate_at(phases.calm_s) == 40


def test_latencies_are_those_of_a_part_of_the_run() -> None:
    result = Result(accepted=Samples([0.1, 0.2, 0.3]).to_bytes(), accepted_at=array("d", [1.0, 2.0, 3.0]).tobytes())
    assert list(result.accepted_between(1.0, 3.0)) == [0.1, 0.2]


def test_the_generators_own_lateness_is_that_of_a_part_of_the_run() -> None:
    result = Result(offered_late=Samples([0.1, 0.2, 0.3]).to_bytes(), offered_at=array("d", [1.0, 2.0, 3.0]).tobytes())
    assert list(merged([result, result]).late_between(2.0, 9.0)) == [0.2, 0.3, 0.2, 0.3]


@pytest.mark.parametrize("wrong", [["--base", "0"], ["--hold", "301"], ["--rate", "-1"], ["--base", "x"]])
def test_a_wrong_bound_is_told(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err
