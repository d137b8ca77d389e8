"""Products in the HTTP contract, as ops keep them. Owns shapes and bounds; never does I/O."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field

from doorbuster.contract.fields import Bounded, Currency, Label, Moment, Money, Name, ProductId, Reason, Text


class ProductRequest(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `PUT /ops/products/{id}`."""

    name: Name
    brand: Label
    category: Label
    description: Text | None = None
    price: Money
    currency: Currency
    active: bool = True
    attributes: dict[str, Any] = field(default_factory=dict)


class ProductLine(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of `POST /ops/products:import`: what it leaves out stays as it is in a product that exists.

    A new product gets the defaults of `ProductRequest`, and its `stock` is received.
    """

    product_id: ProductId
    name: Name
    brand: Label
    category: Label
    price: Money
    currency: Currency
    description: Text | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET
    stock: Annotated[int, Meta(ge=0, le=10**9)] | None = None


class StockView(Struct):
    """A product's ledger: stock + reserved + sold = received."""

    product_id: str
    stock: int
    reserved: int
    sold: int
    received: int


class ProductView(Struct, kw_only=True):
    """A product with its ledger."""

    product_id: str
    name: str
    brand: str
    category: str
    description: str | None
    price: int
    currency: str
    active: bool
    attributes: dict[str, Any]
    version: int
    updated_at: Moment | UnsetType = UNSET
    stock: StockView | None


class StockRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/products/{id}/stock`: `receive`, or `adjust` with its reason."""

    receive: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    adjust: Annotated[int, Meta(ge=-(10**9), le=10**9)] | None = None
    reason: Reason | None = None
