"""Search over HTTP. Owns its parameters and their bounds; what is found and how is the catalogue's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from catalogue.search.interface import LIMIT_MAX, SORTS, Query, Sort, read_cursor
from doorbuster.errors import InvalidError
from intake.web.conditional import send

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from catalogue.search.service import Search

LIMIT = 24
SUGGESTIONS = 8
SUGGESTIONS_MAX = 20
CHARACTERS_MAX = 20_000
"""A query may be longer than what counts of it, but not without end."""
VALUES_MAX = 50
VALUE_MAX = 200
PRICE_MAX = 10**12
CURSOR_MAX = 400


class SearchProducts:
    """Resource of searches."""

    def __init__(self, search: Search) -> None:
        self._search = search

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show a page of what was found."""
        answer = await self._search.page(_query(req))
        send(req, resp, answer.body, answer.headers)


class SuggestSearches:
    """Resource of what an unfinished query may become."""

    def __init__(self, search: Search) -> None:
        self._search = search

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show suggestions."""
        reading = Reading(req, ("q", "limit"))
        text = reading.text("q", CHARACTERS_MAX)
        limit = reading.number("limit", 1, SUGGESTIONS_MAX)
        reading.refuse()
        send(req, resp, *await self._search.suggest(text, limit or SUGGESTIONS))


SEVERAL = ("category", "brand")


class Reading:
    """Reads parameters and keeps what is wrong with them."""

    def __init__(self, req: Request, allowed: tuple[str, ...]) -> None:
        self._req = req
        self.problems = [(name, "is not known here") for name in sorted(req.params) if name not in allowed]
        several = [name for name in allowed if name not in SEVERAL and isinstance(req.params.get(name), list)]
        self.problems += [(name, "is given several times") for name in several]

    def text(self, name: str, longest: int) -> str:
        """Return a parameter's text, empty when it is not given."""
        text = self._req.get_param(name) or ""
        if len(text) > longest:
            self.problems.append((name, f"must have at most {longest} characters"))
        return text

    def values(self, name: str) -> tuple[str, ...]:
        """Return a parameter that may be given several times."""
        values = tuple(self._req.get_param_as_list(name) or ())
        if len(values) > VALUES_MAX or any(len(value) > VALUE_MAX or "\x00" in value for value in values):
            self.problems.append((name, f"must be at most {VALUES_MAX} values of {VALUE_MAX} characters, none NUL"))
        return values

    def number(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number, or None when it is not given."""
        text = self._req.get_param(name)
        if text is None:
            return None
        if text.isascii() and text.isdecimal() and len(text) <= 15 and least <= int(text) <= most:
            return int(text)
        self.problems.append((name, f"must be a whole number from {least} to {most}"))
        return None

    def refuse(self) -> None:
        """Refuse the request if anything is wrong.

        Raises:
            InvalidError: naming each parameter.
        """
        if self.problems:
            raise InvalidError.naming(self.problems)


def _query(req: Request) -> Query:
    reading = Reading(req, ("q", "category", "brand", "min_price", "max_price", "sort", "cursor", "limit"))
    text, cursor = reading.text("q", CHARACTERS_MAX), reading.text("cursor", CURSOR_MAX)
    categories, brands = reading.values("category"), reading.values("brand")
    low, high = (reading.number(name, 0, PRICE_MAX) for name in ("min_price", "max_price"))
    limit = reading.number("limit", 1, LIMIT_MAX)
    sort = req.get_param("sort") or "relevance"
    if sort not in SORTS:
        reading.problems.append(("sort", f"must be one of {', '.join(SORTS)}"))
    reading.refuse()
    chosen = cast("Sort", sort)
    after = read_cursor(cursor, chosen) if cursor else None
    return Query(text, categories, brands, low, high, chosen, limit or LIMIT, after)
