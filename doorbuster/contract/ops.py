"""Ops' part of the HTTP contract beside sales and products: its bodies as types. Owns shapes; never does I/O."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType, field

from doorbuster.contract.fields import EffectivePhase, Moment, Reason
from doorbuster.contract.fulfilment import HandStatus


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


class LetterLine(Struct):
    """A line that an accepted entry wants."""

    product_id: str
    quantity: int


class DeadLetterView(Struct, kw_only=True):
    """An accepted entry that could not become an order."""

    dead_letter_id: int
    kind: Literal["order"] = "order"
    sale_id: str
    partition: int
    entry_id: str
    """Under which it failed at first."""
    order_id: str | None
    customer_id: str | None
    lines: list[LetterLine] = []
    """As far as the entry can be read."""
    reason: str
    detail: str
    state: Literal["open", "retried", "resolved", "discarded"]
    """Resolved: it is an order by now; retried: it waits in its stream again."""
    failures: int
    created_at: Moment
    failed_at: Moment
    """The last time."""
    retried_at: Moment | None
    discarded_at: Moment | None
    discard_reason: str | None
    payload: dict[str, Any] | None
    """What the entry holds, as far as it can be read; without the payment's token."""
    payload_base64: str | UnsetType = UNSET
    """The entry's bytes; of one dead letter, not in lists."""


class DiscardRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/dead-letters/{id}/discard`."""

    reason: Reason


class Retried(Struct):
    """Answer to a dead letter's retry: where its entry stands in the stream now."""

    dead_letter_id: int
    entry_id: str


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


class StatusView(Struct, kw_only=True):
    """Answer of `GET /ops/status`: `ok` when nothing is amiss, else every trouble in a line."""

    ok: bool
    troubles: list[str]
    stores: list[StoreView]
    processes: list[ProcessView]
    sales: list[SaleStatusView]
    work: dict[str, Any]
    """Figures of what is being worked off."""
