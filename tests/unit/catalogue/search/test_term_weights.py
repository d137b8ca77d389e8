"""Shares of words in a query, and when a backend is asked for their rarity."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from catalogue.search import term_weights
from catalogue.search.term_weights import Rarities


class Told:
    """A backend that knows how rare words are, and what it was asked."""

    def __init__(self, **known: float) -> None:
        self.known, self.asked = known, []  # type: ignore[var-annotated]

    async def __call__(self, words: Sequence[str]) -> dict[str, float]:
        self.asked.append(list(words))
        return {word: self.known[word] for word in words}


async def test_a_word_alone_says_all_and_nobody_is_asked() -> None:
    told = Told()
    assert await Rarities().shares(["lamp"], told) == [1.0]
    assert await Rarities().shares([], told) == []
    assert told.asked == []


async def test_rarer_words_have_a_greater_share_and_those_that_do_not_count_none() -> None:
    assert await Rarities().shares(["the", "black", "theremin"], Told(the=0, black=1, theremin=3)) == [0, 0.25, 0.75]
    assert await Rarities().shares(["the", "of"], Told(the=0, of=0)) == [0, 0]


async def test_words_are_asked_for_once() -> None:
    rarities, told = Rarities(), Told(red=2.0, black=1.0, lamp=3.0)
    await rarities.shares(["red", "lamp"], told)
    await rarities.shares(["black", "lamp", "lamp"], told)
    assert told.asked == [["lamp", "red"], ["black"]]


async def test_what_is_remembered_is_bounded_in_time_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    rarities, told = Rarities(), Told(red=2.0, black=1.0, lamp=3.0)
    monkeypatch.setattr(term_weights, "WORDS_MAX", 2)
    await rarities.shares(["red", "black", "lamp"], told)
    await rarities.shares(["red", "lamp"], told)
    monkeypatch.setattr(term_weights, "KEEP_S", -1.0)
    await rarities.shares(["red", "lamp"], told)
    assert told.asked == [["black", "lamp", "red"], ["lamp", "red"], ["lamp", "red"]]
