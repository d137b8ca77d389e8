"""What everyone may know of a sale, as a type of the HTTP contract. Owns shapes; never does I/O."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from doorbuster.contract.fields import EffectivePhase, Moment
from doorbuster.contract.room import RoomMode


class UnitPrice(Struct):
    """What a unit of a product costs an order."""

    product_id: str
    unit_price: int


LimitedBy = Literal["customer", "email", "card", "address", "device"]


class SaleLimits(Struct, omit_defaults=True):
    """Most units of a product in one sale, over all orders of the same customer, e-mail, card, address or device."""

    customer: int | UnsetType = UNSET
    email: int | UnsetType = UNSET
    card: int | UnsetType = UNSET
    address: int | UnsetType = UNSET
    device: int | UnsetType = UNSET


class OfferedProduct(Struct, kw_only=True):
    """A product of a sale at the price that holds in it now."""

    product_id: str
    name: str
    price: int
    regular_price: int | UnsetType = UNSET
    """The product's own, where another holds."""
    currency: str
    limits: SaleLimits | UnsetType = UNSET
    availability: Literal["in_stock", "low", "sold_out"]


class OfferedRoom(Struct, kw_only=True):
    """Where to wait; the addresses are there if one has to, or may have to."""

    mode: RoomMode
    page_url: str | UnsetType = UNSET
    status_url: str | UnsetType = UNSET


class OfferedSale(Struct, kw_only=True):
    """Answer of `GET /sales/{sale}`."""

    sale_id: str
    name: str
    """The sale's id where it has no name."""
    phase: EffectivePhase
    """What an order would meet now."""
    starts_at: Moment
    ends_at: Moment | UnsetType = UNSET
    resumes_at: Moment | UnsetType = UNSET
    """Of a sale on hold: when it goes on, where its plan says so."""
    room: OfferedRoom
    products: list[OfferedProduct]
