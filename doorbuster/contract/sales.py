"""Sales in the HTTP contract, as ops keep them. Owns shapes and bounds; never does I/O."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from doorbuster.contract.fields import Bounded, EffectivePhase, Moment, Money, Name, ProductId, SaleId
from doorbuster.contract.room import RoomChange, RoomRequest
from doorbuster.orderstore.ids import MAX_PARTITIONS


class SaleProductRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A product of a sale: its price there, how many units at most, how many a customer."""

    product_id: ProductId
    price: Money | None = None
    quantity: Annotated[int, Meta(ge=0, le=10**9)] | None = None
    limit_per_customer: Annotated[int, Meta(ge=1, le=10**6)] | None = None


Products = Annotated[list[SaleProductRequest], Meta(min_length=1, max_length=10_000)]
HoldS = Annotated[int, Meta(ge=1, le=86_400)]
LeadS = Annotated[int, Meta(ge=0, le=86_400)]


class SaleRequest(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /ops/sales`."""

    sale_id: SaleId
    name: Name | None = None
    products: Products
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    partitions: Annotated[int, Meta(ge=1, le=MAX_PARTITIONS)] = 1
    hold_s: HoldS = 600
    prewarm_lead_s: LeadS = 1800
    room: RoomRequest = RoomRequest(mode="off")


class SaleChange(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Body of `PATCH /ops/sales/{sale}`; what is left out stays. Partitions never change."""

    name: Name | UnsetType | None = UNSET
    products: Products | UnsetType = UNSET
    starts_at: Moment | UnsetType = UNSET
    ends_at: Moment | UnsetType | None = UNSET
    hold_s: HoldS | UnsetType = UNSET
    prewarm_lead_s: LeadS | UnsetType = UNSET
    room: RoomChange | UnsetType = UNSET


class SaleProductView(Struct):
    """A product of a sale as stored."""

    product_id: str
    price: int | None
    quantity: int | None
    limit_per_customer: int | None


class SaleView(Struct, kw_only=True):
    """A sale as stored."""

    sale_id: str
    sale_number: int
    name: str | None
    products: list[SaleProductView]
    starts_at: Moment
    ends_at: Moment | None
    partitions: int
    hold_s: int
    prewarm_lead_s: int
    phase: Literal["open", "hold", "drain", "closed"]
    effective_phase: EffectivePhase
    """What an order would meet now: an open sale is scheduled before its start, ended after its end."""
    room: dict[str, Any]
    room_epoch: int
    version: int
    created_at: Moment


class RevokedView(SaleView, kw_only=True):
    """A sale whose admissions were revoked: how many were out, null when the room's store does not say."""

    revoked: int | None
