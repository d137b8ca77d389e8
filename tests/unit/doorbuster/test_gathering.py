"""Questions asked together: alone when nothing is under way, in batches in a rush, each with its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from doorbuster.gathering import Gathering


class Store:
    """Answers each question by its double, once it is let."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.may = asyncio.Event()
        self.fails = False

    async def __call__(self, questions: Sequence[int]) -> list[int]:
        self.asked.append(list(questions))
        await self.may.wait()
        if self.fails:
            raise ValueError("away")
        return [2 * one for one in questions]


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_while_calls_are_out_goes_in_the_next_few() -> None:
    store = Store()
    gathering: Gathering[int, int] = Gathering(store, calls=2, most=3)
    answers = []
    for number in range(2):
        answers.append(asyncio.create_task(gathering.get(number)))
        await settled()
    answers += [asyncio.create_task(gathering.get(number)) for number in range(2, 10)]
    await settled()
    assert store.asked == [[0], [1]], "alone, at once; no third call"
    store.may.set()
    assert await asyncio.gather(*answers) == [2 * number for number in range(10)]
    assert [len(batch) for batch in store.asked] == [1, 1, 3, 3, 2]


async def test_who_comes_at_once_goes_together() -> None:
    store = Store()
    store.may.set()
    gathering: Gathering[int, int] = Gathering(store, calls=1, most=100)
    assert await asyncio.gather(*(gathering.get(number) for number in range(20))) == [2 * one for one in range(20)]
    assert len(store.asked) == 1


async def test_a_failure_is_told_to_all_of_its_call_and_to_no_other() -> None:
    store = Store()
    gathering: Gathering[int, int] = Gathering(store, calls=1, most=2)
    first = asyncio.gather(*(gathering.get(number) for number in range(2)), return_exceptions=True)
    await settled()
    later = asyncio.create_task(gathering.get(7))
    await settled()
    store.fails = True
    store.may.set()
    assert [type(one) for one in await first] == [ValueError, ValueError]
    with pytest.raises(ValueError, match="away"):
        await later
    store.fails = False
    assert await gathering.get(4) == 8, "and it goes on"


async def test_who_gave_up_is_not_asked_for_any_more() -> None:
    store = Store()
    gathering: Gathering[int, int] = Gathering(store, calls=1, most=5)
    first = asyncio.create_task(gathering.get(1))
    await settled()
    gone, stays = asyncio.create_task(gathering.get(2)), asyncio.create_task(gathering.get(3))
    await settled()
    gone.cancel()
    await settled()
    store.may.set()
    assert (await first, await stays) == (2, 6)
    assert store.asked == [[1], [3]]


async def test_in_a_rush_calls_are_paced_and_what_fills_one_is_not_kept_waiting() -> None:
    store = Store()
    store.may.set()
    gathering: Gathering[int, int] = Gathering(store, calls=1, most=3, pace_s=30.0)
    first = asyncio.create_task(gathering.get(0))
    await asyncio.sleep(0)  # it is asked for, and not answered yet
    more = [asyncio.create_task(gathering.get(number)) for number in range(1, 5)]
    assert await first == 0
    await asyncio.gather(*more[:3])
    await settled()
    assert store.asked == [[0], [1, 2, 3]], "a whole call goes at once"
    assert not more[3].done(), "one alone waits for others"
    more[3].cancel()


async def test_who_finds_nobody_there_is_asked_for_at_once_whatever_the_pace() -> None:
    store = Store()
    store.may.set()
    gathering: Gathering[int, int] = Gathering(store, calls=1, most=3, pace_s=30.0)
    for number in range(3):
        assert await gathering.get(number) == 2 * number
    assert store.asked == [[0], [1], [2]]


async def test_who_asks_on_as_soon_as_it_is_answered_is_not_left_waiting() -> None:
    store = Store()
    store.may.set()
    gathering: Gathering[int, int] = Gathering(store, calls=1, most=3)

    async def twice() -> int:
        return await gathering.get(await gathering.get(1))

    async with asyncio.timeout(30):
        assert await twice() == 4


async def test_too_few_answers_are_told_to_all_of_the_call_and_it_goes_on() -> None:
    short = True

    async def ask(questions: Sequence[int]) -> list[int]:
        return [] if short else [2 * one for one in questions]

    gathering: Gathering[int, int] = Gathering(ask, calls=1, most=3)
    async with asyncio.timeout(30):
        for one in await asyncio.gather(gathering.get(1), gathering.get(2), return_exceptions=True):
            assert isinstance(one, ValueError)
        short = False
        assert await gathering.get(3) == 6
