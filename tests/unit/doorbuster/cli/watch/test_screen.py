"""The screen of a watched sale, at several sizes."""

from __future__ import annotations

from typing import Any

import pytest

from doorbuster.cli.watch.cells import Line, Marks, width_of, wrap, written
from doorbuster.cli.watch.overview import overview
from doorbuster.cli.watch.screen import Screen, draw
from doorbuster.cli.watch.sparkline import ASCII, sparkline
from doorbuster.cli.watch.track import Track

NOW_S = 1_800_000_060.0
AT = "2027-01-15T08:01:00Z"
VIEW: dict[str, Any] = {
    "sale_id": "spring", "name": "The spring sale", "at": AT, "phase": "open",
    "starts_at": "2027-01-15T07:49:00Z", "ends_at": "2027-01-15T08:49:02Z",
    "waiting": 12_345, "called": 120, "active": 480,
    "admitted_per_s": 45.2, "accepted_per_s": 40, "confirmed_per_s": None, "backlog": 1_200, "backlog_s": 3.21,
    "stock": {"lamp": 1_234, "tent": 0}, "products_left_out": 0,
    "products": [
        {"product_id": "lamp", "name": "Lamp", "received": 3_000, "left": 1_234, "reserved": 1_766, "sold": 0},
        {"product_id": "tent", "name": "テント", "received": 10, "left": 0, "reserved": 10, "sold": 0},
    ],
    "refusals": {"admission_required": 33, "sold_out": 120}, "payments_failing": 2,
    "payments": {"due": 12, "failing": 2},
    "room": {
        "mode": "always", "rate_per_s": 45.01, "set_rate_per_s": 200, "why": "lag",
        "reason": "45/s instead of the 200/s you set: the drain is 6.2 s behind, above 4 s",
    },
    "go": True, "go_at": AT, "no_go": [], "alerts": [], "troubles": [],
}  # fmt: skip
ALERT = {
    "name": "DrainLate", "since": "2027-01-15T08:00:20Z", "severity": "page", "summary": "orders wait for 30 s",
    "runbook": "docs/runbook.md#drain",
}  # fmt: skip


def moment(second: int, **figures: float | None) -> dict[str, Any]:
    names = ("waiting", "admitted_per_s", "accepted_per_s", "confirmed_per_s", "backlog", "backlog_s", "rate_per_s")
    return {"at": f"2027-01-15T08:00:{second:02}Z"} | dict.fromkeys(names) | figures


def track(**changes: Any) -> Track:
    made = Track("spring", NOW_S - 60)
    past = [moment(second, waiting=second, accepted_per_s=float(second % 7)) for second in range(60) if second != 30]
    made.take(VIEW | {"history": past} | changes, NOW_S)
    return made


def text_of(lines: list[Line], width: int) -> list[str]:
    return [written(line, width, Marks()) for line in lines]


def shown(one: Track, width: int = 80, height: int = 24, *, now_s: float = NOW_S, **more: Any) -> list[str]:
    return text_of(draw(one, Screen(width, height, now_s, "08:01:00", **more)), width)


def test_the_usual_terminal() -> None:
    assert shown(track()) == [
        "spring  The spring sale                       OPEN, ends in 48 min 2 s  08:01:00",
        "                          now  last minute                                  most",
        "waiting                12,345  ▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂█             12,345",
        "admitted/s               45.2                               █               45.2",
        "accepted/s                 40  ▂▂▃▂▂▂▃▂▂▃▂▂▂▃▂▂▃▂▂▂▃▂▂▃▂▂▂▃▂█                 40",
        "confirmed/s                 -                                                  -",
        "backlog, orders         1,200                               █              1,200",
        "backlog, age            3.2 s                               █              3.2 s",
        "room's rate/s              45                               █                 45",
        "room             ! 45/s instead of the 200/s you set: the drain is 6.2 s behind,",
        "                 above 4 s",
        "inside           120 called, 480 admissions out",
        "left to sell     1,234 units of 2 products; SOLD OUT: tent",
        "payments         ! 12 due, 2 failing",
        "refused, 1 min   sold_out 120, admission_required 33",
        "pre-warm         GO",
        "product                                               left   reserved       sold",
        "tent  テント                                      SOLD OUT         10          0",
        "lamp  Lamp                                           1,234      1,766          0",
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 81, 120, 200, 400])
@pytest.mark.parametrize("height", [1, 5, 10, 24, 60])
@pytest.mark.parametrize("silent_s", [0, 100])
def test_it_fits_every_size(width: int, height: int, silent_s: int) -> None:
    one = track(alerts=[ALERT] * 7, troubles=["the order store does not answer"], name="売" * 300)
    if silent_s:
        one.fail("timed out " * 50)
    lines = draw(one, Screen(width, height, NOW_S + silent_s, "08:01:00"))
    assert len(lines) <= height
    assert max(width_of(line) for line in text_of(lines, width)) <= width


def test_a_wider_one_shows_longer_lines() -> None:
    one = track()
    narrow, wide = (shown(one, width)[4] for width in (60, 80))
    assert len(narrow.split()[2]) < len(wide.split()[2])


def test_what_is_wrong_stands_first_and_is_told_in_words() -> None:
    lines = shown(track(alerts=[ALERT], troubles=["Postgres does not answer"], go=False,
                        no_go=[{"check": "clock", "reason": "2 s off"}]))  # fmt: skip
    assert lines[1:4] == [
        "!! DrainLate for 40 s: orders wait for 30 s",
        "! Postgres does not answer",
        "!! NO-GO clock: 2 s off",
    ]


def test_an_intake_that_is_away_leaves_the_last_figures_dimmed() -> None:
    one = track()
    one.fail("the intake at http://here does not answer: timed out")
    assert not any("no answer" in line for line in shown(one, now_s=NOW_S + 2))
    lines = draw(one, Screen(80, 24, NOW_S + 12, "08:01:12"))
    assert text_of(lines, 80)[1].startswith("!! no answer since 12 s (figures are those of then): the intake at")
    assert {piece.mark for line in lines[3:] for piece in line} == {"dim"}
    assert any("12,345" in line for line in text_of(lines, 80))
    one.take(dict(VIEW), NOW_S + 13)
    assert not any("no answer" in line for line in shown(one, now_s=NOW_S + 14))


def test_before_the_first_answer() -> None:
    one = Track("spring", NOW_S - 10)
    assert shown(one)[0].split("  ")[0] == "spring"
    one.fail("nobody there")
    assert shown(one)[1] == "!! no answer since 10 s: nobody there"
    assert one.needs_past


@pytest.mark.parametrize("unknown", [None])
def test_figures_that_nobody_knows(unknown: None) -> None:
    names = ("waiting", "called", "active", "backlog", "backlog_s", "stock", "products", "refusals", "payments")
    lines = shown(track(**dict.fromkeys(names, unknown), go=None))
    assert "left to sell     -" in lines
    assert "payments         -" in lines
    assert "refused, 1 min   -" in lines
    assert "pre-warm         not pre-warmed" in lines
    assert "inside           - called, - admissions out" in lines


def test_a_sale_without_a_room_shows_none() -> None:
    room = {"mode": "off", "rate_per_s": None, "set_rate_per_s": None, "why": "off", "reason": "the sale has no room"}
    lines = shown(track(room=room, waiting=None))
    assert not [line for line in lines if line.startswith(("waiting", "room", "inside", "admitted"))]


def test_more_products_than_lines() -> None:
    products = [
        {"product_id": f"p-{n}", "name": f"p-{n}", "received": n, "left": n, "reserved": 0, "sold": 0}
        for n in range(100)
    ]
    lines = shown(track(products=products, products_left_out=50))
    assert len(lines) == 24
    assert lines[-1] == "and 144 more products"


def test_what_others_named_steers_no_terminal() -> None:
    lines = shown(track(name="a\x1b[2Jb\nc", troubles=["x\x07y"]))
    assert "a?[2Jb?c" in lines[0]
    assert not any(sign in line for line in lines for sign in "\x1b\x07\n")


def test_colours_are_marks_of_what_is_said_in_words() -> None:
    lines = draw(track(alerts=[ALERT]), Screen(80, 24, NOW_S, "08:01:00"))
    plain, grey, coloured = (
        [written(line, 80, marks) for line in lines] for marks in (Marks(), Marks(True), Marks(True, True))
    )
    assert not any("\x1b" in line for line in plain)
    assert not any("\x1b[1;31m" in line or "\x1b[33m" in line for line in grey)
    assert any("\x1b[1;31m" in line for line in coloured)
    for sent in (grey, coloured):
        bare = [line.replace("\x1b[0m", "") for line in sent]
        for code in ("1", "2", "1;31", "33", "32"):
            bare = [line.replace(f"\x1b[{code}m", "") for line in bare]
        assert bare == plain


def test_a_missing_second_is_a_gap() -> None:
    figures = [(float(second), 0.0 if second == 5 else 4.0) for second in range(20) if not 8 <= second <= 11]
    assert sparkline(figures, 19.5, 10, span_s=20, signs=ASCII) == "###" + "  ".join(["#", "####"])[:3] + "####"


def test_several_sales_have_a_line_each() -> None:
    one, other = track(), Track("autumn", NOW_S - 10)
    other.take(VIEW | {"sale_id": "autumn", "phase": "scheduled", "starts_at": "2027-01-15T09:00:00Z"}, NOW_S)
    one.fail("timed out")
    lines = text_of(overview([one, other], Screen(80, 24, NOW_S + 9, "08:01:09")), 80)
    assert [line.split()[0] for line in lines] == ["2", "sale", "spring", "!!", "autumn"]
    assert "in 58 min" in lines[-1]
    assert max(map(width_of, lines)) <= 80
    assert len(overview([one] * 50, Screen(80, 24, NOW_S, ""))) == 24


def test_words_are_wrapped_between_them() -> None:
    assert wrap("aa bb cc dd", 5, 2) == ["aa bb", "cc dd"]
    assert wrap("aa bb cc dd ee", 5, 2) == ["aa bb", "cc d~"]
    assert wrap("aaaaaaaa", 5, 2) == ["aaaa~"]
