"""Why a room lets in as fast as it does, in words that ops read at night."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from intake.ops.live.room_reason import _AFTER, _BECAUSE, _rate
from waitingroom.outflow import Limits, Signals, decide
from waitingroom.room import Counts, Mode, Phase, RoomConfig, RoomState

NOW_MS = 1_800_000_000_000
STATE = RoomState(
    config=RoomConfig(sale_number=7, version=1, rate_per_s=200, max_active=50),
    now_ms=NOW_MS, phase=Phase.OPEN, tail=900, frontier=100, waiting=800, active=10, pending=5, tokens=0, cohort=0,
    seed=b"", rate_now=None, pace_per_s=0, pace_samples=0, net=False, sold_out=False, sold_out_products=(),
    counts=Counts(),
)  # fmt: skip
LIMITS = Limits(backlog=20_000, lag_ms=4_000)


def decided(present: float, *, ago_s: float = 1, **signals: Any) -> RoomState:
    """Return a state with the decision that such signals lead to."""
    measured = {"backlog": 0, "lag_ms": 0, "refused": 0, "remaining": 10**6, "inside": 0} | signals
    made = decide(present, 200, Signals(**measured), LIMITS, at_ms=NOW_MS - int(ago_s * 1000))
    return replace(STATE, rate_now=made.rate_per_s, decision=made.packed())


@pytest.mark.parametrize(
    ("state", "rate", "why", "reason"),
    [
        (decided(200), 200, "set", "200/s, as you set it"),
        (
            decided(64.3, lag_ms=6_200), 45.01, "lag",
            "45/s instead of the 200/s you set: the drain is 6.2 s behind, above 4 s",
        ),
        (
            decided(200, lag_ms=6_200, slowest="payments"), 140, "payments_slow",
            "140/s instead of the 200/s you set: payments are 6.2 s behind, above 4 s",
        ),
        (
            decided(200, lag_ms=6_200, slowest="payments", paused="down"), 140, "payments_paused",
            "140/s instead of the 200/s you set: the payment provider is down, and payments are 6.2 s behind, "
            "above 4 s",
        ),
        (
            decided(200, lag_ms=4_100, slowest="events"), 140, "events_late",
            "140/s instead of the 200/s you set: order events are 4.1 s behind, above 4 s",
        ),
        (
            decided(200, backlog=25_000), 140, "backlog",
            "140/s instead of the 200/s you set: 25,000 orders wait to be drained, above 20,000",
        ),
        (
            decided(200, refused=1_200), 140, "backlog_full",
            "140/s instead of the 200/s you set: the backlog is full, 1,200 orders were refused for it within a second",
        ),
        (
            decided(200, remaining=40, inside=70), 2, "few_left",
            "2/s instead of the 200/s you set: 40 units are left, and 70 visitors are inside already",
        ),
        (decided(200, remaining=0), 0, "sold_out", "0/s instead of the 200/s you set: nothing is left to sell"),
        (decided(50), 70, "ramping", "70/s instead of the 200/s you set: it grows back step by step"),
        (
            decided(50, ago_s=31), 70, "not_measured",
            "70/s instead of the 200/s you set: for 31 s nobody has measured what lies behind the room, so it stays as "
            "it was",
        ),
        (STATE, 200, "set", "200/s, as you set it; nobody has measured yet what lies behind the room"),
        (
            replace(STATE, rate_now=0.4), 0.4, "unknown",
            "0.4/s instead of the 200/s you set: a controller of another version set it",
        ),
        (
            replace(decided(200), active=45), 200, "cap_active",
            "nobody is let in for now: 45 admissions are out and 5 visitors are called, and you allow 50 at once "
            "(max_active)",
        ),
        (replace(decided(200), active=45, waiting=0), 200, "set", "200/s, as you set it"),
        (
            replace(STATE, sold_out=True), None, "sold_out",
            "everything is sold out: nobody is let in until units come back",
        ),
        (replace(STATE, phase=Phase.HOLD), None, "hold", "the sale is on hold: nobody is let in until you resume it"),
        (
            replace(STATE, phase=Phase.LOBBY), None, "lobby",
            "visitors register in the lobby; they are let in from the start of the sale",
        ),
        (replace(STATE, phase=Phase.CLOSED), None, "not_open", "the room is not open yet"),
        (replace(STATE, phase=Phase.DRAIN), None, "drain", "the sale is draining: nobody is let in any more"),
        (replace(STATE, phase=Phase.OVER), None, "over", "the sale is over"),
        (
            replace(STATE, config=replace(STATE.config, mode=Mode.SAFETY_NET)), None, "net_off",
            "the safety net is off: orders need no admission",
        ),
    ],
)  # fmt: skip
def test_the_reason_names_the_cause_and_its_figures(
    state: RoomState, rate: float | None, why: str, reason: str
) -> None:
    assert _rate(state) == (rate, why, reason)


def test_every_cause_has_its_words() -> None:
    assert _AFTER.keys() | {"ramping"} == _BECAUSE.keys() | {"set"}
    after = decide(
        50,
        200,
        Signals(backlog=0, lag_ms=0, refused=0, remaining=10**6, inside=0),
        LIMITS,
        before=decide(70, 200, Signals(backlog=0, lag_ms=9_000, refused=0, remaining=10**6, inside=0), LIMITS),
    )
    state = replace(STATE, rate_now=after.rate_per_s, decision=after.packed())
    assert _rate(replace(state, now_ms=500))[2].endswith("it grows back step by step after the drain was behind")
