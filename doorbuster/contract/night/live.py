"""What ops watch while a sale goes on: the body of `GET /ops/sales/{sale}/live`. Owns its shapes; never does I/O.

A figure that nobody can know now is null, never made up.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from doorbuster.contract.fields import EffectivePhase, Moment


class LiveProduct(Struct, kw_only=True):
    """A product of the sale: its ledger, which all sales share, and what this sale can still sell of it."""

    product_id: str
    name: str
    received: int | None
    left: int | None
    """Units that this sale can still sell: what is in stock, at most what its allotment leaves."""
    reserved: int | None
    sold: int | None


class LivePayments(Struct, kw_only=True, omit_defaults=True):
    """The sale's payments."""

    due: int
    """To be asked for now, counted to 10,000; one that is being asked for is among them."""
    failing: int
    """Asked for at least once and never answered, counted to 1,000, and operations that the provider refused for
    good, of whatever sale."""
    paused: str | None = None
    """Why the provider is left alone for now: `down` or `rate_limited`."""


class LiveRoom(Struct, kw_only=True):
    """The sale's waiting room: how fast it lets in, and why not faster."""

    mode: str
    rate_per_s: float | None
    """That holds now; null while the room lets nobody in, has no rate, or cannot be asked."""
    set_rate_per_s: float | None
    """As ops set it; null where there is no room."""
    why: str
    """A word that stays the same for the same cause."""
    reason: str
    """The same as a sentence."""


class NoGo(Struct):
    """A check of the newest pre-warm that failed."""

    check: str
    reason: str


class LiveAlert(Struct, kw_only=True):
    """An alert that fires."""

    name: str
    since: Moment | None
    severity: str
    summary: str
    runbook: str


class LiveMoment(Struct, kw_only=True):
    """One second of the past; a second that nobody looked at is left out."""

    at: Moment
    waiting: int | None
    admitted_per_s: float | None
    accepted_per_s: float | None
    confirmed_per_s: float | None
    backlog: int | None
    backlog_s: float | None
    rate_per_s: float | None


class LiveView(Struct, kw_only=True):
    """How a sale goes now."""

    sale_id: str
    name: str | None
    at: Moment
    """When it was looked at, by the intake's clock."""
    phase: EffectivePhase
    starts_at: Moment
    ends_at: Moment | None
    waiting: int | None
    """Visitors in the room whose turn has not come."""
    called: int | None
    """Visitors whose turn has come and who have not claimed their admission."""
    active: int | None
    """Admissions out."""
    admitted_per_s: float | None
    accepted_per_s: float | None
    confirmed_per_s: float | None
    backlog: int | None
    """Orders accepted and not drained."""
    backlog_s: float | None
    """Age of the oldest of them."""
    stock: dict[str, int] | None
    """Units that this sale can still sell, by product."""
    products: list[LiveProduct] | None
    """The first 200 of the sale, in its order."""
    products_left_out: int = 0
    """How many products of the sale are not shown."""
    refusals: dict[str, int] | None
    """Posts of orders refused within the last minute, by code."""
    payments_failing: int | None
    """`payments.failing`, for who looks at one number."""
    payments: LivePayments | None
    room: LiveRoom
    go: bool | None
    """What the newest pre-warm said; null: there was none."""
    go_at: Moment | None
    no_go: list[NoGo]
    alerts: list[LiveAlert]
    troubles: list[str]
    """What does not answer, a line each: its figures are null."""
    history: list[LiveMoment] | UnsetType = UNSET
    """The last seconds, oldest first, where they were asked for."""
