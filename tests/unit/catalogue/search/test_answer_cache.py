"""Answers kept for a moment: how old they may be, how often is asked, what is never kept."""

from __future__ import annotations

import asyncio

import pytest

from catalogue.search import answer_cache
from catalogue.search.answer_cache import HEARD_MAX, AnswerCache
from doorbuster.errors import StoreUnavailableError

FRESH_S = 1.0


class Clock:
    """The time as the test sets it."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(answer_cache, "time", made)
    return made


class Shop:
    """What is asked: answers with the number of the question, once it is let."""

    def __init__(self) -> None:
        self.asked = self.busy = self.busiest = 0
        self.let = asyncio.Event()
        self.let.set()
        self.fails = False

    async def answer(self) -> int:
        self.asked += 1
        number = self.asked
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await self.let.wait()
            await asyncio.sleep(0)
        finally:
            self.busy -= 1
        if self.fails:
            raise StoreUnavailableError("no")
        return number


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_answer_is_kept_as_long_as_it_is_fresh(clock: Clock) -> None:
    shop, answers = Shop(), AnswerCache[int](fresh_s=FRESH_S)
    assert [await answers.get("q", shop.answer) for _ in range(3)] == [1, 1, 1]
    clock.now += FRESH_S
    assert await answers.get("q", shop.answer) == 2
    assert await answers.get("other", shop.answer) == 3
    assert answers.answered == {"backend": 3, "process": 2}


async def test_its_age_counts_from_before_it_was_asked(clock: Clock) -> None:
    shop, answers = Shop(), AnswerCache[int](fresh_s=FRESH_S)
    shop.let.clear()
    first = asyncio.create_task(answers.get("q", shop.answer))
    await settle()
    clock.now += FRESH_S * 0.9
    shop.let.set()
    assert await first == 1
    clock.now += FRESH_S * 0.1
    assert await answers.get("q", shop.answer) == 2


async def test_whoever_comes_meanwhile_waits_for_the_same_answer(clock: Clock) -> None:
    shop, answers = Shop(), AnswerCache[int](fresh_s=FRESH_S)
    shop.let.clear()
    several = [asyncio.create_task(answers.get("q", shop.answer)) for _ in range(50)]
    await settle()
    shop.let.set()
    assert set(await asyncio.gather(*several)) == {1}
    assert answers.answered == {"backend": 1, "coalesced": 49}


async def test_nobody_is_given_an_answer_that_was_asked_for_too_long_ago(clock: Clock) -> None:
    """And still there are never two questions at a time."""
    shop, answers = Shop(), AnswerCache[int](fresh_s=FRESH_S)
    shop.let.clear()
    first = asyncio.create_task(answers.get("q", shop.answer))
    await settle()
    clock.now += FRESH_S
    late = [asyncio.create_task(answers.get("q", shop.answer)) for _ in range(20)]
    await settle()
    shop.let.set()
    assert await first == 1
    assert set(await asyncio.gather(*late)) == {2}
    assert shop.busiest == 1


async def test_one_in_use_is_asked_for_anew_behind_the_old_one(clock: Clock) -> None:
    shop, answers = Shop(), AnswerCache[int](fresh_s=FRESH_S)
    assert await answers.get("q", shop.answer) == 1
    clock.now += FRESH_S * 0.85
    assert [await answers.get("q", shop.answer) for _ in range(2)] == [1, 1]
    await settle()
    assert (await answers.get("q", shop.answer), shop.asked) == (2, 2)


async def test_a_failure_is_told_to_who_waits_and_not_kept(clock: Clock) -> None:
    shop, answers = Shop(), AnswerCache[int](fresh_s=FRESH_S)
    shop.fails = True
    failed = await asyncio.gather(*(answers.get("q", shop.answer) for _ in range(5)), return_exceptions=True)
    assert {type(one) for one in failed} == {StoreUnavailableError}
    assert shop.asked == 1
    shop.fails = False
    assert await answers.get("q", shop.answer) == 2


async def test_a_failure_behind_an_answer_leaves_the_answer(clock: Clock) -> None:
    shop, answers = Shop(), AnswerCache[int](fresh_s=FRESH_S)
    assert await answers.get("q", shop.answer) == 1
    shop.fails = True
    clock.now += FRESH_S * 0.85
    assert await answers.get("q", shop.answer) == 1
    await settle()
    assert await answers.get("q", shop.answer) == 1


async def test_who_goes_away_takes_the_answer_from_nobody(clock: Clock) -> None:
    shop, answers = Shop(), AnswerCache[int](fresh_s=FRESH_S)
    shop.let.clear()
    goes, stays = (asyncio.create_task(answers.get("q", shop.answer)) for _ in range(2))
    await settle()
    goes.cancel()
    await settle()
    shop.let.set()
    assert (await stays, shop.asked) == (1, 1)


async def test_their_number_is_bounded(clock: Clock) -> None:
    shop, answers = Shop(), AnswerCache[int](fresh_s=FRESH_S, answers_max=3)
    for key in range(10):
        await answers.get(key, shop.answer)
    assert len(answers._answers) == 3
    assert not answers._asking
    assert (await answers.get(9, shop.answer), await answers.get(0, shop.answer)) == (10, 11)


async def test_a_change_outdates_what_is_kept_and_what_is_under_way(clock: Clock) -> None:
    shop, answers = Shop(), AnswerCache[int](fresh_s=FRESH_S)
    await answers.get("q", shop.answer)
    answers.outdate()
    shop.let.clear()
    before = asyncio.create_task(answers.get("q", shop.answer))
    await settle()
    answers.outdate()
    after = asyncio.create_task(answers.get("q", shop.answer))
    await settle()
    shop.let.set()
    assert (await before, await after) == (2, 3)
    assert (await answers.get("q", shop.answer), shop.busiest) == (3, 1)


async def test_changes_that_come_thick_and_fast_leave_it_to_age(clock: Clock) -> None:
    shop, answers = Shop(), AnswerCache[int](fresh_s=FRESH_S)
    for _ in range(100):
        answers.outdate()
        await answers.get("q", shop.answer)
    assert shop.asked == HEARD_MAX
    clock.now += FRESH_S
    answers.outdate()
    assert await answers.get("q", shop.answer) == HEARD_MAX + 1


async def test_answers_are_bounded_in_bytes(clock: Clock) -> None:
    held: AnswerCache[bytes] = AnswerCache(
        fresh_s=FRESH_S, weigh=lambda key, answer: len(str(key)) + len(answer), bytes_max=1_000
    )

    async def answer(size: int) -> bytes:
        return b"x" * size

    for n in range(50):
        await held.get(n, lambda: answer(300))
        assert held.weight <= 1_000
    assert held.weight > 600
    assert await held.get("one", lambda: answer(5_000)) == b"x" * 5_000  # given, but not kept
    assert held.weight == 0
    await held.get("two", lambda: answer(10))
    clock.now += FRESH_S + 1
    await held.get("two", lambda: answer(20))
    assert held.weight == 23
    held.outdate()
    assert held.weight == 0
