"""A sale as it is stored, as typed values. Owns these types and how a timeline is read off them; asks no store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from doorbuster.values.prewarm import Prewarm, prewarm_of
from doorbuster.values.timeline import Phase, PlanEntry, Timeline, due, phase_after, room_after

PaymentMode = Literal["capture", "authorise", "none"]


class SaleProduct(msgspec.Struct, frozen=True, kw_only=True):
    """A product's terms in a sale; None means the product's own price, all its stock, no limit."""

    product_id: str
    price: int | None = None
    quantity: int | None = None
    limit_per_customer: int | None = None
    """Most units that a customer may have; the others: all orders with the same e-mail, card, address, device."""
    limit_email: int | None = None
    limit_card: int | None = None
    limit_address: int | None = None
    limit_device: int | None = None


class SaleSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a sale is made of."""

    sale_id: str
    products: Sequence[SaleProduct]
    name: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    partitions: int = 1
    hold_s: int = 600
    prewarm_lead_s: int = 1800
    prewarm: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """What is given of it beside the lead."""
    timeline: Sequence[PlanEntry] = ()
    room: Mapping[str, Any] = msgspec.field(default_factory=lambda: {"mode": "off"})
    payment: PaymentMode = "capture"
    hold_extension_s: int = 300
    standby_max: int = 10_000


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What of a sale its plan changes, as it is at `read_at`: the database's clock when the row was read."""

    read_at: datetime
    phase: Phase
    base_phase: Phase
    """As it was at `terms_at`."""
    timeline: Timeline
    terms_at: datetime | None
    """When ops last set the phase or the room; what the timeline names after it applies. None: all that it names."""
    prewarm_lead_s: int
    prewarm_given: dict[str, Any]
    """What was given of it beside the lead."""

    @property
    def prewarm(self) -> Prewarm:
        """What is done ahead of the sale."""
        return prewarm_of(self.prewarm_lead_s, self.prewarm_given)

    @property
    def to_come(self) -> Timeline:
        """What of the timeline is not in the row: it applies, each entry from its moment on."""
        return due(self.timeline, self.terms_at, None)

    @property
    def next_change_at(self) -> datetime | None:
        """When the plan changes anything next; None: never."""
        return next((entry.at for entry in self.timeline if entry.at > self.read_at), None)

    @property
    def resumes_at(self) -> datetime | None:
        """When the plan opens the sale next, after `read_at`; None: it does not."""
        return next((entry.at for entry in self.timeline if entry.at > self.read_at and entry.phase == "open"), None)

    def phase_at(self, moment: datetime) -> Phase:
        """Return the phase at a moment, as far as the plan is known."""
        if not self.timeline:
            return self.base_phase
        return phase_after(self.base_phase, due(self.timeline, self.terms_at, moment))


class Sale(Planned, frozen=True, kw_only=True):
    """A sale as it is at `read_at`."""

    sale_id: str
    number: int
    name: str | None
    products: dict[str, SaleProduct]
    products_read_at: datetime
    """When these were read; the row may have been read again since, and had the same version."""
    starts_at: datetime
    ends_at: datetime | None
    partitions: int
    hold_s: int
    room: dict[str, Any]
    base_room: dict[str, Any]
    """As it was at `terms_at`."""
    room_secret: bytes
    """Of the lobby's shuffle: nobody may see it before the shuffle."""
    room_epoch: int
    version: int
    created_at: datetime
    closed_at: datetime | None
    payment: PaymentMode
    hold_extension_s: int
    """By how much the hold is made longer, once, while a shopper must act."""
    standby_max: int
    """Most orders that may wait for units to come back."""
    identity_key: bytes
    """Of the HMACs of identities: nobody may see it."""
    shadow_of: int | None = None
    """Of a rehearsal: the number of the sale that it is a shadow of."""

    def room_at(self, moment: datetime) -> dict[str, Any]:
        """Return the room's terms at a moment, as far as the plan is known."""
        if not self.timeline:
            return self.base_room
        return room_after(self.base_room, due(self.timeline, self.terms_at, moment))

    def later(self, seconds: float) -> Sale:
        """Return the sale as its plan makes it so much later, while nobody can read it anew."""
        moment = self.read_at + timedelta(seconds=seconds)
        phase, room = self.phase_at(moment), self.room_at(moment)
        return msgspec.structs.replace(self, read_at=moment, phase=phase, room=room)

    @property
    def sale_number(self) -> int:
        """The number, as all else that has one calls it."""
        return self.number


class LiveSale(Planned, frozen=True, kw_only=True):
    """As much of a sale as the scheduler needs, as it is at `read_at`."""

    sale_number: int
    sale_id: str
    partitions: int
    starts_at: datetime
    ends_at: datetime | None
    room_epoch: int
    version: int
