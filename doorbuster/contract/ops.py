"""Ops' part of the HTTP contract beside sales and products: its bodies as types. Owns shapes; never does I/O."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from doorbuster.contract.fields import EffectivePhase, Moment, Reason
from doorbuster.contract.fulfilment import PAID_ELSEWHERE, HandStatus


class LogEntryView(Struct):
    """One change that ops made."""

    entry_id: int
    at: Moment
    action: str
    target: str
    change: dict[str, Any]
    operator: str
    """As it was named in `X-Operator`; empty where it was not."""
    key_name: str | None = None
    """Name of the ops key that the call was made with, `OPS_KEY` for that of the settings; null: of a command."""


class TransitionRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/orders/{id}/transitions`; `restock` only when refunding."""

    to: HandStatus
    reason: Reason | None = None
    restock: bool = False
    paid_elsewhere: Annotated[bool, Meta(description=PAID_ELSEWHERE)] = False


class LetterLine(Struct):
    """A line that an accepted entry wants."""

    product_id: str
    quantity: int


class DeadLetterView(Struct, kw_only=True):
    """What could not be done and waits for a person: an order, a delivery to a webhook, or a step of a payment.

    An order's are those of an accepted entry that could not become one.
    """

    dead_letter_id: int | str
    """An order's is a number, others have their kind before it: `delivery-7`, `payment-7`."""
    kind: Literal["order", "delivery", "payment"]
    sale_id: str | UnsetType = UNSET
    partition: int | UnsetType = UNSET
    entry_id: str | UnsetType = UNSET
    """Of an order: under which it failed at first."""
    order_id: str | None
    customer_id: str | UnsetType | None = UNSET
    lines: list[LetterLine] | UnsetType = UNSET
    """Of an order: as far as the entry can be read."""
    webhook_id: int | UnsetType = UNSET
    url: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    """Of a delivery: `webhook-id`."""
    type: str | UnsetType = UNSET
    """Of a delivery: what it tells of."""
    status_code: int | UnsetType | None = UNSET
    operation: Literal["capture", "void", "refund", "look_up"] | UnsetType = UNSET
    """Of a payment: what the provider will not do."""
    amount: int | UnsetType | None = UNSET
    reason: str
    detail: str
    state: Literal["open", "retried", "resolved", "discarded"]
    """Retried: it waits to be tried again; resolved: it is an order by now, or was delivered."""
    failures: int
    created_at: Moment
    failed_at: Moment
    """The last time."""
    retried_at: Moment | None
    discarded_at: Moment | None
    discard_reason: str | None
    payload: dict[str, Any] | UnsetType | None = UNSET
    """What the entry holds, as far as it can be read, without the payment's token; or what is delivered."""
    payload_base64: str | UnsetType = UNSET
    """The entry's bytes; of one dead letter, not in lists."""


class DiscardRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/dead-letters/{id}/discard`."""

    reason: Reason


class Retried(Struct):
    """Answer to a dead letter's retry; of an order: where its entry stands in the stream now."""

    dead_letter_id: int | str
    entry_id: str | UnsetType = UNSET


class LossIntake(Struct):
    """An intake that may have accepted orders which a loss took, and so was asked."""

    intake_id: str
    said_at: Moment | None
    """When it had looked for all of its own; null: it has not, or cannot."""
    seen_at: Moment | None
    """When it last said that it lives; null: that is not known any more."""


class LossView(Struct):
    """A time that the order store came back without the last it had accepted, in one partition of a sale."""

    loss_id: int
    sale_id: str
    partition: int
    at: Moment
    found_by: Literal["drain", "intake"]
    """By a shift that had drained more than there is, or by an intake that looked for its orders."""
    state: Literal["open", "settled", "acknowledged"]
    """Open: orders are lost, or nobody knows; settled: nothing is lost; acknowledged: ops know of it."""
    missing: int
    """Entries that the store lost and that had been drained before: they are orders."""
    strays: int
    """Entries accepted since, in front of those; drained like any other."""
    history_to: str
    """The entry up to which the store knew that it was drained; what follows it was read again."""
    drained_to: str
    """The entry up to which it had been drained."""
    lost_orders: int
    """Orders answered 202 that neither store has, and that were not sent again."""
    order_ids: list[str]
    """Of these, a hundred at most."""
    is_unknown: bool
    """That more orders are lost cannot be ruled out: not every intake that took orders has looked for its own."""
    intakes_asked: int
    intakes_heard: int
    intakes: list[LossIntake]
    """Of those asked a hundred at most, first who is silent."""
    acknowledged_at: Moment | None
    acknowledged_by: str | None
    acknowledge_reason: str | None


class AcknowledgeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/losses/{id}/acknowledge`."""

    reason: Reason


class Prewarmed(Struct):
    """Answer to a prewarm: go or no-go, and each check."""

    sale_id: str
    go: bool
    checks: dict[str, dict[str, Any]]


class Rejected(Struct):
    """A line of an import that was not taken."""

    line: int
    problem: str


class ImportReport(Struct):
    """Answer to an import: how many products were written, and the lines refused (the first thousand, and how many)."""

    imported: int
    rejected: list[Rejected]
    rejected_count: int = 0
    doubled: list[Rejected] = field(default_factory=list)
    """Lines whose product stood in an earlier line too; the later one counts (the first thousand, and how many)."""
    doubled_count: int = 0


class StoreView(Struct, omit_defaults=True):
    """How a store is."""

    name: str
    ok: bool
    age_s: int | None = None
    """How long the server has been up, as far as it says."""
    took_ms: float | None = None
    reason: str = ""


class ProcessView(Struct, omit_defaults=True):
    """How a worker or a scheduler is, as the jobs store knows."""

    role: str
    name: str
    ok: bool
    age_s: int | None = None
    silent_s: float | None = None
    """How long ago it last said something."""
    state: str = ""
    reason: str = ""


class SaleStatusView(Struct, kw_only=True):
    """How a sale that is not over is; `backlog` is null when the order store does not answer."""

    sale_id: str
    phase: EffectivePhase
    starts_at: Moment
    ends_at: Moment | None
    backlog: int | None


class DurabilityView(Struct, kw_only=True):
    """How the order store keeps what it accepts, as this process judged it last."""

    level: str
    """As DURABILITY says."""
    notes: list[str]
    """What the level does not cover, or is taken on trust."""
    switches: list[str]
    """Which switch of the order store to another server is safe now, and why; one of each primary."""


class StatusView(Struct, kw_only=True):
    """Answer of `GET /ops/status`: `ok` when nothing is amiss, else every trouble in a line."""

    ok: bool
    troubles: list[str]
    stores: list[StoreView]
    processes: list[ProcessView]
    sales: list[SaleStatusView]
    work: dict[str, Any]
    """Figures of what is being worked off."""
    durability: DurabilityView
