"""The waiting room's part of the HTTP contract: its bodies as types. Owns shapes and bounds; never does I/O."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from doorbuster.contract.fields import PRINTABLE, AcceptedAt, Bounded, CustomerId, Moment

ORDER_URL = r"^(https?://[^/\\?#][\x21-\x7e]*|/(?![/\\])[\x21-\x7e]*)(?!\n)$"
"""An address with its host, or a path of this one: what begins with two slashes would lead to another host."""


class AccessCode(Struct, frozen=True, forbid_unknown_fields=True):
    """A code that lets its holders past the queue, inside the room's caps, `quota` times."""

    code: Annotated[str, Meta(min_length=12, max_length=64, pattern=r"^[\x21-\x7e]+(?!\n)$")]
    quota: Annotated[int, Meta(ge=1, le=10**6)]


class Thresholds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When a room's outflow gives way, and a safety net closes; it opens again at half of them."""

    backlog: Annotated[int, Meta(ge=1, le=10**8)] | None = None
    """Orders accepted and not drained."""
    lag_ms: Annotated[int, Meta(ge=1, le=3_600_000)] | None = None
    """Age of the oldest of them."""
    conversion: Annotated[float, Meta(gt=0, le=1)] | None = None
    """Share of the admitted that are expected to order."""


class RoomTerms(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a waiting room works; what is left out or null has its default (docs/waiting-room.md)."""

    rate_per_s: Annotated[float, Meta(gt=0, le=10**6)] | None = None
    burst: Annotated[int, Meta(ge=1, le=10**6)] | None = None
    max_active: Annotated[int, Meta(ge=1, le=10**7)] | None = None
    grace_s: Annotated[int, Meta(ge=1, le=86_400)] | None = None
    admission_s: Annotated[int, Meta(ge=1, le=86_400)] | None = None
    orders_allowed: Annotated[int, Meta(ge=1, le=1000)] | None = None
    lobby_opens_at: Moment | None = None
    on_store_failure: Literal["closed", "open"] | None = None
    thresholds: Thresholds | None = None
    waiting_max: Annotated[int, Meta(ge=1, le=10**8)] | None = None
    one_per_customer: bool | None = None
    beacon: Annotated[str, Meta(max_length=256, pattern=PRINTABLE)] | None = None
    """A public value nobody knows beforehand, taken into the shuffle's seed; may be set until the start."""
    message: Annotated[str, Meta(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*(?!\n)$")] | None = None
    challenge: Literal["none", "proof_of_work", "verifier"] | None = None
    access_codes: Annotated[list[AccessCode], Meta(max_length=100)] | None = None
    order_url: Annotated[str, Meta(max_length=500, pattern=ORDER_URL)] | None = None
    """Where an admitted visitor is led."""


RoomMode = Literal["off", "safety_net", "always"]


class RoomRequest(RoomTerms, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The waiting room of a new sale."""

    mode: RoomMode


class RoomChange(RoomTerms, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A change of a sale's room: what is left out stays, null is the default again."""

    mode: RoomMode | UnsetType = UNSET


SecretHash = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f]{64}(?!\n)$", description="SHA-256 of the secret, hexadecimal")]
Token = Annotated[str, Meta(min_length=1, max_length=512, pattern=r"^[\x21-\x7e]+(?!\n)$")]
VisitorId = Annotated[str, Meta(min_length=8, max_length=128, pattern=r"^[\x21-\x7e]+(?!\n)$")]
Code = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+(?!\n)$")]


class JoinRequest(Bounded, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /sales/{sale}/room/tickets`."""

    visitor_id: VisitorId
    secret_hash: SecretHash
    customer_id: CustomerId | None = None
    challenge: Annotated[str, Meta(min_length=1, max_length=4096, pattern=PRINTABLE)] | None = None
    access_code: Code | None = None


class TicketView(Struct, kw_only=True):
    """A place in the queue; with an access code the admission comes with it."""

    ticket: str
    number: int
    """From 1, in the order of joining; 0 while the room's store is away and the room is open nevertheless."""
    sale_id: str
    status_url: str
    admissions_url: str
    page_url: str
    admission: str | UnsetType = UNSET
    expires_at: AcceptedAt | UnsetType = UNSET
    orders_allowed: int | UnsetType = UNSET


class ClaimRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /sales/{sale}/room/admissions`; without both, the cookie of the place stands for them."""

    ticket: Token | None = None
    secret: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class AdmissionView(Struct, kw_only=True):
    """Leave to order."""

    admission: str
    expires_at: AcceptedAt
    orders_allowed: int
    order_url: str
    emergency: bool | UnsetType = UNSET


class WaitView(Struct, kw_only=True):
    """Not yet: `position` is null before the shuffle, 0 when the place is reached but the caps ask for a moment."""

    position: int | None
    place: int | None
    eta_s: float | None
    retry_after_s: float
    phase: str


class LeftView(Struct):
    """The visitor is out, and had ordered: `orders` were accepted with its admission before it ended."""

    orders: int


class SoldOutView(Struct):
    """What is sold out: everything, or these products."""

    whole: bool
    products: list[str]


class PollView(Struct):
    """How often to ask: `share` of the time to wait, between `min_s` and `max_s`, times 1 - jitter to 1 + jitter."""

    min_s: float
    max_s: float
    share: float
    jitter: float


class PaceView(Struct, frozen=True):
    """How fast the frontier goes on, places a second: the wait is from position / most to position / least."""

    least_per_s: float = 0.0
    most_per_s: float = 0.0


class ChallengeView(Struct, omit_defaults=True):
    """What joining asks for; for a proof of work, the salt and how long it is good for."""

    kind: Literal["none", "proof_of_work", "verifier"]
    salt: str = ""
    bits: int = 0
    site_key: str = ""


class RoomProduct(Struct):
    """A product of the sale as those who wait see it: its price in minor units, and whether there is any left."""

    product_id: str
    price: int
    currency: str
    left: Literal["many", "few", "none"]


class RoomStatus(Struct, kw_only=True):
    """The room as everyone sees it; a visitor's position is its place minus the frontier."""

    sale_id: str
    mode: Literal["safety_net", "always"]
    phase: Literal["closed", "lobby", "open", "hold", "drain", "over"]
    needs_admission: bool
    frontier: int
    tail: int
    waiting: int
    rate_per_s: float
    """Measured."""
    pace: PaceView = PaceView()
    admitted: int = 0
    """Let in so far; the frontier also passes places that nobody claims."""
    starts_at: Moment
    lobby_opens_at: Moment | None
    ends_at: Moment | None
    cohort: int | None
    commitment: str
    seed: str | None
    secret: str | None
    beacon: str
    sold_out: SoldOutView
    message: str
    poll: PollView
    challenge: ChallengeView
    products: list[RoomProduct] = []
    """The first of the sale's, as many as leave the document under 2 KiB; none while nobody can say."""
    degraded: bool
    """The room's store does not answer: places are kept, nobody moves."""
    at: AcceptedAt
