"""The state machine of an order (docs/states.md). Pure; what moves orders uses it, the audit its twin in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Status(StrEnum):
    """A state of an order; who moves an order there stands in `schema.sql`."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    PROCESSING = "processing"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


ALLOWED: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        Status.PENDING: frozenset({Status.CONFIRMED, Status.CANCELLED}),
        Status.CONFIRMED: frozenset({Status.PROCESSING, Status.CANCELLED}),
        Status.PROCESSING: frozenset({Status.SHIPPED, Status.CANCELLED}),
        Status.SHIPPED: frozenset({Status.DELIVERED}),
        Status.DELIVERED: frozenset({Status.REFUNDED}),
        Status.CANCELLED: frozenset(),
        Status.REFUNDED: frozenset(),
    }
)
INITIAL = frozenset({Status.PENDING, Status.CANCELLED})
FINAL = frozenset(status for status, onward in ALLOWED.items() if not onward)


class OrderCall(StrEnum):
    """What is done to an order by hand beside transitions, by line and parcel."""

    CANCEL = "cancel"
    SHIP = "ship"
    PARCEL = "parcel"
    """A parcel was delivered, or lost."""
    REFUND = "refund"


TAKES: Mapping[OrderCall, frozenset[Status]] = MappingProxyType(
    {
        OrderCall.CANCEL: frozenset({Status.PENDING, Status.CONFIRMED, Status.PROCESSING}),
        OrderCall.SHIP: frozenset({Status.CONFIRMED, Status.PROCESSING, Status.SHIPPED}),
        OrderCall.PARCEL: frozenset({Status.CONFIRMED, Status.PROCESSING, Status.SHIPPED}),
        OrderCall.REFUND: frozenset({Status.CONFIRMED, Status.PROCESSING, Status.SHIPPED, Status.DELIVERED}),
    }
)
"""In which states an order takes a call; of one that is shipped only lost units are sent, again."""
