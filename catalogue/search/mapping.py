"""How products stand in an OpenSearch index: analysers, fields, documents. Pure; words are as in Postgres."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from catalogue.search.words import STOPPED

if TYPE_CHECKING:
    from db.search import Document

_HEAD = re.compile(r"(.+?)\b(?:for|with|without|incl|including)\b", re.IGNORECASE | re.DOTALL)
_THOUSANDS = {"type": "pattern_replace", "pattern": r"(\d),(?=\d{3})", "replacement": "$1"}
_APART = {"type": "pattern", "pattern": r"[^\p{L}\p{N}.]+|\.(?!\d)|(?<!\d)\."}
_JOINED = {
    "type": "word_delimiter_graph", "generate_word_parts": False, "generate_number_parts": False, "catenate_all": True,
    "split_on_case_change": False, "split_on_numerics": False, "stem_english_possessive": False,
}  # fmt: skip
_SMALL = ("lowercase", "asciifolding")


def _analyzer(tokenizer: str, *filters: str) -> dict[str, Any]:
    return {"type": "custom", "tokenizer": tokenizer, "char_filter": ["thousands"], "filter": list(filters)}


OFTEN = "return query.boost * doc.freq / (0.25 + 0.75 * doc.length * field.docCount / field.sumTotalTermFreq);"
"""How often a word stands in a field, less in a long one than in a short one: BM25 (b = 0.75) before it levels off."""
SETTINGS: dict[str, Any] = {
    "number_of_shards": 1,
    "number_of_replicas": 0,
    "refresh_interval": "1s",
    "similarity": {"often": {"type": "scripted", "script": {"source": OFTEN}}},
    "analysis": {
        "char_filter": {"thousands": _THOUSANDS},
        "tokenizer": {"apart": _APART},
        "filter": {
            "joined": _JOINED,
            "stop": {"type": "stop", "stopwords": sorted(STOPPED)},
            "stem": {"type": "stemmer", "language": "english"},
            "begun": {"type": "edge_ngram", "min_gram": 2, "max_gram": 15},
        },
        "analyzer": {
            "words": _analyzer("apart", *_SMALL, "stop", "stem"),
            "exact": _analyzer("apart", *_SMALL),
            "models": {"type": "custom", "tokenizer": "whitespace", "filter": ["joined", *_SMALL]},
            "begun": _analyzer("apart", *_SMALL, "begun"),
        },
        "normalizer": {"small": {"type": "custom", "filter": _SMALL}},
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
        "models": {"type": "text", "analyzer": "models"},
        "name": {"type": "text", "analyzer": "exact"},
        "title": _KEYWORD | {"index": False, "fields": {"words": _WORDS}},
        "made": _WORDS | _ANYWHERE,
        "more": _WORDS | _ANYWHERE,
        "attributes": _WORDS | _ANYWHERE,
        "brand": _KEYWORD | {"fields": {"small": {"type": "keyword", "normalizer": "small"}}},
        "category": _KEYWORD | {"fields": {"small": {"type": "keyword", "normalizer": "small"}}},
        "price": {"type": "long"},
        "created_us": {"type": "long"},
        "length": {"type": "integer"},
        "active": {"type": "boolean"},
    },
}


def template(alias: str) -> dict[str, Any]:
    """Return the template of the indices behind an alias."""
    return {"index_patterns": [f"{alias}-*"], "priority": 100, "template": {"settings": SETTINGS, "mappings": MAPPINGS}}


def head_of(name: str) -> str:
    """Return a name up to what the product is for or comes with."""
    found = _HEAD.match(name)
    return found[1] if found else name


def document(one: Document) -> dict[str, Any]:
    """Return a product as it is indexed."""
    head = head_of(one.name)
    return {
        "product_id": one.product_id,
        "head": head,
        "models": f"{one.name} {one.product_id} {one.attributes}",
        "name": f"{one.name} {one.product_id}",
        "title": one.name,
        "made": f"{one.brand} ; {one.category}",
        "more": f"{one.name[len(head) :]} ; {one.description or ''}",
        "attributes": one.attributes,
        "brand": one.brand,
        "category": one.category,
        "price": one.price,
        "created_us": one.created_us,
        "length": len(one.name),
        "active": one.active,
    }
