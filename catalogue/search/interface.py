"""What a search is asked and answers, whichever backend does it. Owns these types and the form of cursors; no I/O."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal, NamedTuple, Protocol, get_args

import msgspec

from doorbuster.errors import InvalidError, StoreUnavailableError

Sort = Literal["relevance", "price", "-price", "newest"]
SORTS: tuple[Sort, ...] = get_args(Sort)
LIMIT_MAX = 100
FACET_VALUES_MAX = 20
COUNTED_MAX = 10_000
"""Up to here a total is exact; beyond, it says `at least`."""
FEW = 3
"""Fewer products than this are too few: the query is loosened."""
PREFIX_MIN = 2
"""Letters that begin a word."""
TYPO_MIN, TYPO_MAX = 4, 30
"""Letters of words that may be misspelt."""
STRICT, BEGUN, CORRECTED, ANY = range(4)
"""Rungs: all words; neighbours in one and the last one unfinished; misspelt ones corrected; any of the words."""
PRICE_STEPS = (0, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000)
"""Where each price range begins, in minor units; the last has no end."""


class TooLongError(StoreUnavailableError):
    """The search did not end in time: the query's fault, and not the server's."""

    def __init__(self) -> None:
        super().__init__("this search takes too long; more words make it narrower")


class After(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The place behind a hit, in the order of a sort; `rung` says how strictly the first page was searched."""

    sort: Sort
    rung: Annotated[int, msgspec.Meta(ge=0, le=9)]
    key: float
    product_id: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[^\x00]*$")]


class Query(NamedTuple):
    """What is asked for; bounds of prices include themselves, in minor units, of regular prices."""

    text: str = ""
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    min_price: int | None = None
    max_price: int | None = None
    sort: Sort = "relevance"
    limit: int = 24
    after: After | None = None


class Hit(NamedTuple):
    """A product found; `key` is its place in the order of the sort, the greater the earlier."""

    product_id: str
    key: float


class FacetCounts(NamedTuple):
    """A value of a facet, and how many products have it."""

    value: str
    number: int


class PriceCount(NamedTuple):
    """How many products cost from `low` until before `high`."""

    low: int
    high: int | None
    number: int


class Facets(NamedTuple):
    """Counts by value; each facet leaves its own filter out, to show what else could be chosen."""

    categories: tuple[FacetCounts, ...] = ()
    brands: tuple[FacetCounts, ...] = ()
    prices: tuple[PriceCount, ...] = ()


class ResultPage(NamedTuple):
    """A page of hits. `exact` is false where there are more than `total`; `matched` counts without filters."""

    hits: tuple[Hit, ...]
    total: int
    facets: Facets
    after: After | None = None
    exact: bool = True
    matched: int = 0


class Suggestion(NamedTuple):
    """Something to search for: a brand, a category, or a product's name."""

    kind: Literal["brand", "category", "product"]
    text: str


class Backend(Protocol):
    """A way to search."""

    async def search(self, query: Query) -> ResultPage:
        """Return a page.

        Raises:
            StoreUnavailableError: no answer in time.
        """

    async def suggest(self, text: str, limit: int) -> list[Suggestion]:
        """Return what an unfinished query may become."""

    async def close(self) -> None:
        """Close connections of its own."""


NOTHING = ResultPage((), 0, Facets())
_cursors = msgspec.json.Decoder(After)


def write_cursor(after: After) -> str:
    """Return a cursor as callers carry it."""
    return base64.urlsafe_b64encode(msgspec.json.encode(after)).decode().rstrip("=")


def read_cursor(text: str, sort: Sort) -> After:
    """Return the place a cursor names.

    Raises:
        InvalidError: it is none, or of another sort.
    """
    try:
        after = _cursors.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        raise InvalidError("cursor is not one that a search gave", [("cursor", "is not one a search gave")]) from error
    if after.sort != sort:
        raise InvalidError("cursor is of another sort", [("cursor", f"is of the sort {after.sort}")])
    return after


def price_counts(counts: dict[int, int]) -> tuple[PriceCount, ...]:
    """Return the price ranges that have products, from counts by number of range."""
    ends = (*PRICE_STEPS[1:], None)
    return tuple(PriceCount(PRICE_STEPS[n], ends[n], counts[n]) for n in sorted(counts) if counts[n])
