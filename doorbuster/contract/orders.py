"""Orders in the HTTP contract: what is posted and what is shown. Owns shapes and bounds; never does I/O."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from doorbuster.contract.fields import (
    PRINTABLE,
    TOTAL_MAX,
    AcceptedAt,
    CustomerId,
    Moment,
    OrderStatus,
    PaymentStatus,
    ProductId,
    ShipmentStatus,
)
from doorbuster.contract.offers import LimitedBy
from doorbuster.contract.problems import Problem

LINE_METADATA_MAX = 1024
"""Bytes of a line's metadata, as compact JSON."""


class Line(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True):
    """A product and how many of it."""

    product_id: ProductId
    quantity: Annotated[int, Meta(ge=1, le=1000)]
    metadata: dict[str, Any] | None = None
    """Comes back as sent; at most `LINE_METADATA_MAX` bytes."""


class Payment(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True):
    """How the order is paid: the payment provider's token."""

    token: Annotated[str, Meta(min_length=1, max_length=255, pattern=PRINTABLE)]


Identity = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"\S")]


class Identities(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is behind the customer, for a sale's limits: as the sender has it, folded and hashed before it is kept."""

    email: Identity | None = None
    card: Identity | None = None
    """What tells a card from another, as a payment provider gives it; never a card's number."""
    address: Identity | None = None
    device: Identity | None = None


class OrderRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /sales/{sale}/orders`. Its fields make the order's fingerprint, see `intake/orders/accept.py`."""

    customer_id: CustomerId
    lines: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=20)]
    payment: Payment | None = None
    metadata: dict[str, Any] | None = None
    expected_total: Annotated[int, Meta(ge=0, le=TOTAL_MAX)] | None = None
    """What its sender shows the shopper for all lines: at other prices nothing is ordered."""
    standby: bool = False
    """Sold out at its turn it waits for units to come back."""
    identities: Identities | None = None


class BatchOrder(OrderRequest, frozen=True, forbid_unknown_fields=True):
    """A line of `POST /sales/{sale}/orders:batch`: an order, and what a post of it alone has in its headers."""

    idempotency_key: str | None = None
    """Required; 1 to 255 printable ASCII characters, as the header `Idempotency-Key`."""
    admission: str | None = None
    """The admission of its customer, where a waiting room asks for one."""


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


class BatchVerdict(Struct, kw_only=True, omit_defaults=True):
    """What became of a line: what a post of its order alone would have been answered."""

    line: int
    """Of the body, from 1."""
    status: int
    """The HTTP status: 202 once the order lies durably in the stream."""
    order_id: str | UnsetType = UNSET
    accepted_at: AcceptedAt | UnsetType = UNSET
    links: Links | UnsetType = UNSET
    replayed: bool = False
    """The key had made this order before."""
    code: str | UnsetType = UNSET
    """An error code, where the order is not taken."""
    detail: str | UnsetType = UNSET
    retry_after_s: int | UnsetType = UNSET
    """When to send the line again, with the same key."""
    problem: Problem | UnsetType = UNSET
    """All that a post alone would have been told."""


class OrderLine(Struct, kw_only=True, omit_defaults=True):
    """A line as it was priced, and what became of its units; before the drain saw the order it has no price."""

    line: int
    """From 1."""
    product_id: str
    quantity: int
    unit_price: int | None = None
    cancelled: int
    """Units taken off before they left."""
    shipped: int
    """Units that left, those lost on the way too."""
    refunded: int
    """Units whose money was given back, or is being given back."""
    metadata: Any = UNSET


class OrderPayment(Struct):
    """What the payment provider has of an order's money, in minor units; `due`: it will be asked."""

    status: PaymentStatus
    authorised: int | UnsetType = UNSET
    captured: int | UnsetType = UNSET
    refunded: int | UnsetType = UNSET
    next_action: Any = UNSET
    """The provider's, for the shopper's page, while the shopper must act."""
    paid_elsewhere: bool | UnsetType = UNSET
    """True: ops confirmed it, and it is paid in another way than at the provider."""


class LineUnits(Struct, frozen=True):
    """Units of a line of the order, which is counted from 1."""

    line: int
    quantity: int


class ShipmentView(Struct):
    """A parcel."""

    shipment_id: str
    status: ShipmentStatus
    lines: list[LineUnits]
    at: Moment
    carrier: str | UnsetType = UNSET
    tracking: str | UnsetType = UNSET


class RefundLine(LineUnits, frozen=True):
    """Units of a line whose money is given back; `restock`: they are in stock again."""

    restock: bool = False


class RefundView(Struct):
    """Money given back: `pending` until the payment provider has done it, `failed` if it refuses to."""

    refund_id: str
    amount: int
    reason: str
    status: Literal["pending", "succeeded", "failed"]
    at: Moment
    lines: list[RefundLine] | UnsetType = UNSET
    """Left out where an amount was given back for no line in particular."""


class Step(Struct):
    """One state the order was in, and since when."""

    status: OrderStatus
    at: Moment


class Refusal(Struct, omit_defaults=True):
    """What an order was refused for at its turn: the line, and how many units there were or may be."""

    line: int
    product_id: str
    left: int | UnsetType = UNSET
    by: LimitedBy | UnsetType = UNSET
    """Which limit it was."""
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
    payment: OrderPayment
    shipments: list[ShipmentView]
    refunds: list[RefundView]
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
    lines: list[LineUnits] | UnsetType = UNSET
    """Units that were taken off before they left, where those are not all."""
