"""How strictly a query is meant, whichever backend searches. Owns the order of the rungs; knows no backend's language.

A query is tried strictly first: all that is asked for, in any spelling and in other words. Only while too little is
found it is loosened, a rung at a time; what a rung finds contains what those before found and ranks behind it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from catalogue.search.interface import (
    ANY,
    BEGUN,
    FEW,
    NOTHING,
    STRICT,
    TYPO_MAX,
    TYPO_MIN,
    Query,
    ResultPage,
    TooLongError,
)

Asked = TypeVar("Asked")


async def search_by_rungs(
    query: Query,
    asked: Asked,
    *,
    within_s: float,
    loosen: Callable[[Asked, int], Awaitable[Asked | None]],
    find: Callable[[Asked, int], Awaitable[ResultPage]],
) -> ResultPage:
    """Return the page of the first rung that finds enough, of a later page the rung that its first page was of.

    `asked` is the query as the backend asks it; `loosen` gives what a rung makes of it, None if it adds nothing; `find`
    asks. Both may take too long; then, and after `within_s`, what was found by that time is enough.

    Raises:
        TooLongError: nothing was found by that time.
    """
    ends = monotonic() + within_s
    first = query.after.rung if query.after else STRICT
    page = await find(asked, STRICT) if first == STRICT else NOTHING
    for rung in range(BEGUN, ANY + 1):
        if rung > first and (query.after or page.matched >= FEW):
            break
        try:
            if rung > first and monotonic() > ends:
                raise TooLongError
            looser = await loosen(asked, rung)
            asked = asked if looser is None else looser
            if rung == first or (rung > first and looser is not None):
                page = await find(asked, rung)
        except TooLongError:
            if not page.matched:
                raise
            break
    return page


def may_be_misspelt(word: str) -> bool:
    """Say whether a word is worth correcting: no number, neither very short nor very long."""
    return TYPO_MIN <= len(word) <= TYPO_MAX and word.isalpha()
