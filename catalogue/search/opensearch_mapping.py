"""How products stand in an OpenSearch index: analysers, fields, documents. Pure; words come from Postgres.

Texts come folded, their words parted by blanks, so that nothing here knows a rule of Unicode either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catalogue.search.query_terms import QUERY_MAX, STOPPED

if TYPE_CHECKING:
    from db.products.search import SearchDocument


def _analyzer(*filters: str) -> dict[str, Any]:
    return {"type": "custom", "tokenizer": "apart", "filter": ["cut", *filters]}


OFTEN = "return query.boost * doc.freq / (0.25 + 0.75 * doc.length * field.docCount / field.sumTotalTermFreq);"
"""How often a word stands in a field, less in a long one than in a short one: BM25 (b = 0.75) before it levels off."""
SETTINGS: dict[str, Any] = {
    "number_of_shards": 1,
    "number_of_replicas": 0,
    "refresh_interval": "1s",
    "similarity": {"often": {"type": "scripted", "script": {"source": OFTEN}}},
    "analysis": {
        "tokenizer": {"apart": {"type": "pattern", "pattern": " +"}},
        "filter": {
            "cut": {"type": "truncate", "length": QUERY_MAX},  # Lucene takes no word of more than 32,766 bytes
            "stop": {"type": "stop", "stopwords": sorted(STOPPED)},
            "stem": {"type": "stemmer", "language": "english"},
            "begun": {"type": "edge_ngram", "min_gram": 2, "max_gram": 15},
        },
        "analyzer": {
            "words": _analyzer("stop", "stem"),
            "exact": _analyzer(),
            "begun": _analyzer("begun"),
        },
    },
}  # fmt: skip

_WORDS = {"type": "text", "analyzer": "words", "similarity": "often"}
_BEGUN = {"type": "text", "analyzer": "begun", "search_analyzer": "exact", "similarity": "often"}
_ANYWHERE = {"copy_to": "all"}
_KEYWORD = {"type": "keyword", "ignore_above": 500}
MAPPINGS: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "product_id": {"type": "keyword"},
        "all": {"type": "text", "analyzer": "words", "norms": False},
        "head": _WORDS | _ANYWHERE | {"fields": {"begun": _BEGUN}},
        "models": {"type": "text", "analyzer": "exact"},
        "name": {"type": "text", "analyzer": "exact"},
        "maker": {"type": "text", "analyzer": "exact"},
        "title": _KEYWORD | {"index": False},
        "named": _WORDS,
        "made": _WORDS | _ANYWHERE,
        "more": _WORDS | _ANYWHERE,
        "attributes": _WORDS | _ANYWHERE,
        "kinds": {"type": "text", "analyzer": "words", "norms": False},
        "brand": _KEYWORD,
        "brand_folded": _KEYWORD,
        "category": _KEYWORD,
        "category_folded": _KEYWORD,
        "price": {"type": "long"},
        "created_us": {"type": "long"},
        "length": {"type": "integer"},
        "active": {"type": "boolean"},
    },
}


def template(alias: str) -> dict[str, Any]:
    """Return the template of the indices behind an alias."""
    return {"index_patterns": [f"{alias}-*"], "priority": 100, "template": {"settings": SETTINGS, "mappings": MAPPINGS}}


def document(one: SearchDocument) -> dict[str, Any]:
    """Return a product as it is indexed."""
    words = one.words
    return {
        "product_id": one.product_id,
        "head": words.head,
        "models": words.models,
        "name": f"{words.title} {words.product_id}",
        "maker": words.made,
        "title": one.name,
        "named": words.title,
        "made": words.made,
        "more": words.more,
        "attributes": words.attributes,
        "kinds": words.kinds,
        "brand": one.brand,
        "brand_folded": words.brand,
        "category": one.category,
        "category_folded": words.category,
        "price": one.price,
        "created_us": one.created_us,
        "length": len(one.name),
        "active": one.active,
    }
