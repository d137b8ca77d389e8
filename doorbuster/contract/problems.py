"""Errors in the HTTP contract: problem details and the one table of codes. Owns both; never does I/O."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from msgspec import UNSET, Struct, UnsetType

from doorbuster.contract.fields import EffectivePhase, Moment, OrderStatus, PaymentStatus
from doorbuster.contract.offers import LimitedBy, UnitPrice
from doorbuster.contract.ops_keys import Role


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
    instance: str | UnsetType = UNSET
    """The request that was answered so, as the log names it: `urn:doorbuster:request:` and its id."""
    order_id: str | UnsetType = UNSET
    """The order that was decided against, where one came to be."""
    line: int | UnsetType = UNSET
    """Which line it is about, from 1."""
    product_id: str | UnsetType = UNSET
    left: int | UnsetType = UNSET
    """Units of the product that the sale still had for the order."""
    by: LimitedBy | UnsetType = UNSET
    """Whose limit it is."""
    limit: int | UnsetType = UNSET
    """Units of the product that they may have in the sale."""
    had: int | UnsetType = UNSET
    """Units of it that they have in other orders."""
    phase: EffectivePhase | UnsetType = UNSET
    starts_at: Moment | UnsetType = UNSET
    ends_at: Moment | UnsetType = UNSET
    resumes_at: Moment | UnsetType = UNSET
    total: int | UnsetType = UNSET
    """Of the order at the prices in force."""
    lines: list[UnitPrice] | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    """That an ops key must have for the call."""
    allowed: list[OrderStatus] | UnsetType = UNSET
    """Where the order can go from where it is."""
    payment: PaymentStatus | UnsetType = UNSET
    """How the order's payment stands."""
    refundable: int | UnsetType = UNSET
    """Minor units that can be given back."""


class ErrorCode(NamedTuple):
    """How an error code shows over HTTP."""

    status: int
    title: str


FAULTS = MappingProxyType(
    {
        "malformed": ErrorCode(400, "Bad request"),
        "idempotency_key_required": ErrorCode(400, "Idempotency-Key required"),
        "signature_invalid": ErrorCode(400, "Signature not valid"),
        "admission_required": ErrorCode(401, "Admission required"),
        "admission_expired": ErrorCode(401, "Admission expired"),
        "ops_key_required": ErrorCode(401, "Ops key required"),
        "totp_required": ErrorCode(401, "Code of the second factor required"),
        "totp_invalid": ErrorCode(401, "Code of the second factor not valid"),
        "role_required": ErrorCode(403, "Role of the ops key not enough"),
        "csrf_invalid": ErrorCode(403, "Page's token missing or wrong"),
        "second_key_required": ErrorCode(403, "Second ops key required"),
        "admission_invalid": ErrorCode(403, "Admission not valid for this sale"),
        "ticket_invalid": ErrorCode(403, "Ticket or secret not valid for this sale"),
        "code_invalid": ErrorCode(403, "Access code not valid"),
        "challenge_failed": ErrorCode(403, "Challenge not solved"),
        "not_found": ErrorCode(404, "Not found"),
        "sale_not_found": ErrorCode(404, "Sale not found"),
        "room_not_found": ErrorCode(404, "Waiting room not found"),
        "order_not_found": ErrorCode(404, "Order not found"),
        "product_not_found": ErrorCode(404, "Product not found"),
        "method_not_allowed": ErrorCode(405, "Method not allowed"),
        "sale_not_open": ErrorCode(409, "Sale not open"),
        "sold_out": ErrorCode(409, "Sold out"),
        "limit_exceeded": ErrorCode(409, "Limit per customer exceeded"),
        "price_changed": ErrorCode(409, "Prices changed"),
        "admission_spent": ErrorCode(409, "Admission spent"),
        "illegal_transition": ErrorCode(409, "Transition not allowed from this status"),
        "payment_open": ErrorCode(409, "Payment not made"),
        "rejected": ErrorCode(409, "Order rejected"),
        "conflict": ErrorCode(409, "Conflict with what is stored"),
        "sale_not_over": ErrorCode(409, "Sale not over"),
        "room_not_open": ErrorCode(409, "Waiting room not open"),
        "place_conflict": ErrorCode(409, "Place held under another secret or customer"),
        "code_spent": ErrorCode(409, "Access code used up"),
        "room_over": ErrorCode(410, "Sale over"),
        "room_sold_out": ErrorCode(410, "Sale sold out"),
        "place_unknown": ErrorCode(410, "Place not known any more"),
        "place_lapsed": ErrorCode(410, "Place lapsed"),
        "place_left": ErrorCode(410, "Place given up"),
        "admission_finished": ErrorCode(410, "Admission used or run out"),
        "admission_revoked": ErrorCode(410, "Admission revoked"),
        "request_timeout": ErrorCode(408, "Request timeout"),
        "too_large": ErrorCode(413, "Content too large"),
        "unsupported_media_type": ErrorCode(415, "Unsupported media type"),
        "invalid": ErrorCode(422, "Values missing or wrong"),
        "idempotency_conflict": ErrorCode(422, "Idempotency-Key used for another body"),
        "refund_too_large": ErrorCode(422, "More than can be given back"),
        "rate_limited": ErrorCode(429, "Too many requests"),
        "head_too_large": ErrorCode(431, "Request header fields too large"),
        "internal": ErrorCode(500, "Internal server error"),
        "method_unknown": ErrorCode(501, "Method not implemented"),
        "coding_not_supported": ErrorCode(501, "Transfer coding not implemented"),
        "overloaded": ErrorCode(503, "Service overloaded"),
        "room_full": ErrorCode(503, "Waiting room full"),
        "store_unavailable": ErrorCode(503, "Store unavailable"),
        "version_not_supported": ErrorCode(505, "HTTP version not supported"),
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
