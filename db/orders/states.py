"""The state machine of an order (docs/states.md). Pure; the guarded statements in `queries/transitions.sql` use it."""

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


def sources_of(to: Status) -> frozenset[Status]:
    """Return the states from which `to` can be reached in one step."""
    return frozenset(status for status, onward in ALLOWED.items() if to in onward)


def is_legal_step(was: Status | None, became: Status) -> bool:
    """Say whether an order may go from one state to another; None: it begins there."""
    return became in (INITIAL if was is None else ALLOWED[was])
