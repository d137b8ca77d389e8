"""Search as one process offers it: a backend finds, the read path's rows are shown. Owns neither ranking nor HTTP.

A backend names products; what is shown of them, prices above all, is read where it is never wrong for good.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from catalogue.search.interface import write_cursor
from catalogue.search.postgres import PostgresSearch
from catalogue.showing import show_item
from db import search as rows
from doorbuster.catalogue_contract import (
    FacetCount,
    PriceFacet,
    SearchFacets,
    SearchPage,
    ShownProduct,
    Suggested,
    Suggestions,
)

if TYPE_CHECKING:
    from catalogue.search.interface import Backend, Facets, Query
    from db.catalogue import Item
    from db.pool import Connection
    from db.replicas import Replicas
    from doorbuster.settings import Settings


class Search:
    """Answers searches for one process."""

    def __init__(self, backend: Backend, replicas: Replicas) -> None:
        self._backend, self._replicas = backend, replicas

    async def page(self, query: Query) -> SearchPage:
        """Return a page as shoppers see it.

        Raises:
            StoreUnavailableError: no answer in time.
        """
        found = await self._backend.search(query)
        page = SearchPage(
            items=await self._shown([hit.product_id for hit in found.hits]),
            total=found.total,
            facets=_facets(found.facets),
        )
        if not found.exact:
            page.total_at_least = True
        if found.after is not None:
            page.next_cursor = write_cursor(found.after)
        return page

    async def close(self) -> None:
        """Close the backend's connections."""
        await self._backend.close()

    async def suggest(self, text: str, limit: int) -> Suggestions:
        """Return what an unfinished query may become."""
        return Suggestions([Suggested(one.kind, one.text) for one in await self._backend.suggest(text, limit)])

    async def _shown(self, product_ids: list[str]) -> list[ShownProduct]:
        if not product_ids:
            return []

        async def load(connection: Connection, _lsn: int) -> list[Item]:
            return await rows.read_items(connection, product_ids)

        now_us = time.time_ns() // 1000
        return [show_item(item, None, now_us)[0] for item in await self._replicas.read(load)]


def open_search(settings: Settings, replicas: Replicas) -> Search:
    """Return the search that the settings ask for."""
    timeout_s = settings.search_timeout_s
    if settings.search_url is None:
        at_once = max(1, settings.primary_reads_max - 1)  # of the primary's few, one stays for products
        return Search(PostgresSearch(replicas, timeout_s=timeout_s, at_once=at_once), replicas)
    # Not needed, and not installed, where Postgres searches.
    from catalogue.search import opensearch

    client, alias = opensearch.connect(settings.search_url.get_secret_value(), timeout_s=timeout_s + 0.5)
    return Search(opensearch.OpenSearchSearch(client, alias, timeout_s=timeout_s), replicas)


def _facets(facets: Facets) -> SearchFacets:
    return SearchFacets(
        category=[FacetCount(*one) for one in facets.categories],
        brand=[FacetCount(*one) for one in facets.brands],
        price=[PriceFacet(*one) for one in facets.prices],
    )
