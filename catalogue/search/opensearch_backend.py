"""Search in OpenSearch. Owns its client and how answers are read; queries are `opensearch_query.py`'s."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import OpenSearchException

from catalogue.search import interface as said
from catalogue.search import opensearch_query
from catalogue.search.interface import STRICT
from catalogue.search.opensearch_query import ACTIVE, FACETS, WEIGHTS, OpenSearchQuery
from catalogue.search.query_terms import QUERY_MAX, read, read_beginning
from catalogue.search.relaxation import search_by_rungs
from catalogue.search.term_weights import Rarities
from doorbuster.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    Fold = Callable[[str], Awaitable[str]]

ALIAS = "products"
NAMES_MAX = 200


def connect(url: str, *, timeout_s: float) -> tuple[AsyncOpenSearch, str]:
    """Return a client, not yet connected, and the alias that the URL names."""
    parts = urlsplit(url)
    host = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    # A search is as good by the next request as by a retry: whoever asks decides.
    client = AsyncOpenSearch(hosts=[host], timeout=timeout_s, max_retries=0, retry_on_timeout=False)
    return client, parts.path.strip("/") or ALIAS


class OpenSearchSearch:
    """Searches the alias that indices stand behind."""

    def __init__(self, client: AsyncOpenSearch, alias: str, fold: Fold, *, timeout_s: float) -> None:
        self._client, self._alias, self._fold, self._timeout_s = client, alias, fold, timeout_s
        self._rarities = Rarities()

    async def search(self, query: said.Query) -> said.ResultPage:
        """Return a page, loosening the query while it finds too little."""
        words = opensearch_query.counting(read(await self._fold(query.text)))
        if not words.terms:
            everything = OpenSearchQuery(words, [], ({"match_all": {}},))
            return said.NOTHING if query.text.strip() else await self._page(query, everything, STRICT)
        shares = await self._rarities.shares(words.single, self._ask_rarities)

        async def loosen(asked: OpenSearchQuery, rung: int) -> OpenSearchQuery | None:
            looser = opensearch_query.looser(words, rung)
            return None if looser is None else asked.or_else(looser, rung)

        async def find(asked: OpenSearchQuery, rung: int) -> said.ResultPage:
            return await self._page(query, asked, rung)

        strictly = OpenSearchQuery(words, shares, (opensearch_query.strict(words),))
        return await search_by_rungs(query, strictly, within_s=self._timeout_s, loosen=loosen, find=find)

    async def suggest(self, text: str, limit: int) -> list[said.Suggestion]:
        """Return brands, categories and names that begin as typed."""
        folded = await self._fold(text)
        words = opensearch_query.counting(read_beginning(folded))
        if not words.terms:
            return []
        begun = opensearch_query.named_so_far(words) or {"match_none": {}}
        typed = folded.strip()[:QUERY_MAX]
        answer = await self._ask(
            {
                "size": NAMES_MAX,
                "_source": ["title"],
                "sort": [{"length": "asc"}, {"product_id": "asc"}],
                "query": {"bool": {"filter": [ACTIVE, begun]}},
                "aggs": {
                    "all": {"global": {}, "aggs": {k: opensearch_query.beginning(k, typed, limit) for k in FACETS}}
                },
            }
        )
        found = [
            said.Suggestion(kind, bucket["key"])
            for kind in ("brand", "category")
            for bucket in answer["aggregations"]["all"][kind]["values"]["buckets"]
        ]
        names = dict.fromkeys(hit["_source"]["title"] for hit in answer["hits"]["hits"])
        return [*found, *(said.Suggestion("product", name) for name in names)][:limit]

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    async def _page(self, query: said.Query, asked: OpenSearchQuery, rung: int) -> said.ResultPage:
        filters = {name: clause for name, clause in opensearch_query.filters_of(query).items() if clause is not None}
        body = {
            "size": query.limit + 1,
            "_source": False,
            "docvalue_fields": ["product_id"],
            "track_total_hits": said.COUNTED_MAX + 1,
            "query": {"bool": {"filter": [ACTIVE], "must": [asked.match], "should": asked.ranks()}},
            "post_filter": {"bool": {"filter": list(filters.values())}},
            "sort": opensearch_query.order_of(query.sort),
            "track_scores": False,
            "aggs": opensearch_query.facets_of(filters),
        }
        if query.after:
            body["search_after"] = [opensearch_query.sign_of(query.sort) * query.after.key, query.after.product_id]
        return _read(query, rung, await self._ask(body))

    async def _ask(self, body: dict[str, Any]) -> dict[str, Any]:
        body["timeout"] = f"{int(self._timeout_s * 1000)}ms"
        try:
            answer: dict[str, Any] = await self._client.search(
                index=self._alias,
                body=body,
                params={"preference": "shoppers", "request_timeout": self._timeout_s + 0.5},
            )
        except OpenSearchException as error:
            raise StoreUnavailableError(f"the search index does not answer as it must: {error!r:.200}") from error
        if answer["timed_out"]:
            raise said.TooLongError
        return answer

    async def _ask_rarities(self, words: Sequence[str]) -> dict[str, float]:
        counted = {word: {"multi_match": {"query": word, "fields": list(WEIGHTS)}} for word in words}
        body = {
            "size": 0,
            "track_total_hits": True,
            "query": {"match_all": {}},
            "aggs": {"words": {"filters": {"filters": counted}}},
        }
        answer = await self._ask(body)
        whole = answer["hits"]["total"]["value"]
        buckets = answer["aggregations"]["words"]["buckets"]
        return {word: _rarity(buckets[word]["doc_count"], whole) for word in words}


def _rarity(number: int, whole: int) -> float:
    return max(1.0, float(round(-math.log(max(number, 1) / max(whole, 1)))))


def _read(query: said.Query, rung: int, answer: dict[str, Any]) -> said.ResultPage:
    sign = opensearch_query.sign_of(query.sort)
    hits = tuple(said.Hit(hit["sort"][1], sign * float(hit["sort"][0])) for hit in answer["hits"]["hits"])
    shown = hits[: query.limit]
    after = said.After(query.sort, rung, shown[-1].key, shown[-1].product_id) if len(hits) > query.limit else None
    found = answer["aggregations"]
    total = answer["hits"]["total"]["value"]
    counts = {name: tuple(_counts(found[name]["values"]["buckets"])) for name in FACETS}
    prices = {n: bucket["doc_count"] for n, bucket in enumerate(found["price"]["values"]["buckets"])}
    return said.ResultPage(
        shown,
        min(total, said.COUNTED_MAX),
        said.Facets(counts["category"], counts["brand"], said.price_counts(prices)),
        after,
        exact=total <= said.COUNTED_MAX,
        matched=found["matched"]["doc_count"],
    )


def _counts(buckets: list[dict[str, Any]]) -> Iterable[said.FacetCounts]:
    return (said.FacetCounts(bucket["key"], bucket["doc_count"]) for bucket in buckets if bucket["key"])
