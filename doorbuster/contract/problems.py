"""Errors in the HTTP contract: problem details and the one table of codes. Owns both; never does I/O."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from msgspec import UNSET, Struct, UnsetType

from doorbuster.contract.fields import EffectivePhase, Moment, OrderStatus
from doorbuster.contract.offers import UnitPrice


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
