"""What fulfilment says of orders in the HTTP contract: parcels, refunds, cancelled lines, transitions by file.

Owns shapes and bounds; never does I/O.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from doorbuster.contract.fields import PRINTABLE, TOTAL_MAX, OrderStatus, Reason
from doorbuster.contract.orders import OrderView, RefundView, ShipmentView

LineNumber = Annotated[int, Meta(ge=1, le=20, description="Of the order, from 1")]
Units = Annotated[int, Meta(ge=1, le=1000)]
Carrier = Annotated[str, Meta(min_length=1, max_length=100, pattern=PRINTABLE)]
Tracking = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
PAID_ELSEWHERE = "Only with to 'confirmed' and a reason: it is paid in another way than by the sale's payment provider"
HandStatus = Literal["confirmed", "processing", "shipped", "delivered", "cancelled", "refunded"]


class NamedUnits(Struct, frozen=True, forbid_unknown_fields=True):
    """Units of a line of the order."""

    line: LineNumber
    quantity: Units


class ReturnedUnits(Struct, frozen=True, forbid_unknown_fields=True):
    """Units of a line whose money is given back; `restock`: those that had left are in stock again."""

    line: LineNumber
    quantity: Units
    restock: bool = False


SomeUnits = Annotated[tuple[NamedUnits, ...], Meta(min_length=1, max_length=20)]


class CancelRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /orders/{id}/cancel`; without lines, or without a body: all that has not left."""

    lines: SomeUnits | None = None


class ShipmentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/orders/{id}/shipments`; without lines: all that is open, else all that was lost."""

    lines: SomeUnits | None = None
    carrier: Carrier | None = None
    tracking: Tracking | None = None
    reason: Reason | None = None


class ShipmentChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PATCH /ops/orders/{id}/shipments/{sid}`: what became of a parcel, or who brings it."""

    status: Literal["delivered", "lost"] | None = None
    carrier: Carrier | None = None
    tracking: Tracking | None = None
    reason: Reason | None = None


class RefundRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/orders/{id}/refunds`: for lines, as an amount, or an amount for lines."""

    reason: Reason
    lines: Annotated[tuple[ReturnedUnits, ...], Meta(min_length=1, max_length=20)] | None = None
    amount: Annotated[int, Meta(ge=1, le=TOTAL_MAX, description="Minor units of the currency")] | None = None


class ShipmentAnswer(ShipmentView, kw_only=True):
    """A parcel that was sent or changed, and its order as it stands then."""

    order: OrderView


class RefundAnswer(RefundView, kw_only=True):
    """A refund, and its order as it stands."""

    order: OrderView


class BulkTransition(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the body of `POST /ops/orders:transition`."""

    order_id: Annotated[str, Meta(min_length=1, max_length=64)]
    to: HandStatus
    reason: Reason | None = None
    restock: bool = False
    paid_elsewhere: Annotated[bool, Meta(description=PAID_ELSEWHERE)] = False
    carrier: Carrier | None = None
    tracking: Tracking | None = None


class BulkAnswer(Struct, kw_only=True, omit_defaults=True):
    """What became of a line: where its order stands, or the problem."""

    line: int
    """Of the body, from 1."""
    order_id: str | UnsetType = UNSET
    status: OrderStatus | UnsetType = UNSET
    """Of the order now."""
    changed: bool | UnsetType = UNSET
    """False: the order stood there already."""
    code: str | UnsetType = UNSET
    """An error code, where there is a problem."""
    problem: str | UnsetType = UNSET
    allowed: list[OrderStatus] | UnsetType = UNSET
