"""The catalogue's part of the HTTP contract: its bodies as types. Owns shapes and bounds; never does I/O."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from doorbuster.contract.fields import Bounded, Moment, Money


class ShownProduct(Struct, kw_only=True):
    """A product as shoppers see it.

    While a price holds for a time, `regular_price` stands beside it. `price_until` is when the price may change.
    Lists leave out `description` and `attributes`.
    """

    product_id: str
    name: str
    brand: str
    category: str
    description: str | UnsetType | None = UNSET
    price: int
    currency: str
    regular_price: int | UnsetType = UNSET
    price_until: Moment | UnsetType = UNSET
    availability: Literal["in_stock", "low", "sold_out"]
    attributes: dict[str, Any] | UnsetType = UNSET
    version: int
    updated_at: Moment


class PriceWindowBody(Bounded, frozen=True, forbid_unknown_fields=True):
    """A price that holds from `starts_at` until before `ends_at`; without an end until another window begins."""

    price: Money
    starts_at: Moment
    ends_at: Moment | None = None


class PricesBody(Struct, frozen=True, forbid_unknown_fields=True):
    """All price windows of a product; of those that overlap, the one that begins last holds."""

    windows: Annotated[tuple[PriceWindowBody, ...], Meta(max_length=100)]


class FacetCount(Struct):
    """A value to narrow a search by, and how many products have it."""

    value: str
    count: int


class PriceFacet(Struct):
    """How many products cost from `low` until before `high`; null: no end."""

    low: int
    high: int | None
    count: int


class SearchFacets(Struct):
    """Counts by value; each leaves its own filter out, to show what else could be chosen."""

    category: list[FacetCount]
    brand: list[FacetCount]
    price: list[PriceFacet]


class SearchPage(Struct, kw_only=True):
    """Body of `GET /search`; with `total_at_least` there are more than `total`."""

    items: list[ShownProduct]
    total: int
    facets: SearchFacets
    total_at_least: bool | UnsetType = UNSET
    next_cursor: str | UnsetType = UNSET


class Suggested(Struct):
    """Something to search for."""

    kind: Literal["brand", "category", "product"]
    text: str


class Suggestions(Struct):
    """Body of `GET /search/suggest`."""

    items: list[Suggested]
