"""When a sale noticed a rehearsal, and when that was not measured at all."""

from __future__ import annotations

import msgspec
import pytest

from loadtests.rehearsal_beside import BAR, KEEN, LATE_MS, NOT_MEASURED, TOO_SLOW, Turn, ratio_of, verdict

ALONE = Turn(beside=False, p50_ms=2.0, p99_ms=6.0, accepted=1_000, offered=1_000, late_ms=LATE_MS)


def turns(alone: list[float], beside: list[float], **change: float) -> list[Turn]:
    made = [msgspec.structs.replace(ALONE, p99_ms=ms) for ms in alone]
    return made + [msgspec.structs.replace(ALONE, beside=True, p99_ms=ms, **change) for ms in beside]


@pytest.mark.parametrize(
    ("beside", "code"),
    [([6.0, 6.0 * BAR, 99.0], KEEN), ([6.0 * BAR + 0.1] * 3, TOO_SLOW), ([6.0], NOT_MEASURED)],
)
def test_the_turns_in_the_middle_decide(beside: list[float], code: int) -> None:
    assert verdict(ratio_of(turns([6.0, 5.0, 7.0], beside))) == code


@pytest.mark.parametrize("change", [{"late_ms": LATE_MS + 1}, {"accepted": 990}])
def test_a_turn_that_measures_its_generator_or_refusals_counts_for_nothing(change: dict[str, float]) -> None:
    assert ratio_of(turns([6.0, 6.0], [6.0, 6.0], **change)) is None
