"""Orders in the HTTP contract: what is posted and what is shown. Owns shapes and bounds; never does I/O."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from doorbuster.contract.fields import PRINTABLE, TOTAL_MAX, AcceptedAt, CustomerId, Moment, OrderStatus, ProductId


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
