"""Sales in the HTTP contract, as ops keep them. Owns shapes and bounds; never does I/O."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from doorbuster.contract.fields import Bounded, EffectivePhase, Moment, Money, Name, ProductId, SaleId
from doorbuster.contract.night.schedule import (
    LeadS,
    PrewarmRequest,
    PrewarmView,
    TimelineEntries,
    TimelineEntryView,
)
from doorbuster.contract.offers import SaleLimits
from doorbuster.contract.room import RoomChange, RoomRequest
from doorbuster.orderstore.ids import MAX_PARTITIONS

LimitUnits = Annotated[int, Meta(ge=1, le=10**6)]


class LimitsRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Most units of a product that all orders of the same customer, e-mail, card, address or device may have."""

    customer: LimitUnits | None = None
    email: LimitUnits | None = None
    card: LimitUnits | None = None
    address: LimitUnits | None = None
    device: LimitUnits | None = None


class SaleProductRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A product of a sale: its price there, how many units at most, how many for one person."""

    product_id: ProductId
    price: Money | None = None
    quantity: Annotated[int, Meta(ge=0, le=10**9)] | None = None
    limits: LimitsRequest | None = None
    limit_per_customer: LimitUnits | None = None
    """Another name of `limits.customer`."""


Products = Annotated[list[SaleProductRequest], Meta(min_length=1, max_length=10_000)]
HoldS = Annotated[int, Meta(ge=1, le=86_400)]
PaymentMode = Literal["capture", "authorise", "none"]
HoldExtensionS = Annotated[int, Meta(ge=0, le=86_400)]
StandbyMax = Annotated[int, Meta(ge=0, le=1_000_000)]


class SaleRequest(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /ops/sales`."""

    sale_id: SaleId
    name: Name | None = None
    products: Products
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    partitions: Annotated[int, Meta(ge=1, le=MAX_PARTITIONS)] = 1
    hold_s: HoldS = 600
    prewarm_lead_s: LeadS | UnsetType = UNSET
    """Another name of `prewarm.lead_s`."""
    prewarm: PrewarmRequest | None = None
    timeline: TimelineEntries | None = None
    room: RoomRequest = RoomRequest(mode="off")
    payment: PaymentMode = "capture"
    hold_extension_s: HoldExtensionS = 300
    standby_max: StandbyMax = 10_000


class SaleChange(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Body of `PATCH /ops/sales/{sale}`; what is left out stays. Partitions never change."""

    name: Name | UnsetType | None = UNSET
    products: Products | UnsetType = UNSET
    starts_at: Moment | UnsetType = UNSET
    ends_at: Moment | UnsetType | None = UNSET
    hold_s: HoldS | UnsetType = UNSET
    prewarm_lead_s: LeadS | UnsetType = UNSET
    prewarm: PrewarmRequest | UnsetType | None = UNSET
    timeline: TimelineEntries | UnsetType | None = UNSET
    room: RoomChange | UnsetType = UNSET
    payment: PaymentMode | UnsetType = UNSET
    hold_extension_s: HoldExtensionS | UnsetType = UNSET
    standby_max: StandbyMax | UnsetType = UNSET


class SaleProductView(Struct):
    """A product of a sale as stored."""

    product_id: str
    price: int | None
    quantity: int | None
    limits: SaleLimits | None
    limit_per_customer: int | None
    """The same as `limits.customer`."""


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
    """The same as `prewarm.lead_s`."""
    prewarm: PrewarmView
    timeline: list[TimelineEntryView]
    """What changes when; entries that have applied are in `phase` and `room` already."""
    payment: PaymentMode
    hold_extension_s: int
    standby_max: int
    phase: Literal["open", "hold", "drain", "closed"]
    effective_phase: EffectivePhase
    """What an order would meet now: an open sale is scheduled before its start, ended after its end."""
    room: dict[str, Any]
    room_epoch: int
    version: int
    created_at: Moment
    shadow_of: int | None = None
    """Of a rehearsal's shadow: the number of its sale."""


class RevokedView(SaleView, kw_only=True):
    """A sale whose admissions were revoked: how many were out, null when the room's store does not say."""

    revoked: int | None
