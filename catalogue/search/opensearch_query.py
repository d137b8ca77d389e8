"""A query as clauses of OpenSearch. Owns how it matches, ranks, filters and counts; pure, asks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from catalogue.search import interface as said
from catalogue.search.interface import BEGUN, CORRECTED, STRICT
from catalogue.search.query_terms import STOPPED, Phrase, QueryTerms, Term, parts
from catalogue.search.relaxation import may_be_misspelt
from catalogue.search.things import KIND, is_accessory_asked, thing_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    Clause = dict[str, Any]

EVERYWHERE = ("all", "models")
IN_NAME = ("head", "models", "made")
AS_THEY_STAND = ("name", "maker")
"""Fields that have the words that do not count, too: names, and brands and categories."""
WEIGHTS = ("named^1", "made^0.3", "more^0.25", "attributes^0.1")
"""How much a word counts by where it stands."""
BM25F = "params.most * params.share * _score / (_score + params.half)"
"""Levels off what the similarity `often` counts in all fields together (Robertson, Zaragoza, Taylor 2004)."""
MOST, HALF = 6.0, 0.8
RUNG = 10.0
"""What lifts a match of a stricter rung before those of the next."""
MERITS = {"literal": 3.0, "meant": 0.75}
"""What lifts a match: all as written; in the name in other words too. Being no accessory does, too, see `things.py`."""
FUZZY = {"fuzziness": "AUTO:4,7", "prefix_length": 1}
READINGS_MAX = 20
"""Words that all misspelt ones together are read as: Lucene allows a query 1,024 clauses in all."""
FACETS = ("category", "brand")
"""Fields that are counted by value."""
ACTIVE: Clause = {"term": {"active": True}}


class OpenSearchQuery(NamedTuple):
    """A query as clauses, one a rung that matches, the strictest first. Each stands in the query once."""

    words: QueryTerms
    shares: list[float]
    rungs: tuple[Clause, ...]
    rung: int = STRICT

    def or_else(self, looser: Clause, rung: int) -> OpenSearchQuery:
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
        if self.words.none_counts:
            return _as_they_follow(self.words)
        terms = self.words.terms
        same, thing = not is_accessory_asked(self.words), thing_of(self.words)
        written = _same if same else _written
        counted = zip(self.words.counted_with(same=same), self.shares, strict=True)
        return [
            *(self._counted(*word, share) for word, share in counted),
            _merit("literal", _and(written(term, EVERYWHERE) for term in terms)),
            _merit("meant", _and(_either(term, IN_NAME) for term in terms)),
            _lifted({"bool": {"must_not": [{"match": {"head": " ".join(thing.accessories)}}]}}, thing.malus),
            _lifted({"match": {"kinds": " ".join(thing.kinds)}}, KIND),
        ]

    def _counted(self, word: str, others: tuple[Phrase, ...], share: float) -> Clause:
        """Return how much a word counts, read as the rung reads it."""
        fields, more = list(WEIGHTS), {}
        if self.rung >= BEGUN and word == self.words.tokens[-1]:
            fields.append("head.begun^0.1")
        if self.rung >= CORRECTED and may_be_misspelt(word):
            more = _fuzziness(self.words)
        often = _or([
            {"multi_match": {"query": word, "type": "most_fields", "fields": fields, **more}},
            *(_often(one, fields) for one in others),
        ])  # fmt: skip
        script = {"source": BM25F, "params": {"most": MOST, "share": share, "half": HALF}}
        return {"script_score": {"query": often, "script": script}}


def _often(phrase: Phrase, fields: list[str]) -> Clause:
    kind = "phrase" if len(phrase) > 1 else "most_fields"
    return {"multi_match": {"query": " ".join(phrase), "type": kind, "fields": fields}}


def counting(words: QueryTerms) -> QueryTerms:
    """Leave out what is not searched, unless nothing else is asked for: no field would have it."""
    terms = tuple(term for term in words.terms if term.whole not in STOPPED)
    tokens = tuple(token for token in words.tokens if token not in STOPPED)
    return QueryTerms(terms, tokens) if terms and tokens else words


def _as_they_follow(words: QueryTerms) -> list[Clause]:
    """Rank words of which none counts: one after the other before scattered, in a short name before a long one."""
    phrase = " ".join(words.single)
    anywhere = {"multi_match": {"query": phrase, "type": "phrase", "fields": list(AS_THEY_STAND)}}
    return [_lifted(anywhere, 3.0), {"match_phrase": {"name": {"query": phrase}}}]


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


def _same(term: Term, fields: tuple[str, ...]) -> Clause:
    """Return a term as it was written, or by another name for the very thing."""
    return _or([_written(term, fields), *(_phrase(other, fields) for other in term.same)])


def _either(term: Term, fields: tuple[str, ...]) -> Clause:
    """Return a term as written, in other words, or in one with its neighbours."""
    others = (_phrase(other, fields) for other in (*term.same, *term.also, *((one,) for one in term.joined)))
    return _or([_written(term, fields), *others])


def strict(words: QueryTerms) -> Clause:
    """Return what matches all that is asked for, as written or in other words."""
    if words.none_counts:
        return _and(_written(term, AS_THEY_STAND) for term in words.terms)
    return _and(_either(term, EVERYWHERE) for term in words.terms)


def looser(words: QueryTerms, rung: int) -> Clause | None:
    """Return what a rung adds, as in Postgres."""
    if words.none_counts:
        return _none_counting(words, rung)
    if rung == BEGUN:
        return begun(words, EVERYWHERE, ("name", "made", "models"))
    if rung == CORRECTED:
        if not any(may_be_misspelt(token) for token in words.tokens):
            return None
        return _and(_or([_either(term, EVERYWHERE), *_fuzzy(term, words)]) for term in words.terms)
    if len(words.terms) < 2:
        return None
    return _or(_either(term, EVERYWHERE) for term in words.terms)


def _none_counting(words: QueryTerms, rung: int) -> Clause | None:
    if rung == BEGUN:
        return begun(words, AS_THEY_STAND, AS_THEY_STAND)
    if rung == CORRECTED or len(words.terms) < 2:
        return None
    return _or(_written(term, AS_THEY_STAND) for term in words.terms)


def named_so_far(words: QueryTerms) -> Clause | None:
    """Return what names match that begin as typed: in name, brand or category."""
    if words.none_counts:
        return begun(words, AS_THEY_STAND, ("name",))
    return begun(words, ("head", "made"), ("name", "made"))


def begun(words: QueryTerms, fields: tuple[str, ...], begun_in: tuple[str, ...]) -> Clause | None:
    """Return all that is asked for, the last word being only the beginning of one; None if that is too short."""
    last = words.tokens[-1]
    if len(last) < said.PREFIX_MIN:
        return None
    last = " ".join(parts(last))
    beginning: Clause = {"multi_match": {"query": last, "type": "phrase_prefix", "fields": list(begun_in)}}
    unfinished = _or([beginning, {"match_phrase": {"head.begun": {"query": last}}}])
    *firsts, _ = [spelling for term in words.terms for spelling in term.words]
    before = (_or(_phrase(one, fields) for one in spellings) for spellings in firsts)
    return _and([*before, unfinished])


def _fuzziness(words: QueryTerms) -> dict[str, Any]:
    doubtful = sum(map(may_be_misspelt, words.tokens))
    return FUZZY | {"max_expansions": max(1, READINGS_MAX // max(1, doubtful))}


def _fuzzy(term: Term, words: QueryTerms) -> list[Clause]:
    found = {word for spellings in term.words for phrase in spellings for word in phrase if may_be_misspelt(word)}
    return [{"match": {"name": {"query": word, **_fuzziness(words)}}} for word in sorted(found)]


def _merit(name: str, clause: Clause) -> Clause:
    return _lifted(clause, MERITS[name])


def _lifted(clause: Clause, boost: float) -> Clause:
    return {"constant_score": {"filter": clause, "boost": boost}}


def filters_of(query: said.Query) -> dict[str, Clause | None]:
    """Return the filter of each facet, None where nothing was chosen."""
    bounds = {"gte": query.min_price, "lte": query.max_price}
    prices = {name: bound for name, bound in bounds.items() if bound is not None}
    return {
        "category": {"terms": {"category": list(query.categories)}} if query.categories else None,
        "brand": {"terms": {"brand": list(query.brands)}} if query.brands else None,
        "price": {"range": {"price": prices}} if prices else None,
    }


def sign_of(sort: said.Sort) -> int:
    """Cheapest first means that the greatest key is the least price."""
    return -1 if sort == "price" else 1


def order_of(sort: said.Sort) -> list[dict[str, Any]]:
    """Return what hits are sorted by, the product's id last."""
    first = {
        "relevance": {"_score": "desc"}, "price": {"price": "asc"}, "-price": {"price": "desc"},
        "newest": {"created_us": "desc"},
    }  # fmt: skip
    return [first[sort], {"product_id": "asc"}]


def facets_of(filters: dict[str, Clause]) -> dict[str, Any]:
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
        name: behind(name, {"terms": {"field": name, "size": said.FACET_VALUES_MAX, "order": order}}) for name in FACETS
    }
    found["price"] = behind("price", {"range": {"field": "price", "ranges": steps}})
    found["matched"] = {"filter": {"match_all": {}}}
    return found


def beginning(kind: str, text: str, limit: int) -> dict[str, Any]:
    """Count the products of the brands, or categories, that begin with the text."""
    values = {"terms": {"field": kind, "size": limit, "order": [{"_count": "desc"}, {"_key": "asc"}]}}
    begins: list[Clause] = [ACTIVE, {"prefix": {f"{kind}_folded": text}}]
    return {"filter": {"bool": {"filter": begins}}, "aggs": {"values": values}}
