"""The search for the knee, by a stack whose knee is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.rehearse import search


class Stack:
    """Holds every rate up to its knee; hiccups once where it is told to."""

    def __init__(self, knee: float, *, hiccups: int = 0) -> None:
        self.knee, self.hiccups, self.asked = knee, hiccups, list[float]()

    async def probe(self, rate: float) -> bool:
        self.asked.append(rate)
        if self.hiccups:
            self.hiccups -= 1
            return False
        return rate <= self.knee


@given(knee=st.floats(1, 19_000), start=st.floats(1, 5_000))
async def test_what_is_held_is_within_a_tenth_of_the_knee(knee: float, start: float) -> None:
    stack = Stack(knee)
    found = await search.find(stack.probe, start=start, most=20_000)
    assert found.held is not None
    assert found.broke is not None
    assert found.held <= knee <= found.broke <= found.held * 1.1 + 1e-9
    assert found.proposed == pytest.approx(found.held * 0.8, abs=0.06)
    assert len(stack.asked) <= 2 * search.PROBES_MAX


async def test_a_hiccup_is_no_knee() -> None:
    stack = Stack(1_000, hiccups=1)
    found = await search.find(stack.probe, start=100, most=200)
    assert found == search.Knee(200, None)


async def test_a_stack_that_holds_nothing_has_no_knee() -> None:
    found = await search.find(Stack(0.5).probe, start=64, most=200)
    assert (found.held, found.proposed) == (None, None)


async def test_nothing_above_the_bound_is_tried() -> None:
    stack = Stack(1_000)
    assert await search.find(stack.probe, start=500, most=80) == search.Knee(80, None)
    assert stack.asked == [80]
