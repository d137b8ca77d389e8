"""Only what is known to be too little stands in a sale's way; what nobody measured is null."""

from __future__ import annotations

import pytest

from readiness.capacity import (
    DISK_LEAST,
    ENTRY_BYTES,
    MIB,
    RECORD_BYTES,
    DrainPace,
    PaymentState,
    StoreRoom,
    disk_check,
    drain_check,
    memory_check,
    payments_check,
)
from readiness.expectation import Expected

ROOM = Expected(orders=10_000, per_s=200.0, backlog=5_000, source="room")
OPEN = Expected(orders=10_000, per_s=None, backlog=10_000, source="units")
NO_END = Expected(orders=None, per_s=None, backlog=None, source="units")


@pytest.mark.parametrize(
    ("expected", "per_s", "ok"),
    [(ROOM, 199.0, False), (ROOM, 200.0, True), (ROOM, None, True), (OPEN, 1.0, True), (NO_END, 1.0, True)],
)
def test_a_room_lets_in_no_more_than_the_drain_does(expected: Expected, per_s: float | None, ok: bool) -> None:
    said = drain_check(expected, DrainPace(per_s=per_s, source="rehearsal"))
    assert (said["ok"], said["drain_per_s"]) == (ok, per_s)
    assert ok or said["reason"] == "the room lets in 200 a second, the drain does 199 (rehearsal)"


def test_the_time_until_all_is_drained_is_told() -> None:
    assert drain_check(OPEN, DrainPace(per_s=500.0, source="past drains"))["drained_in_s"] == 20


def store(most: int | None, *, used: int = 0, backlog_max: int = 500_000) -> StoreRoom:
    return StoreRoom(used=used, most=most, backlog_max=backlog_max)


def test_the_expected_backlog_fits_into_the_store() -> None:
    needed = 5_000 * ENTRY_BYTES + 10_000 * RECORD_BYTES
    assert memory_check(ROOM, store(round(needed / 0.9) + 10))["ok"]
    short = memory_check(ROOM, store(needed))
    assert (short["ok"], short["expected_backlog"]) == (False, 5_000)
    assert "are expected in the order store" in short["reason"]
    assert not memory_check(ROOM, store(needed * 10, used=needed * 9))["ok"]


def test_a_backlog_that_nothing_bounds_is_the_setting_s() -> None:
    said = memory_check(NO_END, store(2_000 * MIB, backlog_max=1_000))
    assert (said["ok"], said["expected_backlog"]) == (True, 1_000)
    assert memory_check(NO_END, store(None))["notes"]


@pytest.mark.parametrize(
    ("expected", "state", "mode", "ok"),
    [
        (ROOM, PaymentState(per_s=None, paused=None), "capture", True),
        (ROOM, PaymentState(per_s=None, paused="down"), "capture", False),
        (ROOM, PaymentState(per_s=None, paused="down"), "none", True),
        (ROOM, PaymentState(per_s=200.0, paused=None), "capture", True),
        (ROOM, PaymentState(per_s=20.0, paused=None), "capture", True),  # 450 s late, held for 600
        (ROOM, PaymentState(per_s=10.0, paused=None), "authorise", False),
        (OPEN, PaymentState(per_s=10.0, paused=None), "authorise", False),
        (NO_END, PaymentState(per_s=10.0, paused=None), "capture", True),
    ],
)
def test_holds_outlast_the_provider_s_pace(expected: Expected, state: PaymentState, mode: str, ok: bool) -> None:
    assert payments_check(expected, state, mode=mode, hold_s=600)["ok"] is ok


def test_there_is_room_on_the_disk() -> None:
    assert disk_check(ROOM, None, store_problem=None)["notes"]
    assert disk_check(ROOM, DISK_LEAST * 10, store_problem=None)["ok"]
    assert not disk_check(ROOM, DISK_LEAST, store_problem=None)["ok"]
    assert disk_check(NO_END, DISK_LEAST, store_problem=None)["ok"]
    assert "aof" in disk_check(NO_END, None, store_problem="aof_last_write_status is err")["reason"]
