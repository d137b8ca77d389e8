"""Keeps the search index right from the outbox of changes. Owns its connections; the index is the catalogue's.

OpenSearch's client is loaded only where SEARCH_URL is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.connections.pool import create_pool
from workers.publish.outboxes import CATALOGUE_CHANGES
from workers.publish.relay import OutboxBatch

if TYPE_CHECKING:
    from catalogue.search.opensearch_indexer import Indexer
    from db.connections.pool import Pool
    from db.products.catalogue_changes import Change
    from doorbuster.settings import Settings

WRITE_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 10.0


class SearchTarget:
    """The search index; see `relay.Target`."""

    name = "catalogue-search"
    source = CATALOGUE_CHANGES
    wait_s = 0.0

    def __init__(self, settings: Settings) -> None:
        assert settings.search_url is not None
        self._url = settings.search_url.get_secret_value()
        self._database_url = settings.database_url.get_secret_value()
        self._pool: Pool | None = None
        self._indexer: Indexer | None = None

    async def deliver(self, batch: OutboxBatch[Change]) -> bool:
        """Write the changed products as they are now: the primary shows them all."""
        if self._pool is None:
            self._pool = await create_pool(
                self._database_url, min_size=0, max_size=1, command_timeout_s=READ_TIMEOUT_S,
                application="doorbuster-search",
            )  # fmt: skip
        async with self._pool.acquire() as connection:
            await self._opened().feed(connection, list(dict.fromkeys(one.product_id for one in batch.rows)))
        return True

    async def close(self) -> None:
        """Close what is open."""
        if self._indexer is not None:
            await self._indexer.close()
        if self._pool is not None:
            self._pool.terminate()

    def _opened(self) -> Indexer:
        if self._indexer is None:
            from catalogue.search.opensearch_backend import connect
            from catalogue.search.opensearch_indexer import Indexer

            self._indexer = Indexer(*connect(self._url, timeout_s=WRITE_TIMEOUT_S))
        return self._indexer
