"""Search in the products' vectors, and the rows of what was found. Owns the statements' forms; knows no language."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from db.products.catalogue import Item, item_of
from db.query_files import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from asyncpg import Record

    from db.connections.pool import Connection

_SQL = load("search")
GRACE_S = 0.5
TEXTS = 7
"""Parameters of a search before its filters."""
SHOWN = 8
"""Columns of a document before those that are searched."""


class SearchQuestion(NamedTuple):
    """The texts of a search, each a tsquery of English words; `match` is None where everything matches.

    Each of `words` has its share, of 1 in all, in what is asked for. What matches one of `stricter` ranks before the
    rest. An accessory ranks `malus` lower; `kinds` are words that the category of what is asked for ends with.
    """

    match: str | None
    words: list[str]
    shares: list[float]
    literal: str
    name_meant: str
    accessory: str
    stricter: list[str]
    malus: float
    kinds: list[str]


class Manner(NamedTuple):
    """How the texts of a search are meant: stemmed English, or, where no word counts, all of them as they stand."""

    configuration: str = "catalogue_words"
    exactly: str | None = None


class SearchWords(NamedTuple):
    """Filters, order and bounds of a search."""

    categories: list[str] | None
    brands: list[str] | None
    min_price: int | None
    max_price: int | None
    sort: str
    after_key: float | None
    after_id: str | None
    limit: int
    matches_max: int
    price_steps: list[int]
    facet_values: int


class Found(NamedTuple):
    """What a search found: (product, key) of one hit more than asked for, and (value, count) of each facet."""

    matched: int
    total: int
    hits: list[tuple[str, float]]
    categories: list[tuple[str, int]]
    brands: list[tuple[str, int]]
    prices: list[tuple[int, int]]


class FoldedWords(NamedTuple):
    """What is searched of a product, folded; the words parted by blanks, brand and category in one piece as well."""

    head: str
    more: str
    title: str
    product_id: str
    models: str
    made: str
    attributes: str
    brand: str
    category: str
    kinds: str


class SearchDocument(NamedTuple):
    """A product as a search index keeps it."""

    product_id: str
    name: str
    brand: str
    category: str
    price: int
    active: bool
    created_us: int
    version: int
    words: FoldedWords


@asynccontextmanager
async def bounded(connection: Connection, timeout_s: float, text: str) -> AsyncIterator[str]:
    """Open a transaction whose statements end after `timeout_s`; give what is asked, folded."""
    async with connection.transaction(readonly=True):
        yield await connection.fetchval(_SQL["bound"], f"{int(timeout_s * 1000)}", text)


async def fold(connection: Connection, text: str) -> str:
    """Return a text as it is searched."""
    folded: str = await connection.fetchval(_SQL["fold"], text)
    return folded


async def search(
    connection: Connection, asked: SearchQuestion, terms: SearchWords, manner: Manner, *, timeout_s: float
) -> Found:
    """Find products."""
    row = await connection.fetchrow(
        _SQL["search"], *asked[:TEXTS], *terms, *manner, *asked[TEXTS:], timeout=timeout_s + GRACE_S
    )
    assert row is not None
    return Found(
        row["matched"],
        row["total"],
        [(product_id, float(key)) for product_id, key in row["hits"]],
        *([(value, count) for value, count in row[name]] for name in ("categories", "brands", "prices")),
    )


async def rarities(connection: Connection, words: Sequence[str], *, timeout_s: float) -> dict[str, float]:
    """Return how much each word says, the rarer the more; 0 for words that do not count (the, of)."""
    rows = await connection.fetch(_SQL["rarities"], list(words), timeout=timeout_s + GRACE_S)
    return {row["word"]: row["rarity"] for row in rows}


async def there(connection: Connection, words: Sequence[str], *, timeout_s: float) -> frozenset[str]:
    """Return those of the words that any product has."""
    rows = await connection.fetch(_SQL["there"], list(words), timeout=timeout_s + GRACE_S)
    return frozenset(row["word"] for row in rows)


async def correct(
    connection: Connection, words: Sequence[str], *, names_max: int, timeout_s: float
) -> dict[str, list[str]]:
    """Return, for each word that no product has, the words of names most like it."""
    found: dict[str, list[str]] = {}
    for row in await connection.fetch(_SQL["correct"], list(words), names_max, timeout=timeout_s + GRACE_S):
        found.setdefault(row["word"], []).append(row["corrected"])
    return found


async def suggest(
    connection: Connection, match: str, beginning: str, manner: Manner, *, limit: int, timeout_s: float
) -> list[tuple[str, str]]:
    """Return (kind, text) of what an unfinished query may become; `beginning` as it was typed, folded."""
    like = beginning.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    asked = (match, like, limit, 500, manner.configuration)
    rows = await connection.fetch(_SQL["suggest"], *asked, timeout=timeout_s + GRACE_S)
    return [(row["kind"], row["text"]) for row in rows]


async def read_items(connection: Connection, product_ids: Sequence[str]) -> list[Item]:
    """Return the products as lists show them, in the order asked for, without those that are gone."""
    return [item_of(row) for row in await connection.fetch(_SQL["read_items"], list(product_ids))]


async def read_documents(connection: Connection, product_ids: Sequence[str]) -> list[SearchDocument]:
    """Return what an index keeps of these products."""
    return [_document(row) for row in await connection.fetch(_SQL["read_documents"], list(product_ids))]


async def page_documents(connection: Connection, after: str, limit: int) -> list[SearchDocument]:
    """Return what an index keeps of the products behind `after`, in the order of their ids."""
    return [_document(row) for row in await connection.fetch(_SQL["page_documents"], after, limit)]


def _document(row: Record) -> SearchDocument:
    values = tuple(row.values())
    return SearchDocument._make((*values[:SHOWN], FoldedWords._make(values[SHOWN:])))
