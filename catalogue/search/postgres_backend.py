"""Search in Postgres, on replicas where they are. Owns what is asked and when; tsqueries are `postgres_query.py`'s."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import asyncpg

from catalogue.search import interface as said
from catalogue.search import postgres_query
from catalogue.search.folding import clean
from catalogue.search.interface import BEGUN, CORRECTED, STRICT
from catalogue.search.postgres_query import Looser, Texts
from catalogue.search.query_terms import QUERY_MAX, read, read_beginning
from catalogue.search.relaxation import may_be_misspelt, search_by_rungs
from catalogue.search.term_weights import Rarities
from db.products import search as rows
from doorbuster.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from typing import TypeVar

    from catalogue.search.query_terms import QueryTerms
    from db.connections.pool import Connection
    from db.connections.replicas import Replicas

    T = TypeVar("T")

NAMES_MAX = 1_000
SORTED_MAX = 200_000
"""Matches sorted by price or age at most; ranking costs more, and stops at `interface.COUNTED_MAX`."""


class PostgresSearch:
    """Searches the products' own table, on replicas where they are."""

    def __init__(self, replicas: Replicas, *, timeout_s: float, at_once: int) -> None:
        self._replicas, self._timeout_s = replicas, timeout_s
        self._places = asyncio.Semaphore(at_once)
        self._rarities = Rarities()

    async def search(self, query: said.Query) -> said.ResultPage:
        """Return a page, loosening the query while it finds too little."""

        async def work(connection: Connection, folded: str) -> said.ResultPage:
            words = read(folded)
            if not words.terms and query.text.strip():
                return said.NOTHING
            if not words.terms:
                return await self._page(connection, Texts(words, [], None), query, STRICT)
            return await self._by_rungs(connection, words, query)

        return await self._bounded(query.text, work)

    async def suggest(self, text: str, limit: int) -> list[said.Suggestion]:
        """Return brands, categories and names that begin as typed."""

        async def work(connection: Connection, folded: str) -> list[tuple[str, str]]:
            words = read_beginning(folded)
            if not words.terms:
                return []
            match, manner = postgres_query.beginning(words), postgres_query.manner_of(words)
            return await rows.suggest(
                connection, match, folded.strip()[:QUERY_MAX], manner, limit=limit, timeout_s=self._timeout_s
            )

        found = dict.fromkeys(await self._bounded(text, work))
        return [said.Suggestion(kind, text) for kind, text in found if text][:limit]  # type: ignore[arg-type]

    async def close(self) -> None:
        """Close nothing: the connections are the replicas'."""

    async def _by_rungs(self, connection: Connection, words: QueryTerms, query: said.Query) -> said.ResultPage:
        ask = partial(rows.rarities, connection, timeout_s=self._timeout_s)
        shares = await self._rarities.shares(words.single, ask)

        async def loosen(texts: Texts, rung: int) -> Texts | None:
            nonlocal words
            with _in_time():
                if rung == BEGUN:
                    words = await self._with_known(connection, words)
                looser = await self._looser(connection, rung, words)
            return texts._replace(words=words).or_else(looser) if looser.match else None

        async def find(texts: Texts, rung: int) -> said.ResultPage:
            with _in_time():
                return await self._page(connection, texts, query, rung)

        apart = words.joined_as(frozenset())
        strictly = Texts(apart, shares, postgres_query.strict(apart))
        return await search_by_rungs(query, strictly, within_s=self._timeout_s, loosen=loosen, find=find)

    async def _with_known(self, connection: Connection, words: QueryTerms) -> QueryTerms:
        """Leave out joined words that no product has: nearly all, and each costs at every product that is ranked."""
        if not words.joined:
            return words
        return words.joined_as(await rows.there(connection, sorted(words.joined), timeout_s=self._timeout_s))

    async def _looser(self, connection: Connection, rung: int, words: QueryTerms) -> Looser:
        """Return what a rung adds."""
        if rung == BEGUN:
            return postgres_query.last_begun(words)
        if rung == CORRECTED:
            return await self._corrected(connection, words)
        return Looser(postgres_query.any_of(words) if len(words.terms) > 1 else "")

    async def _corrected(self, connection: Connection, words: QueryTerms) -> Looser:
        if words.none_counts:
            return Looser("")
        doubtful = sorted({word for word in words.plain if may_be_misspelt(word)} & set(words.tokens))
        if not doubtful:
            return Looser("")
        better = await rows.correct(connection, doubtful, names_max=NAMES_MAX, timeout_s=self._timeout_s)
        return postgres_query.corrected(words, better) if better else Looser("")

    async def _page(self, connection: Connection, texts: Texts, query: said.Query, rung: int) -> said.ResultPage:
        terms = rows.SearchWords(
            list(query.categories) or None, list(query.brands) or None, query.min_price, query.max_price, query.sort,
            query.after.key if query.after else None, query.after.product_id if query.after else None,
            query.limit, _looked_at(query), list(said.PRICE_STEPS), said.FACET_VALUES_MAX,
        )  # fmt: skip
        asked, manner = texts.asked(), postgres_query.manner_of(texts.words)
        return _page(query, rung, await rows.search(connection, asked, terms, manner, timeout_s=self._timeout_s))

    async def _bounded(self, text: str, work: Callable[[Connection, str], Awaitable[T]]) -> T:
        """Do a search in one transaction, given what is asked, folded."""

        async def whole(connection: Connection, _lsn: int) -> T:
            with _in_time():
                async with rows.bounded(connection, self._timeout_s, clean(text)) as folded:
                    return await work(connection, folded)

        try:
            async with asyncio.timeout(self._timeout_s):
                await self._places.acquire()
        except TimeoutError as error:
            raise StoreUnavailableError("too many searches wait; try again") from error
        try:
            return await self._replicas.read(whole, purpose="search")
        finally:
            self._places.release()


@contextmanager
def _in_time() -> Iterator[None]:
    """Tell a statement that took too long from a server that does not answer."""
    try:
        yield
    except asyncpg.QueryCanceledError as error:
        raise said.TooLongError from error


def _looked_at(query: said.Query) -> int:
    return said.COUNTED_MAX if query.sort == "relevance" and query.text.strip() else SORTED_MAX


def _page(query: said.Query, rung: int, found: rows.Found) -> said.ResultPage:
    hits = tuple(said.Hit(*hit) for hit in found.hits[: query.limit])
    after = None
    if len(found.hits) > query.limit:
        after = said.After(query.sort, rung, hits[-1].key, hits[-1].product_id)
    facets = said.Facets(
        tuple(said.FacetCounts(*one) for one in found.categories if one[0]),
        tuple(said.FacetCounts(*one) for one in found.brands if one[0]),
        said.price_counts(dict(found.prices)),
    )
    return said.ResultPage(
        hits,
        min(found.total, _looked_at(query)),
        facets,
        after,
        exact=found.total <= _looked_at(query),
        matched=found.matched,
    )
