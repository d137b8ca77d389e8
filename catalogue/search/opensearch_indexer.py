"""Keeps OpenSearch right: fed from the outbox, built anew behind an alias. Owns writing the index, never the truth.

Every document carries its product's version, and OpenSearch refuses an older one: feeding twice, late or out of order
changes nothing. While an index is built anew, changes are fed to the old and the new one, and searches see the old one
until the new one is whole.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from opensearchpy.exceptions import NotFoundError, OpenSearchException

from catalogue.search.opensearch_mapping import document, template
from db.products import search as rows
from doorbuster.errors import ConflictError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opensearchpy import AsyncOpenSearch

    from db.connections.pool import Connection
    from db.products.search import SearchDocument

PAGE = 1_000
WRITE_TIMEOUT_S = 30.0
CONFLICT = 409
GRACE_S = 5.0
"""How long searches that began on the old index may take to end, before it is removed."""


class Indexer:
    """Writes the indices behind an alias. Those that are fed stand behind another alias, `ALIAS.fed`."""

    def __init__(self, client: AsyncOpenSearch, alias: str, *, grace_s: float = GRACE_S) -> None:
        self._client, self._alias, self._fed = client, alias, f"{alias}.fed"
        self._grace_s = grace_s

    async def feed(self, connection: Connection, product_ids: Sequence[str]) -> None:
        """Bring these products up to date in every index that is fed; connection is the primary's.

        Raises:
            StoreUnavailableError: OpenSearch did not take them; feeding them again is safe.
        """
        # Asked after the changes were read: an index made later is filled from rows that show them.
        indices = await self._behind(self._fed)
        if not indices:
            raise StoreUnavailableError("there is no index yet: run `doorbuster reindex`")
        for start in range(0, len(product_ids), PAGE):
            several = await rows.read_documents(connection, product_ids[start : start + PAGE])
            for index in indices:
                await self._write(index, several)

    async def reindex(self, connection: Connection, told: Callable[[int], None] = lambda _: None) -> int:
        """Build the index anew and put it behind the alias; return how many products it has. Memory is bounded.

        Raises:
            StoreUnavailableError: OpenSearch failed; what was searched before still is.
            ConflictError: something that is no index of ours has the alias's name.
        """
        try:
            if await self._client.indices.exists(index=self._alias) and not await self._behind(self._alias):
                raise ConflictError(f"{self._alias!r} is an index, not an alias")
            return await self._build(connection, told)
        except OpenSearchException as error:
            raise StoreUnavailableError(f"OpenSearch: {error!r:.300}") from error

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    async def _build(self, connection: Connection, told: Callable[[int], None]) -> int:
        former = await self._behind(self._fed)
        index = f"{self._alias}-{time.time_ns() // 1_000_000}"
        await self._client.indices.put_index_template(name=self._alias, body=template(self._alias))
        await self._client.indices.create(index=index, body={"aliases": {self._fed: {}, _writing(index): {}}})
        done, after = 0, ""
        while several := await rows.page_documents(connection, after, PAGE):
            await self._write(index, several)
            done, after = done + len(several), several[-1].product_id
            told(done)
        await self._client.indices.refresh(index=index)
        actions: list[dict[str, Any]] = [{"add": {"index": index, "alias": self._alias}}]
        actions += [{"remove": {"index": old, "aliases": [self._alias, self._fed]}} for old in former]
        await self._client.indices.update_aliases(body={"actions": actions})
        if former:
            await asyncio.sleep(self._grace_s)
            await self._client.indices.delete(index=",".join(former))
        return done

    async def _behind(self, alias: str) -> list[str]:
        try:
            return sorted(await self._client.indices.get_alias(name=alias))
        except NotFoundError:
            return []
        except OpenSearchException as error:
            raise StoreUnavailableError(f"OpenSearch: {error!r:.300}") from error

    async def _write(self, index: str, several: Sequence[SearchDocument]) -> None:
        if not several:
            return
        try:
            answer = await self._client.bulk(
                body=list(_lines(index, several)), params={"request_timeout": WRITE_TIMEOUT_S, "require_alias": "true"}
            )
        except OpenSearchException as error:
            raise StoreUnavailableError(f"OpenSearch: {error!r:.300}") from error
        results = (item["index"] for item in answer["items"])
        failed = [one for one in results if one["status"] >= 300 and one["status"] != CONFLICT]
        if failed:
            raise StoreUnavailableError(f"OpenSearch refused {len(failed)} of {len(several)}: {failed[0]!r:.300}")


def _writing(index: str) -> str:
    """Return the alias of one index for writing: a write to one that is gone must fail, and never make it again."""
    return f"{index}.w"


def _lines(index: str, several: Iterable[SearchDocument]) -> Iterable[dict[str, Any]]:
    for one in several:
        yield {
            "index": {
                "_index": _writing(index),
                "_id": one.product_id,
                "version": one.version,
                "version_type": "external",
            }
        }
        yield document(one)
