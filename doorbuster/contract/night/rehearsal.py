"""Rehearsals in the HTTP contract. Owns shapes and bounds; never does I/O."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from doorbuster.contract.fields import Bounded, Moment

Rate = Annotated[float, Meta(ge=0, le=10**6)]
Milliseconds = Annotated[float, Meta(ge=0, le=3_600_000)]
Counted = Annotated[int, Meta(ge=0, le=10**9)]
Sentence = Annotated[str, Meta(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*(?!\n)$")]


class RehearsalRequest(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Body of `POST /ops/sales/{sale}/rehearsals`."""

    units: Annotated[int, Meta(ge=1, le=10**8)] = 1_000_000
    """Of each product that the shadow has: as many as the load may order, for what is sold out is not rehearsed."""
    beside_live: bool = False
    """Whether a sale may be on meanwhile."""


class RehearsalStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate that was held for a while, and what came of it."""

    offered_per_s: Rate
    accepted_per_s: Rate
    p99_ms: Milliseconds
    backlog_s: Annotated[float, Meta(ge=0, le=3_600)]
    """Of the backlog at the end of the step, at the rate at which it was drained."""
    held: bool
    """Whether everything kept up."""
    why: Sentence = ""
    """What did not."""


class RehearsalCriteria(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a rate is held."""

    p99_ms: Milliseconds
    """Of an order's acceptance, from when it was to be sent."""
    backlog_s: Annotated[float, Meta(ge=0, le=3_600)]
    refused_share: Annotated[float, Meta(ge=0, le=1)]
    """Of orders that were refused for load, or not answered."""


class RehearsedShape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of the crowd that was played after the rate was found."""

    name: Sentence
    peak_per_s: Rate
    offered: Counted
    accepted: Counted
    refused: dict[str, Counted]
    p99_ms: Milliseconds
    drained_after_s: Annotated[float, Meta(ge=0, le=3_600)]


class RehearsalResult(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rehearsal found; go/no-go reads it."""

    knee_per_s: Rate | None
    """The highest rate that was held; null: none was."""
    broke_at_per_s: Rate | None
    """The lowest rate that was not; null: the load generator's bound was reached before."""
    proposed_rate_per_s: Rate | None
    """For the room, with a margin."""
    margin: Annotated[float, Meta(ge=0, le=1)]
    set_rate_per_s: Rate | None
    """The room's rate as it is set; null: the sale has no room."""
    criteria: RehearsalCriteria
    steps: Annotated[list[RehearsalStep], Meta(max_length=200)]
    shape: RehearsedShape | None = None
    stopped: Sentence | None = None
    """Why it ended before its end."""
    limited_by: Literal["live sale"] | None = None
    """What kept it from trying more: a sale that was on, whose orders would have waited for it."""
    limit_reason: Sentence | None = None
    """How that showed."""


class RehearsalChange(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Body of `PATCH /ops/sales/{sale}/rehearsals/{rehearsal}`: renews the lease, and leaves the result once."""

    result: RehearsalResult | UnsetType = UNSET


class ShadowNow(Struct, kw_only=True):
    """The shadow, and how far the workers are with it."""

    sale_id: str
    products: list[str]
    has_room: bool
    partitions: int
    backlog: int
    """Orders accepted and not drained."""
    drained: int
    """Orders drained, ever."""
    lag_s: float
    """Age of the oldest that waits: for the drain, or for its payment."""


class LiveAccepting(Struct, kw_only=True):
    """How long orders of sales that are on took to be accepted, in the process that answers; no shadow's is counted."""

    orders: int
    """In the last 10 s."""
    p99_ms: float | None
    """Of these, the 99th percentile from the group commit's taking an order to its verdict; null: too few orders."""
    p99_ms_20s: float | None
    """Of the last 20 s."""


class RehearsalView(Struct, kw_only=True):
    """A rehearsal."""

    rehearsal_id: int
    sale_id: str
    state: Literal["running", "removing", "removed"]
    started_at: Moment
    lease_expires_at: Moment
    finished_at: Moment | None
    """When its result was left; null: it runs, or was stopped."""
    removed_at: Moment | None
    """When no trace of the shadow was left."""
    shadow_id: str
    set_rate_per_s: float | None
    """The rate of the sale's own room as it is set; null: it has none."""
    result: RehearsalResult | None
    shadow: ShadowNow | None = None
    """While it runs."""
    beside: list[str] = []
    """Sales that are on."""
    live: LiveAccepting | None = None
    """How these take orders, while it runs."""
