"""The report of a sale: the body of `GET /ops/sales/{sale}/report`. Owns its shapes; never does I/O.

Every figure is defined in docs/report.md. One that nobody can know is null, never made up.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from doorbuster.contract.fields import EffectivePhase, Moment


class Spread(Struct, frozen=True, kw_only=True):
    """How some seconds are spread, by nearest rank; null where there are none."""

    count: int
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    max: float | None = None


class ReportedSale(Struct, frozen=True, kw_only=True):
    """The sale that the report is of."""

    sale_id: str
    sale_number: int
    name: str | None
    phase: EffectivePhase
    starts_at: Moment
    ends_at: Moment | None
    over_at: Moment | None
    """When it took no orders any more; null in a preview."""
    payment: str
    currency: str | None
    """Of its orders; null: there are none."""
    partitions: int


class MinuteRow(Struct, frozen=True, kw_only=True):
    """A minute of the sale, or as long as `step_s` says."""

    at: Moment
    """Its beginning."""
    offered: int | None
    joined: int | None
    admitted: int | None
    refused: int | None
    accepted: int
    confirmed: int
    cancelled: int


class Totals(Struct, frozen=True, kw_only=True):
    """The sale in a few figures."""

    offered: int | None
    """Posts of orders, also those refused or sent again."""
    joined: int | None
    admitted: int | None
    refused: dict[str, int] | None
    """Of the offered, by code."""
    accepted: int
    """Orders that were answered 202 and drained."""
    confirmed: int
    """Of these: were confirmed, whatever became of them later."""
    states: dict[str, int]
    """Of the accepted: how they stand."""
    cancelled: dict[str, int]
    """Of the accepted: cancelled, by reason."""


class SoldOutSpell(Struct, frozen=True, kw_only=True):
    """A time without units of a product in the sale."""

    since: Moment
    until: Moment | None
    """When there were some again; null: not until the report was written."""
    after_s: float
    """`since` after the sale's start."""


class ProductLedger(Struct, frozen=True, kw_only=True):
    """Where a product's units are, of all sales together (P2)."""

    received: int
    left: int
    reserved: int
    sold: int
    balances: bool
    """`left + reserved + sold = received`, and that is what the movements say."""


class ProductInSale(Struct, frozen=True, kw_only=True):
    """Units of a product in the sale's orders."""

    allotment: int | None
    taken: int
    wanted: int
    """In all accepted orders."""
    kept: int
    """In orders that have theirs, less what was taken off."""
    refused: int
    """In orders that were cancelled before they had any: sold out, over a limit, standing by in vain."""
    given_up: int
    """That orders had and gave back before they left."""
    standing_by: int
    shipped: int
    returned: int
    restocked: int
    balances: bool
    """`wanted = kept + refused + given_up + standing_by`, and `kept` is what the sale's own count says."""


class ProductReport(Struct, frozen=True, kw_only=True):
    """A product of the sale."""

    product_id: str
    name: str
    sold_out_at: Moment | None
    """When it was sold out first; null: it never was."""
    sold_out_after_s: float | None
    reopened: int
    """How often there were units again."""
    spells: list[SoldOutSpell]
    """The first 20."""
    ledger: ProductLedger
    in_sale: ProductInSale


class Waits(Struct, frozen=True, kw_only=True):
    """How long things took, in seconds."""

    join_to_admission: Spread
    join_to_order: Spread
    accepted_to_decided: Spread
    accepted_to_confirmed: Spread


class Estimates(Struct, frozen=True, kw_only=True):
    """What the room told visitors when they joined, against what it took."""

    told: int
    """Visitors who were let in and had been told how long it takes."""
    not_told: int
    """Visitors who were let in and joined when nothing could be said."""
    within: int
    """Of the told: whose wait was within the range that the page shows."""
    longer: int
    shorter: int
    error_s: Spread
    """By how much the wait and what was told differ, either way."""
    lean_s: float | None
    """The median of wait less told: above 0 it took longer than told."""


class Fairness(Struct, frozen=True, kw_only=True):
    """Kendall's tau: 1 is the same order, 0 no relation, -1 the reverse; null for fewer than two."""

    admission: float | None
    """Place in line against the order of admission."""
    admissions: int
    stock: float | None
    """Order of acceptance against the order of getting units, of orders that got them at their turn."""
    orders: int
    standby: float | None
    """Order of acceptance against the order of being served, of orders that stood by."""
    standbys: int
    step: int
    """One of so many orders was compared; 1: all."""


class RoomReport(Struct, frozen=True, kw_only=True):
    """What the waiting room counted."""

    mode: str
    rate_per_s: float | None
    """As it was set last."""
    joined: int | None
    admitted: int | None
    by_code: int | None
    no_shows: int | None
    """Places whose turn came and that nobody claimed in time."""
    left: int | None
    ordered: int | None
    unused: int | None
    """Admissions that ended without an order."""
    throttled: int | None
    sampled: int | None
    """One of so many visits is in the waits, the estimates and the fairness; 1: all; null: none is known."""


class StandbyFigures(Struct, frozen=True, kw_only=True):
    """Orders that stood by for units."""

    stood_by: int
    served: int
    in_vain: int
    """Waited until the sale's end."""
    gone: int
    """Cancelled while they waited, for another reason."""
    waiting: int


class LimitFigures(Struct, frozen=True, kw_only=True):
    """Orders over a limit."""

    at_post: int | None
    """Refused when they were posted."""
    at_turn: dict[str, int]
    """Cancelled at their turn, by whose limit it was."""


class Operations(Struct, frozen=True, kw_only=True):
    """Operations at the payment provider of one kind."""

    due: int
    done: int
    failed: int
    discarded: int
    amount: int
    """Of the done, in minor units."""


class MoneyFigures(Struct, frozen=True, kw_only=True):
    """The sale's money in minor units, as it stood when the report was written."""

    authorised: int
    """Held at the provider before it was taken; of sales that take money at shipping."""
    captured: int
    refunded: int
    net: int
    """`captured - refunded`."""
    voided: int
    """Of the authorised: let go, never taken."""
    goods: int
    """What the kept lines cost, less what was given back beyond lines."""
    payments: dict[str, int]
    """Orders by what the provider has of their money."""
    declined: int
    operations: dict[str, Operations]
    """The queue at the provider, by kind."""
    differing: int
    """Orders whose money is not what their goods cost (P12)."""
    balances: bool
    """No order differs; `net = goods` where nothing is open; the queue's refunds are what orders say was refunded."""


class PromiseReport(Struct, frozen=True, kw_only=True):
    """A promise."""

    promise: str
    title: str
    verdict: Literal["holds", "broken", "not_checked"]
    value: int | None
    what: str
    """What the value counts, or what is known instead."""
    breaches: int
    how: str
    """How it was checked, or why not."""


class Act(Struct, frozen=True, kw_only=True):
    """Something ops changed."""

    at: Moment
    action: str
    target: str
    by: str
    change: dict[str, Any]


class ReportStage(Struct, frozen=True, kw_only=True):
    """An entry of the sale's timeline: when it was to apply, and when it was seen in force."""

    planned_at: Moment
    phase: str | None
    room: list[str]
    """Names of the room's terms that it changes."""
    applied_at: Moment | None
    """When a scheduler first saw it in force; null: none did, or it was past when the sale was made."""
    late_s: float | None


class Incident(Struct, frozen=True, kw_only=True):
    """Something that went wrong, or had to be looked at."""

    kind: Literal["alert", "no_go", "dead_letters", "payments_failed", "late_stage", "restart"]
    at: Moment | None
    until: Moment | None
    what: str


class Advice(Struct, frozen=True, kw_only=True):
    """Something to do otherwise next time, and what it is said for."""

    rule: str
    """A word that stays the same."""
    text: str
    evidence: dict[str, float | int | str | None]


class SaleReport(Struct, frozen=True, kw_only=True):
    """What is told of a sale that is over."""

    sale: ReportedSale
    written_at: Moment
    took_ms: int
    preview: bool
    settled: bool
    """Nothing of the sale was under way any more."""
    unsettled: list[str]
    totals: Totals
    step_s: int
    minutes: list[MinuteRow]
    """In which anything happened."""
    products: list[ProductReport]
    products_left_out: int
    waits: Waits
    estimates: Estimates
    fairness: Fairness
    room: RoomReport
    limits: LimitFigures
    standby: StandbyFigures
    money: MoneyFigures
    promises: list[PromiseReport]
    acts: list[Act]
    """The last 500."""
    acts_left_out: int
    incidents: list[Incident]
    advice: list[Advice]
    timeline: list[ReportStage] = []
    """What the plan was to change until the sale was over."""
