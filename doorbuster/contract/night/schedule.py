"""A sale's plan in the HTTP contract: its timeline, and what is done ahead of it. Owns shapes; never does I/O."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from doorbuster.contract.fields import Bounded, Moment, Name, SaleId
from doorbuster.contract.room import RoomChange

LeadS = Annotated[int, Meta(ge=0, le=86_400)]
Processes = Annotated[int, Meta(ge=1, le=10_000)]
CheckAtS = Annotated[int, Meta(ge=0, le=86_400)]
ChecksAtS = Annotated[list[CheckAtS], Meta(max_length=20)]
ENTRIES_MAX = 100


class TimelineEntry(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What changes at a moment: fields of the room, the phase, or both. In the room null is the default again."""

    at: Moment
    room: RoomChange | UnsetType = UNSET
    phase: Literal["open", "hold", "drain", "closed"] | UnsetType = UNSET


TimelineEntries = Annotated[list[TimelineEntry], Meta(max_length=ENTRIES_MAX)]


class ScaleRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How many processes there are to be from the lead on; what is left out stays as it is."""

    intake: Processes | None = None
    workers: Processes | None = None


class PrewarmRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is done ahead of a sale; in a change what is left out stays. Null is the default."""

    lead_s: LeadS | UnsetType | None = UNSET
    """By default 1800."""
    scale: ScaleRequest | UnsetType | None = UNSET
    checks_at_s: ChecksAtS | UnsetType | None = UNSET
    """Seconds before the start, the earliest check first; by default 1800, 600 and 120, as far as the lead reaches."""


class CloneRequest(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Body of `POST /ops/sales/{sale}/clone`; what is left out is the original's, times moved with the start."""

    sale_id: SaleId
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    name: Name | None = None


class TimelineEntryView(Struct, kw_only=True, omit_defaults=True):
    """An entry of a timeline as stored."""

    at: Moment
    room: dict[str, Any] | UnsetType = UNSET
    phase: Literal["open", "hold", "drain", "closed"] | UnsetType = UNSET


class ScaleView(Struct, kw_only=True):
    """How many processes there are to be."""

    intake: int | None
    workers: int | None


class PrewarmView(Struct, kw_only=True):
    """What is done ahead of a sale, defaults filled in."""

    lead_s: int
    scale: ScaleView | None
    checks_at_s: list[int]
