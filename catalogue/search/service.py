"""Search as one process offers it: a backend finds, rows are read, shown, kept a moment. Owns no ranking, no HTTP.

A backend names products; what is shown of them, prices above all, is read where it is never wrong for good.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from catalogue.responses import NEVER, CacheTerms, cache_control, etag_of, show_item
from catalogue.search.answer_cache import AnswerCache
from catalogue.search.folding import Folding, clean
from catalogue.search.interface import write_cursor
from catalogue.search.postgres_backend import PostgresSearch
from db.products import search as rows
from doorbuster.contract.catalogue import (
    FacetCount,
    PriceFacet,
    SearchFacets,
    SearchPage,
    Suggested,
    Suggestions,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Hashable

    from catalogue.search.interface import Backend, Facets, Query
    from db.connections.pool import Connection
    from db.connections.replicas import Replicas
    from db.products.catalogue import Item
    from doorbuster.settings import Settings


SEARCHES = CacheTerms(cdn_s=5, stale_s=5)
"""How long others may keep a search: nothing purges it."""
_encode = msgspec.json.Encoder().encode


class SearchAnswer:
    """What was found, and how it is shown until a price flips."""

    __slots__ = ("_body", "_etag", "_items", "_page", "_until")

    def __init__(self, page: SearchPage, items: list[Item]) -> None:
        self._page: SearchPage | None = page
        self._items = items
        self._show()

    @property
    def body(self) -> bytes:
        """The answer as it holds now."""
        if self._until <= time.time():
            self._show()
        return self._body

    @property
    def headers(self) -> dict[str, str]:
        """The validator, and how long others may keep it: not beyond the flip of a price."""
        return {"Cache-Control": cache_control(SEARCHES, self._until), "ETag": self._etag}

    def _show(self) -> None:
        assert self._page is not None
        now_us = time.time_ns() // 1000
        several = [show_item(item, None, now_us) for item in self._items]
        self._page.items = [shown for shown, _ in several]
        self._until = min((until for _, until in several), default=NEVER)
        self._body = _encode(self._page)
        self._etag = etag_of(self._body)
        if self._until == NEVER:
            self._page, self._items = None, []  # never shown otherwise: the bytes are all that is needed


ANSWER_BYTES, BYTES_PER_CHARACTER, BYTES_PER_BODY = 2_000, 4, 3
"""What an answer takes: itself, what it was asked by, and its body as found and as shown, about."""


def _weight(key: Hashable, body: bytes) -> int:
    return ANSWER_BYTES + BYTES_PER_CHARACTER * len(repr(key)) + BYTES_PER_BODY * len(body)


class Search:
    """Answers searches for one process."""

    def __init__(self, backend: Backend, replicas: Replicas, *, fresh_s: float) -> None:
        self._backend, self._replicas = backend, replicas
        self._pages: AnswerCache[SearchAnswer] = AnswerCache(
            fresh_s=fresh_s, weigh=lambda key, page: _weight(key, page.body)
        )
        self._suggestions: AnswerCache[tuple[bytes, dict[str, str]]] = AnswerCache(
            fresh_s=fresh_s, weigh=lambda key, said: _weight(key, said[0])
        )

    @property
    def answered(self) -> Counter[str]:
        """Searches and suggestions by where they were answered."""
        return self._pages.answered + self._suggestions.answered

    async def page(self, query: Query) -> SearchAnswer:
        """Return a page as shoppers see it.

        Raises:
            StoreUnavailableError: no answer in time.
        """
        # What differs in capitals and outer spaces alone is the same search; of nothing else, another than of nothing.
        key = query._replace(text=clean(query.text).lower()), bool(query.text.strip())
        return await self._pages.get(key, lambda: self._find(query))

    async def suggest(self, text: str, limit: int) -> tuple[bytes, dict[str, str]]:
        """Return what an unfinished query may become, as body and headers.

        Raises:
            StoreUnavailableError: no answer in time.
        """
        return await self._suggestions.get((clean(text).lower(), limit), lambda: self._suggest(text, limit))

    def outdate(self) -> None:
        """Hear that a product changed: any search may have found it, or find it now."""
        self._pages.outdate()
        self._suggestions.outdate()

    async def close(self) -> None:
        """Close the backend's connections."""
        await self._backend.close()

    async def _find(self, query: Query) -> SearchAnswer:
        found = await self._backend.search(query)
        page = SearchPage(items=[], total=found.total, facets=_facets(found.facets))
        if not found.exact:
            page.total_at_least = True
        if found.after is not None:
            page.next_cursor = write_cursor(found.after)
        return SearchAnswer(page, await self._items([hit.product_id for hit in found.hits]))

    async def _suggest(self, text: str, limit: int) -> tuple[bytes, dict[str, str]]:
        found = await self._backend.suggest(text, limit)
        body = _encode(Suggestions([Suggested(one.kind, one.text) for one in found]))
        return body, {"Cache-Control": cache_control(SEARCHES, NEVER), "ETag": etag_of(body)}

    async def _items(self, product_ids: list[str]) -> list[Item]:
        if not product_ids:
            return []

        async def load(connection: Connection, _lsn: int) -> list[Item]:
            return await rows.read_items(connection, product_ids)

        return await self._replicas.read(load, purpose="search")


def open_search(settings: Settings, replicas: Replicas) -> Search:
    """Return the search that the settings ask for."""
    timeout_s = settings.search_timeout_s
    if settings.search_url is None:
        at_once = max(1, settings.primary_reads_max - 1)  # of the primary's few, one stays for products
        backend = PostgresSearch(replicas, timeout_s=timeout_s, at_once=at_once)
        return Search(backend, replicas, fresh_s=settings.catalogue_fresh_s)
    # Not needed, and not installed, where Postgres searches.
    from catalogue.search import opensearch_backend

    client, alias = opensearch_backend.connect(settings.search_url.get_secret_value(), timeout_s=timeout_s + 0.5)
    found = opensearch_backend.OpenSearchSearch(client, alias, Folding(replicas), timeout_s=timeout_s)
    return Search(found, replicas, fresh_s=settings.catalogue_fresh_s)


def _facets(facets: Facets) -> SearchFacets:
    return SearchFacets(
        category=[FacetCount(*one) for one in facets.categories],
        brand=[FacetCount(*one) for one in facets.brands],
        price=[PriceFacet(*one) for one in facets.prices],
    )
