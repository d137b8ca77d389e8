"""Search in OpenSearch. Owns how a query becomes its clauses; strictness goes by the same rungs as in Postgres."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import OpenSearchException

from catalogue.search import interface as said
from catalogue.search.interface import ANY, BEGUN, CORRECTED, STRICT
from catalogue.search.rarity import Rarities
from catalogue.search.words import ACCESSORIES, STOPPED, Phrase, Term, Words, clean, read, read_beginning
from doorbuster.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Clause = dict[str, Any]

ALIAS = "products"
EVERYWHERE = ("all", "models")
IN_NAME = ("head", "models", "made")
NAMES_MAX = 200
WEIGHTS = ("title.words^1", "made^0.3", "more^0.25", "attributes^0.1")
"""How much a word counts by where it stands."""
BM25F = "params.most * params.share * _score / (_score + params.half)"
"""Levels off what the similarity `often` counts in all fields together (Robertson, Zaragoza, Taylor 2004)."""
MOST, HALF = 6.0, 0.8
RUNG = 10.0
"""What lifts a match of a stricter rung before those of the next."""
MERITS = {"literal": 3.0, "meant": 0.75, "thing": 1.0}
"""What lifts a match: all as written; in the name in other words too; and being no accessory."""
FUZZY = {"fuzziness": "AUTO:4,7", "prefix_length": 1}
READINGS_MAX = 20
"""Words that all misspelt ones together are read as: Lucene allows a query 1,024 clauses in all."""
FIELD_OF = {"category": "category", "brand": "brand"}


def connect(url: str, *, timeout_s: float) -> tuple[AsyncOpenSearch, str]:
    """Return a client, not yet connected, and the alias that the URL names."""
    parts = urlsplit(url)
    host = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    # A search is as good by the next request as by a retry: whoever asks decides.
    client = AsyncOpenSearch(hosts=[host], timeout=timeout_s, max_retries=0, retry_on_timeout=False)
    return client, parts.path.strip("/") or ALIAS


class OpenSearchSearch:
    """Searches the alias that indices stand behind."""

    def __init__(self, client: AsyncOpenSearch, alias: str, *, timeout_s: float) -> None:
        self._client, self._alias, self._timeout_s = client, alias, timeout_s
        self._rarities = Rarities()

    async def search(self, query: said.Query) -> said.Page:
        """Return a page, loosening the query while it finds too little."""
        words = _counting(read(query.text))
        if not words.terms:
            everything = Asked(words, [], ({"match_all": {}},))
            return said.NOTHING if query.text.strip() else await self._page(query, everything, STRICT)
        asked = Asked(words, await self._rarities.shares(words.single, self._ask_rarities), (_strict(words),))
        first = query.after.rung if query.after else STRICT
        page = said.NOTHING
        for rung in range(ANY + 1):
            looser = None if rung == STRICT else _looser(words, rung)
            if looser is not None:
                asked = asked.or_else(looser, rung)
            if rung < first or not (looser is not None or rung == first):
                continue
            page = await self._page(query, asked, rung)
            if query.after or page.matched >= said.FEW:
                break
        return page

    async def suggest(self, text: str, limit: int) -> list[said.Suggestion]:
        """Return brands, categories and names that begin as typed."""
        words = _counting(read_beginning(text))
        if not words.terms:
            return []
        begun = _begun(words, ("head", "made"), ("name", "made")) or {"match_none": {}}
        beginning = clean(text)
        answer = await self._ask(
            {
                "size": NAMES_MAX,
                "_source": ["title"],
                "sort": [{"length": "asc"}, {"product_id": "asc"}],
                "query": {"bool": {"filter": [_ACTIVE, begun]}},
                "aggs": {"all": {"global": {}, "aggs": {k: _beginning(k, beginning, limit) for k in FIELD_OF}}},
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

    async def _page(self, query: said.Query, asked: Asked, rung: int) -> said.Page:
        filters = {name: clause for name, clause in _filters(query).items() if clause is not None}
        body = {
            "size": query.limit + 1,
            "_source": False,
            "docvalue_fields": ["product_id"],
            "track_total_hits": said.COUNTED_MAX + 1,
            "query": {"bool": {"filter": [_ACTIVE], "must": [asked.match], "should": asked.ranks()}},
            "post_filter": {"bool": {"filter": list(filters.values())}},
            "sort": _sort(query.sort),
            "track_scores": False,
            "aggs": _facets(filters),
        }
        if query.after:
            body["search_after"] = [_sign(query.sort) * query.after.key, query.after.product_id]
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
            raise StoreUnavailableError("this search takes too long; more words make it narrower")
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


_ACTIVE: Clause = {"term": {"active": True}}


class Asked(NamedTuple):
    """A query as clauses, one a rung that matches, the strictest first. Each stands in the query once."""

    words: Words
    shares: list[float]
    rungs: tuple[Clause, ...]
    rung: int = STRICT

    def or_else(self, looser: Clause, rung: int) -> Asked:
        """Return the query of a looser rung: what matched still does, and before the rest."""
        return self._replace(rungs=(*self.rungs, looser), rung=rung)

    @property
    def match(self) -> Clause:
        """Match what any rung does, the stricter before the looser."""
        lifts = range(len(self.rungs) - 1, -1, -1)
        lifted = [_lifted(clause, RUNG * lift) for clause, lift in zip(self.rungs, lifts, strict=True)]
        return {"dis_max": {"queries": lifted}}

    def ranks(self) -> list[Clause]:
        """Return what ranks a match: as in Postgres."""
        if not self.words.terms:
            return []
        terms = self.words.terms
        accessories = " ".join(sorted(ACCESSORIES - self.words.plain))
        return [
            *(self._counted(*word, share) for word, share in zip(self.words.counted, self.shares, strict=True)),
            _merit("literal", _and(_written(term, EVERYWHERE) for term in terms)),
            _merit("meant", _and(_either(term, IN_NAME) for term in terms)),
            _merit("thing", {"bool": {"must_not": [{"match": {"head": accessories}}]}}),
        ]

    def _counted(self, word: str, joined: tuple[str, ...], share: float) -> Clause:
        """Return how much a word counts, read as the rung reads it."""
        fields, more = list(WEIGHTS), {}
        if self.rung >= BEGUN and word == self.words.tokens[-1]:
            fields.append("head.begun^0.1")
        if self.rung >= CORRECTED and _may_be_misspelt(word):
            more = _fuzziness(self.words)
        often = _or([
            {"multi_match": {"query": word, "type": "most_fields", "fields": fields, **more}},
            *({"multi_match": {"query": one, "type": "most_fields", "fields": fields}} for one in joined),
        ])  # fmt: skip
        script = {"source": BM25F, "params": {"most": MOST, "share": share, "half": HALF}}
        return {"script_score": {"query": often, "script": script}}


def _counting(words: Words) -> Words:
    """Leave out what is not searched, unless nothing else is asked for: no field would have it."""
    terms = tuple(term for term in words.terms if term.whole not in STOPPED)
    tokens = tuple(token for token in words.tokens if token not in STOPPED)
    return Words(terms, tokens) if terms and tokens else words


def _rarity(number: int, whole: int) -> float:
    return max(1.0, float(round(-math.log(max(number, 1) / max(whole, 1)))))


def _or(clauses: Iterable[Clause]) -> Clause:
    several = list(clauses)
    return several[0] if len(several) == 1 else {"bool": {"should": several, "minimum_should_match": 1}}


def _and(clauses: Iterable[Clause]) -> Clause:
    several = list(clauses)
    return several[0] if len(several) == 1 else {"bool": {"must": several}}


def _phrase(phrase: Phrase, fields: tuple[str, ...]) -> Clause:
    kind = "phrase" if len(phrase) > 1 else "best_fields"
    return {"multi_match": {"query": " ".join(phrase), "type": kind, "fields": list(fields)}}


def _written(term: Term, fields: tuple[str, ...]) -> Clause:
    """Return a term as it was written, in any spelling."""
    return _and(_or(_phrase(spelling, fields) for spelling in spellings) for spellings in term.words)


def _either(term: Term, fields: tuple[str, ...]) -> Clause:
    """Return a term as written, in other words, or in one with its neighbours."""
    others = (_phrase(other, fields) for other in (*term.same, *term.also, *((one,) for one in term.joined)))
    return _or([_written(term, fields), *others])


def _strict(words: Words) -> Clause:
    return _and(_either(term, EVERYWHERE) for term in words.terms)


def _looser(words: Words, rung: int) -> Clause | None:
    """Return what a rung adds, as in Postgres."""
    if rung == BEGUN:
        return _begun(words, EVERYWHERE, ("name", "made", "models"))
    if rung == CORRECTED:
        if not any(_may_be_misspelt(token) for token in words.tokens):
            return None
        return _and(_or([_either(term, EVERYWHERE), *_fuzzy(term, words)]) for term in words.terms)
    if len(words.terms) < 2:
        return None
    return _or(_either(term, EVERYWHERE) for term in words.terms)


def _begun(words: Words, fields: tuple[str, ...], begun_in: tuple[str, ...]) -> Clause | None:
    """Return all that is asked for, the last word being only the beginning of one."""
    last = words.tokens[-1]
    if len(last) < said.PREFIX_MIN:
        return None
    begun: Clause = {"multi_match": {"query": last, "type": "phrase_prefix", "fields": list(begun_in)}}
    unfinished = _or([begun, {"match_phrase": {"head.begun": {"query": last}}}])
    *firsts, _ = [spelling for term in words.terms for spelling in term.words]
    before = (_or(_phrase(one, fields) for one in spellings) for spellings in firsts)
    return _and([*before, unfinished])


def _may_be_misspelt(word: str) -> bool:
    return said.TYPO_MIN <= len(word) <= said.TYPO_MAX and word.isalpha()


def _fuzziness(words: Words) -> dict[str, Any]:
    doubtful = sum(map(_may_be_misspelt, words.tokens))
    return FUZZY | {"max_expansions": max(1, READINGS_MAX // max(1, doubtful))}


def _fuzzy(term: Term, words: Words) -> list[Clause]:
    found = {word for spellings in term.words for phrase in spellings for word in phrase if _may_be_misspelt(word)}
    return [{"match": {"name": {"query": word, **_fuzziness(words)}}} for word in sorted(found)]


def _merit(name: str, clause: Clause) -> Clause:
    return _lifted(clause, MERITS[name])


def _lifted(clause: Clause, boost: float) -> Clause:
    return {"constant_score": {"filter": clause, "boost": boost}}


def _filters(query: said.Query) -> dict[str, Clause | None]:
    bounds = {"gte": query.min_price, "lte": query.max_price}
    prices = {name: bound for name, bound in bounds.items() if bound is not None}
    return {
        "category": {"terms": {"category": list(query.categories)}} if query.categories else None,
        "brand": {"terms": {"brand": list(query.brands)}} if query.brands else None,
        "price": {"range": {"price": prices}} if prices else None,
    }


def _sign(sort: said.Sort) -> int:
    """Cheapest first means that the greatest key is the least price."""
    return -1 if sort == "price" else 1


def _sort(sort: said.Sort) -> list[dict[str, Any]]:
    first = {
        "relevance": {"_score": "desc"}, "price": {"price": "asc"}, "-price": {"price": "desc"},
        "newest": {"created_us": "desc"},
    }  # fmt: skip
    return [first[sort], {"product_id": "asc"}]


def _facets(filters: dict[str, Clause]) -> dict[str, Any]:
    """Count by each facet what all other filters let through, and by `matched` what the words alone do."""

    def behind(facet: str, inner: dict[str, Any]) -> dict[str, Any]:
        others = [clause for name, clause in filters.items() if name != facet]
        return {"filter": {"bool": {"filter": others}}, "aggs": {"values": inner}}

    order = [{"_count": "desc"}, {"_key": "asc"}]
    starts = said.PRICE_STEPS
    steps = [
        {"from": low} | ({"to": high} if high else {}) for low, high in zip(starts, (*starts[1:], None), strict=True)
    ]
    found: dict[str, Any] = {
        name: behind(name, {"terms": {"field": field, "size": said.FACET_VALUES_MAX, "order": order}})
        for name, field in FIELD_OF.items()
    }
    found["price"] = behind("price", {"range": {"field": "price", "ranges": steps}})
    found["matched"] = {"filter": {"match_all": {}}}
    return found


def _beginning(kind: str, text: str, limit: int) -> dict[str, Any]:
    values = {"terms": {"field": kind, "size": limit, "order": [{"_count": "desc"}, {"_key": "asc"}]}}
    begins: list[Clause] = [_ACTIVE, {"prefix": {f"{kind}.small": text}}]
    return {"filter": {"bool": {"filter": begins}}, "aggs": {"values": values}}


def _read(query: said.Query, rung: int, answer: dict[str, Any]) -> said.Page:
    sign = _sign(query.sort)
    hits = tuple(said.Hit(hit["sort"][1], sign * float(hit["sort"][0])) for hit in answer["hits"]["hits"])
    shown = hits[: query.limit]
    after = said.After(query.sort, rung, shown[-1].key, shown[-1].product_id) if len(hits) > query.limit else None
    found = answer["aggregations"]
    total = answer["hits"]["total"]["value"]
    counts = {name: tuple(_counts(found[name]["values"]["buckets"])) for name in FIELD_OF}
    prices = {n: bucket["doc_count"] for n, bucket in enumerate(found["price"]["values"]["buckets"])}
    return said.Page(
        shown,
        min(total, said.COUNTED_MAX),
        said.Facets(counts["category"], counts["brand"], said.price_counts(prices)),
        after,
        exact=total <= said.COUNTED_MAX,
        matched=found["matched"]["doc_count"],
    )


def _counts(buckets: list[dict[str, Any]]) -> Iterable[said.Count]:
    return (said.Count(bucket["key"], bucket["doc_count"]) for bucket in buckets if bucket["key"])
