"""A search climbs the rungs until it has found enough, and a later page stays on its first page's rung."""

from __future__ import annotations

import pytest

from catalogue.search.interface import ANY, BEGUN, CORRECTED, FEW, STRICT, After, Query, ResultPage, TooLongError
from catalogue.search.interface import NOTHING as EMPTY
from catalogue.search.relaxation import may_be_misspelt, search_by_rungs


async def climbed(
    query: Query, found: dict[int, int], *, without: int = -1, endless: int = -1, within_s: float = 60.0
) -> tuple[list[tuple[int, ...]], ResultPage]:
    """Search a backend that finds so many by rung; return what it was asked, as the rungs in it, and the page."""
    asked: list[tuple[int, ...]] = []

    async def loosen(rungs: tuple[int, ...], rung: int) -> tuple[int, ...] | None:
        return None if rung == without else (*rungs, rung)

    async def find(rungs: tuple[int, ...], rung: int) -> ResultPage:
        asked.append(rungs)
        if rung == endless:
            raise TooLongError
        return EMPTY._replace(matched=found.get(rung, 0))

    page = await search_by_rungs(query, (STRICT,), within_s=within_s, loosen=loosen, find=find)
    return asked, page


async def test_what_is_found_strictly_is_enough() -> None:
    assert await climbed(Query(), {STRICT: FEW}) == ([(STRICT,)], EMPTY._replace(matched=FEW))


async def test_it_is_loosened_a_rung_at_a_time_while_it_finds_too_little() -> None:
    asked, page = await climbed(Query(), {STRICT: FEW - 1, BEGUN: FEW - 1, CORRECTED: FEW})
    assert asked == [(STRICT,), (STRICT, BEGUN), (STRICT, BEGUN, CORRECTED)]
    assert page.matched == FEW


async def test_a_rung_that_adds_nothing_is_not_asked() -> None:
    asked, _ = await climbed(Query(), {}, without=CORRECTED)
    assert asked == [(STRICT,), (STRICT, BEGUN), (STRICT, BEGUN, ANY)]


async def test_what_was_found_is_shown_when_loosening_takes_too_long() -> None:
    asked, page = await climbed(Query(), {STRICT: 1, BEGUN: 2}, endless=CORRECTED)
    assert (len(asked), page.matched) == (3, 2)
    asked, page = await climbed(Query(), {STRICT: 1}, within_s=-1)
    assert (asked, page.matched) == ([(STRICT,)], 1)


async def test_nothing_found_in_time_is_an_error() -> None:
    with pytest.raises(TooLongError):
        await climbed(Query(), {}, endless=CORRECTED)
    with pytest.raises(TooLongError):
        await climbed(Query(), {}, within_s=-1)
    with pytest.raises(TooLongError):
        await climbed(Query(), {STRICT: 1}, endless=STRICT)


@pytest.mark.parametrize("rung", [STRICT, BEGUN, CORRECTED, ANY])
async def test_a_later_page_is_asked_as_its_first_was_and_no_looser(rung: int) -> None:
    query = Query(after=After("relevance", rung, 1.0, "lamp"))
    assert (await climbed(query, {}))[0] == [tuple(range(rung + 1))]


@pytest.mark.parametrize(("word", "worth"), [("keybord", True), ("tv", False), ("dv7", False), ("x" * 31, False)])
def test_words_worth_correcting(word: str, worth: bool) -> None:
    assert may_be_misspelt(word) == worth
