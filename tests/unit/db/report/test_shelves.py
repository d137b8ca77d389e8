"""When a product was sold out, held against a look at every moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from db.report.shelves import Spell, Turn, seen, spells

START = datetime(2026, 1, 1, tzinfo=UTC)
NEITHER = (False, False)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def turns(*said: tuple[float, bool]) -> list[Turn]:
    return [Turn(at(seconds), sold_out, number) for number, (seconds, sold_out) in enumerate(said)]


def test_sold_out_reopened_and_sold_out_again() -> None:
    found = spells(turns((3, True), (10, False), (12, True)), [], now=(True, False), start=START)
    assert found == [Spell(at(3), at(10)), Spell(at(12), None)]


def test_what_turns_to_and_fro_in_a_transaction_nobody_saw() -> None:
    same = [Turn(at(3), True, 1), Turn(at(5), False, 2), Turn(at(5.1), True, 2), Turn(at(9), False, 3)]
    assert spells(same, [], now=NEITHER, start=START) == [Spell(at(3), at(9))]
    assert seen([Turn(at(5), False, 2), Turn(at(5.1), True, 2)]) == [Turn(at(5.1), True, 2)]


def test_either_shelf_makes_it_sold_out() -> None:
    stock, allotment = turns((5, True), (20, False)), turns((10, True), (30, False))
    assert spells(stock, allotment, now=NEITHER, start=START) == [Spell(at(5), at(30))]


def test_what_was_before_the_start_counts_from_the_start() -> None:
    assert spells(turns((-9, True)), [], now=(True, False), start=START) == [Spell(START, None)]
    assert spells(turns((-9, True), (-5, False)), [], now=NEITHER, start=START) == []
    assert spells(turns((4, False)), [], now=NEITHER, start=START) == [Spell(START, at(4))]
    assert spells([], [], now=(True, False), start=START) == [Spell(START, None)]
    assert spells([], [], now=NEITHER, start=START) == []


moments = st.lists(st.tuples(st.integers(-5, 40), st.booleans()), max_size=12).map(
    lambda said: turns(*sorted({second: gone for second, gone in said}.items()))  # noqa: C416
)


@given(moments, moments)
def test_a_look_at_every_moment_says_the_same(stock: list[Turn], allotment: list[Turn]) -> None:
    def is_gone(shelf: list[Turn], moment: datetime) -> bool:
        before = [turn.sold_out for turn in shelf if turn.at <= moment]
        return before[-1] if before else bool(shelf) and not shelf[0].sold_out

    now = tuple(shelf[-1].sold_out if shelf else False for shelf in (stock, allotment))
    found = spells(stock, allotment, now=(now[0], now[1]), start=START)
    for second in range(42):
        moment = at(second + 0.5)
        inside = any(one.since <= moment and (one.until is None or moment < one.until) for one in found)
        assert inside == (is_gone(stock, moment) or is_gone(allotment, moment))
