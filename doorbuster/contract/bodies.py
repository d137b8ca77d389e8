"""The HTTP contract: every body as a type, and the one table of error codes. Owns shapes and bounds; never does I/O.

`/openapi.json` is generated from these types, and the same types validate what arrives.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType, field

from doorbuster.contract.fields import (
    PRINTABLE,
    TOTAL_MAX,
    AcceptedAt,
    Bounded,
    Currency,
    CustomerId,
    EffectivePhase,
    Label,
    Moment,
    Money,
    Name,
    OrderStatus,
    ProductId,
    Reason,
    SaleId,
    Text,
)
from doorbuster.contract.offers import UnitPrice
from doorbuster.contract.room import RoomChange, RoomRequest
from doorbuster.orderstore.ids import MAX_PARTITIONS


class Line(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True):
    """A product and how many of it."""

    product_id: ProductId
    quantity: Annotated[int, Meta(ge=1, le=1000)]


class Payment(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True):
    """How the order is paid: the payment provider's token."""

    token: Annotated[str, Meta(min_length=1, max_length=255, pattern=PRINTABLE)]


class OrderRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /sales/{sale}/orders`. Its fields make the order's fingerprint, see `intake/orders/accept.py`."""

    customer_id: CustomerId
    lines: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=20)]
    payment: Payment | None = None
    metadata: dict[str, Any] | None = None
    expected_total: Annotated[int, Meta(ge=0, le=TOTAL_MAX)] | None = None
    """What its sender shows the shopper for all lines: at other prices nothing is ordered."""


class Links(Struct):
    """Where to go on with an order."""

    self: str
    events: str


class AcceptedOrder(Struct):
    """Body of a 202: the order lies durably in the stream."""

    order_id: str
    sale_id: str
    status: Literal["accepted"]
    accepted_at: AcceptedAt
    links: Links


class OrderLine(Struct, omit_defaults=True):
    """A line as it was priced; before the drain saw the order it has no price."""

    product_id: str
    quantity: int
    unit_price: int | None = None


class Step(Struct):
    """One state the order was in, and since when."""

    status: OrderStatus
    at: Moment


class Refusal(Struct, omit_defaults=True):
    """What an order was refused for at its turn: the line, and how many units there were or may be."""

    line: int
    product_id: str
    left: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET
    had: int | UnsetType = UNSET


class OrderView(Struct, kw_only=True):
    """An order as it stands; `total` and `currency` are null before the drain saw it."""

    order_id: str
    sale_id: str
    customer_id: str
    status: OrderStatus
    reason: str | UnsetType = UNSET
    accepted_at: AcceptedAt
    lines: list[OrderLine]
    total: int | None
    currency: str | None
    refusal: Refusal | UnsetType = UNSET
    reservation_expires_at: Moment | UnsetType = UNSET
    metadata: Any = UNSET
    history: list[Step]
    links: Links


class OrderSummaryView(Struct):
    """An order as lists show it."""

    order_id: str
    sale_id: str
    customer_id: str
    status: OrderStatus
    reason: str | None
    accepted_at: AcceptedAt
    updated_at: Moment
    total: int
    currency: str


class TransitionEvent(Struct):
    """Data of one server-sent event."""

    order_id: str
    seq: int
    status: OrderStatus
    at: Moment
    reason: str | UnsetType = UNSET


class ProductRequest(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `PUT /ops/products/{id}`."""

    name: Name
    brand: Label
    category: Label
    description: Text | None = None
    price: Money
    currency: Currency
    active: bool = True
    attributes: dict[str, Any] = field(default_factory=dict)


class ProductLine(Bounded, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of `POST /ops/products:import`: what it leaves out stays as it is in a product that exists.

    A new product gets the defaults of `ProductRequest`, and its `stock` is received.
    """

    product_id: ProductId
    name: Name
    brand: Label
    category: Label
    price: Money
    currency: Currency
    description: Text | UnsetType | None = UNSET
    active: bool | UnsetType = UNSET
    attributes: dict[str, Any] | UnsetType = UNSET
    stock: Annotated[int, Meta(ge=0, le=10**9)] | None = None


class StockView(Struct):
    """A product's ledger: stock + reserved + sold = received."""

    product_id: str
    stock: int
    reserved: int
    sold: int
    received: int


class ProductView(Struct, kw_only=True):
    """A product with its ledger."""

    product_id: str
    name: str
    brand: str
    category: str
    description: str | None
    price: int
    currency: str
    active: bool
    attributes: dict[str, Any]
    version: int
    updated_at: Moment | UnsetType = UNSET
    stock: StockView | None


class StockRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/products/{id}/stock`: `receive`, or `adjust` with its reason."""

    receive: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    adjust: Annotated[int, Meta(ge=-(10**9), le=10**9)] | None = None
    reason: Reason | None = None


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


class Health(Struct, omit_defaults=True):
    """Answer of `/healthz` and `/readyz`: a word, and each check with `ok` and its reason."""

    status: Literal["alive", "ready", "not_ready"]
    checks: dict[str, dict[str, Any]] = {}


class FieldProblem(Struct):
    """A field that is wrong, and why."""

    field: str
    problem: str


class Problem(Struct, omit_defaults=True):
    """RFC 9457 problem details; `code` is stable."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] = []
    room: str | None = None
    order_id: str | UnsetType = UNSET
    """The order that was decided against, where one came to be."""
    line: int | UnsetType = UNSET
    """Which line it is about, from 1."""
    product_id: str | UnsetType = UNSET
    left: int | UnsetType = UNSET
    """Units of the product that the sale still had for the order."""
    limit: int | UnsetType = UNSET
    """Units of the product that a customer may have in the sale."""
    had: int | UnsetType = UNSET
    """Units of it that the customer has in other orders."""
    phase: EffectivePhase | UnsetType = UNSET
    starts_at: Moment | UnsetType = UNSET
    ends_at: Moment | UnsetType = UNSET
    total: int | UnsetType = UNSET
    """Of the order at the prices in force."""
    lines: list[UnitPrice] | UnsetType = UNSET
    allowed: list[OrderStatus] | UnsetType = UNSET
    """Where the order can go from where it is."""


class Fault(NamedTuple):
    """How an error code shows over HTTP."""

    status: int
    title: str


FAULTS = MappingProxyType(
    {
        "malformed": Fault(400, "The request cannot be read"),
        "idempotency_key_required": Fault(400, "An idempotency key is needed"),
        "admission_required": Fault(401, "An admission to this sale is needed"),
        "admission_expired": Fault(401, "The admission has expired"),
        "ops_key_required": Fault(401, "The ops key is needed"),
        "admission_invalid": Fault(403, "The admission is not valid for this sale"),
        "ticket_invalid": Fault(403, "The ticket or its secret is not valid for this sale"),
        "code_invalid": Fault(403, "There is no such access code"),
        "challenge_failed": Fault(403, "The challenge of the waiting room is not solved"),
        "not_found": Fault(404, "There is nothing here"),
        "sale_not_found": Fault(404, "There is no such sale"),
        "room_not_found": Fault(404, "The sale has no waiting room"),
        "order_not_found": Fault(404, "There is no such order"),
        "product_not_found": Fault(404, "There is no such product"),
        "method_not_allowed": Fault(405, "This method is not for this place"),
        "sale_not_open": Fault(409, "The sale takes no orders now"),
        "sold_out": Fault(409, "Sold out"),
        "limit_exceeded": Fault(409, "More than a customer may have"),
        "price_changed": Fault(409, "The prices have changed"),
        "admission_spent": Fault(409, "The admission is spent"),
        "illegal_transition": Fault(409, "The order cannot go there from its present state"),
        "rejected": Fault(409, "The order was not reserved"),
        "conflict": Fault(409, "This contradicts what is stored"),
        "room_not_open": Fault(409, "The waiting room is not open yet"),
        "place_conflict": Fault(409, "The place belongs to another secret or customer"),
        "code_spent": Fault(409, "The access code has no admissions left"),
        "room_over": Fault(410, "The sale is over"),
        "room_sold_out": Fault(410, "Everything is sold out; waiting is of no use"),
        "place_unknown": Fault(410, "There is no such place any more"),
        "place_lapsed": Fault(410, "The place was not taken up in time"),
        "place_left": Fault(410, "The place was given up"),
        "admission_finished": Fault(410, "The admission was used or has run out"),
        "admission_revoked": Fault(410, "The admission was revoked"),
        "request_timeout": Fault(408, "The request did not come in time"),
        "too_large": Fault(413, "The body is too large"),
        "unsupported_media_type": Fault(415, "The body must be JSON"),
        "invalid": Fault(422, "Values are missing or wrong"),
        "idempotency_conflict": Fault(422, "This idempotency key belongs to another body"),
        "rate_limited": Fault(429, "Too many requests"),
        "head_too_large": Fault(431, "The head of the request is too large"),
        "internal": Fault(500, "Something went wrong here"),
        "method_unknown": Fault(501, "This method is not known here"),
        "coding_not_supported": Fault(501, "This transfer coding is not decoded here"),
        "overloaded": Fault(503, "Too much to do at the moment"),
        "room_full": Fault(503, "As many wait as the room takes"),
        "store_unavailable": Fault(503, "A store does not answer as it must"),
        "version_not_supported": Fault(505, "This version of HTTP is not spoken here"),
    }
)

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
PROBLEM_TYPE = "urn:doorbuster:problem:"
"""What a problem's `type` begins with; its code follows."""


def problem(code: str, detail: str, errors: list[FieldProblem] | None = None) -> Problem:
    """Return the problem details of an error code."""
    status, title = FAULTS[code]
    return Problem(PROBLEM_TYPE + code, title, status, detail, code, errors or [])
