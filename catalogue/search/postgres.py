"""Search in Postgres. Owns how a query becomes tsqueries, and how strictly they are meant; the rows are db's.

A query is tried strictly first: all that is asked for, in any spelling and in other words. Only while too little is
found it is loosened, a rung at a time; what a rung finds contains what those before found and ranks behind it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from catalogue.search import interface as said
from catalogue.search.interface import ANY, BEGUN, CORRECTED, STRICT
from catalogue.search.rarity import Rarities
from catalogue.search.words import ACCESSORIES, Phrase, Term, Words, clean, read, read_beginning
from db import search as rows
from doorbuster.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import TypeVar

    from db.pool import Connection
    from db.replicas import Replicas

    T = TypeVar("T")

NAMED = "AB"
"""Weights of names, brands and categories."""
NAMES_MAX = 1_000
SORTED_MAX = 200_000
"""Matches sorted by price or age at most; ranking costs more, and stops at `interface.COUNTED_MAX`."""


Readings = dict[str, list[str]]
"""What else a word may have been meant to be, as tsqueries."""


class Looser(NamedTuple):
    """What a rung lets match besides, and how it reads words."""

    match: str
    readings: Readings = {}  # noqa: RUF012 - never written to


class Texts(NamedTuple):
    """A query as tsqueries; `stricter` are the matches that rank before those of `match`."""

    words: Words
    shares: list[float]
    match: str | None
    stricter: tuple[str, ...] = ()
    readings: Readings = {}  # noqa: RUF012 - never written to

    def or_else(self, looser: Looser) -> Texts:
        """Return the query of a looser rung: what matched still does, and before the rest."""
        assert self.match is not None
        return self._replace(
            match=f"{self.match} | {looser.match}",
            stricter=(*self.stricter, self.match),
            readings=self.readings | looser.readings,
        )

    def asked(self) -> rows.Asked:
        """Return all that matching and ranking look at."""
        terms = self.words.terms
        return rows.Asked(
            match=self.match,
            words=[
                " | ".join((*map(_lexeme, (word, *joined)), *self.readings.get(word, ())))
                for word, joined in self.words.counted
            ],
            shares=self.shares,
            literal=_all(_written(term) for term in terms),
            name_meant=_all(_either(term, NAMED) for term in terms),
            accessory=" | ".join(_lexeme(word, "A") for word in sorted(ACCESSORIES - self.words.plain)),
            stricter=list(self.stricter),
        )


class PostgresSearch:
    """Searches the products' own table, on replicas where they are."""

    def __init__(self, replicas: Replicas, *, timeout_s: float, at_once: int) -> None:
        self._replicas, self._timeout_s = replicas, timeout_s
        self._places = asyncio.Semaphore(at_once)
        self._rarities = Rarities()

    async def search(self, query: said.Query) -> said.Page:
        """Return a page, loosening the query while it finds too little."""
        words = read(query.text)
        if not words.terms and query.text.strip():
            return said.NOTHING

        async def work(connection: Connection) -> said.Page:
            if not words.terms:
                return await self._page(connection, Texts(words, [], None), query, STRICT)
            return await self._loosen(connection, words, query)

        return await self._bounded(work)

    async def suggest(self, text: str, limit: int) -> list[said.Suggestion]:
        """Return brands, categories and names that begin as typed."""
        words = read_beginning(text)
        if not words.terms:
            return []

        async def work(connection: Connection) -> list[tuple[str, str]]:
            match, beginning = _begun(words, NAMED), clean(text)
            return await rows.suggest(connection, match, beginning, limit=limit, timeout_s=self._timeout_s)

        found = dict.fromkeys(await self._bounded(work))
        return [said.Suggestion(kind, text) for kind, text in found if text][:limit]  # type: ignore[arg-type]

    async def close(self) -> None:
        """Close nothing: the connections are the replicas'."""

    async def _loosen(self, connection: Connection, words: Words, query: said.Query) -> said.Page:
        ask = partial(rows.rarities, connection, timeout_s=self._timeout_s)
        shares = await self._rarities.shares(words.single, ask)
        texts = Texts(words, shares, _all(_either(term) for term in words.terms))
        first = query.after.rung if query.after else STRICT
        page = said.NOTHING
        for rung in range(ANY + 1):
            looser = Looser("") if rung == STRICT else await self._looser(connection, rung, words)
            if looser.match:
                texts = texts.or_else(looser)
            if rung < first or not (looser.match or rung == first):
                continue
            page = await self._page(connection, texts, query, rung)
            if query.after or page.matched >= said.FEW:
                break
        return page

    async def _looser(self, connection: Connection, rung: int, words: Words) -> Looser:
        """Return what a rung adds."""
        if rung == BEGUN:
            return Looser(_begun(words), {words.tokens[-1]: [f"{_lexeme(words.tokens[-1])}:*"]})
        if rung == CORRECTED:
            return await self._corrected(connection, words)
        return Looser(_any(words) if len(words.terms) > 1 else "")

    async def _corrected(self, connection: Connection, words: Words) -> Looser:
        doubtful = sorted(
            {word for word in words.plain if said.TYPO_MIN <= len(word) <= said.TYPO_MAX and word.isalpha()}
            & set(words.tokens)
        )
        if not doubtful:
            return Looser("")
        better = await rows.correct(connection, doubtful, names_max=NAMES_MAX, timeout_s=self._timeout_s)
        if not better:
            return Looser("")
        readings = {word: [_lexeme(other) for other in others] for word, others in better.items()}
        match = _all(
            " | ".join((_either(term), *(one for word in _plain_words(term) for one in readings.get(word, ()))))
            for term in words.terms
        )
        return Looser(match, readings)

    async def _page(self, connection: Connection, texts: Texts, query: said.Query, rung: int) -> said.Page:
        terms = rows.Terms(
            list(query.categories) or None, list(query.brands) or None, query.min_price, query.max_price, query.sort,
            query.after.key if query.after else None, query.after.product_id if query.after else None,
            query.limit, _looked_at(query), list(said.PRICE_STEPS), said.FACET_VALUES_MAX,
        )  # fmt: skip
        return _page(query, rung, await rows.search(connection, texts.asked(), terms, timeout_s=self._timeout_s))

    async def _bounded(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Do a search in one transaction; one that takes too long is the query's fault and not the server's."""

        async def whole(connection: Connection, _lsn: int) -> T | None:
            try:
                async with rows.bounded(connection, self._timeout_s):
                    return await work(connection)
            except asyncpg.QueryCanceledError:
                return None

        try:
            async with asyncio.timeout(self._timeout_s):
                await self._places.acquire()
        except TimeoutError as error:
            raise StoreUnavailableError("too many searches wait; try again") from error
        try:
            done = await self._replicas.read(whole)
        finally:
            self._places.release()
        if done is None:
            raise StoreUnavailableError("this search takes too long; more words make it narrower")
        return done


def _looked_at(query: said.Query) -> int:
    return said.COUNTED_MAX if query.sort == "relevance" and query.text.strip() else SORTED_MAX


def _page(query: said.Query, rung: int, found: rows.Found) -> said.Page:
    hits = tuple(said.Hit(*hit) for hit in found.hits[: query.limit])
    after = None
    if len(found.hits) > query.limit:
        after = said.After(query.sort, rung, hits[-1].key, hits[-1].product_id)
    facets = said.Facets(
        tuple(said.Count(*one) for one in found.categories if one[0]),
        tuple(said.Count(*one) for one in found.brands if one[0]),
        said.price_counts(dict(found.prices)),
    )
    return said.Page(
        hits,
        min(found.total, _looked_at(query)),
        facets,
        after,
        exact=found.total <= _looked_at(query),
        matched=found.matched,
    )


def _lexeme(word: str, weight: str = "") -> str:
    """Return a word as to_tsquery reads it; whatever it holds, it stays one quoted word."""
    quoted = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}':{weight}" if weight else f"'{quoted}'"


def _phrase(phrase: Phrase, weight: str = "") -> str:
    return f"({' <-> '.join(_lexeme(word, weight) for word in phrase)})"


def _written(term: Term, weight: str = "") -> str:
    """Return a term as it was written, in any spelling."""
    return _all(" | ".join(_phrase(spelling, weight) for spelling in spellings) for spellings in term.words)


def _either(term: Term, weight: str = "") -> str:
    """Return a term as written, in other words, or in one with its neighbours."""
    others = (*term.same, *term.also, *((joined,) for joined in term.joined))
    return " | ".join((f"({_written(term, weight)})", *(_phrase(other, weight) for other in others)))


def _all(texts: Iterable[str]) -> str:
    return " & ".join(f"({text})" for text in texts)


def _begun(words: Words, weight: str = "") -> str:
    """Return all that is asked for, the last word being only the beginning of one."""
    last = words.tokens[-1]
    if len(last) < said.PREFIX_MIN:
        return ""
    *firsts, end = words.terms[-1].words
    begun = " | ".join(_open_phrase(spelling, weight) for spelling in end)
    before = [_either(term, weight) for term in words.terms[:-1]]
    return _all([*before, *(" | ".join(_phrase(one, weight) for one in word) for word in firsts), begun])


def _open_phrase(phrase: Phrase, weight: str) -> str:
    *firsts, last = phrase
    return f"({' <-> '.join([*(_lexeme(word, weight) for word in firsts), _lexeme(last, f'*{weight}')])})"


def _any(words: Words) -> str:
    return " | ".join(f"({_either(term)})" for term in words.terms)


def _plain_words(term: Term) -> set[str]:
    return {word for spellings in term.words for phrase in spellings for word in phrase}
