"""Webhooks in the HTTP contract: event types, bodies, and which URL an endpoint may have. Never does I/O."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from msgspec import UNSET, Meta, Struct, UnsetType

from doorbuster.contract.fields import PRINTABLE, Bounded, Label, Moment
from doorbuster.values.public_address import is_public, literal_of

EventType = Literal[
    "order.pending", "order.confirmed", "order.processing", "order.shipped", "order.delivered", "order.cancelled",
    "order.refunded", "order.line_cancelled", "order.shipment", "order.refund", "payment.action_required",
    "sale.prewarm", "sale.opened", "sale.sold_out", "sale.closed", "product.changed",
]  # fmt: skip
EVENT_TYPES: tuple[str, ...] = get_args(EventType)
TEST = "webhook.test"
"""Type of what a test sends; nobody can subscribe to it."""
URL_MAX = 2048
LOCAL_NAMES = ("localhost", "localhost.localdomain")


class WebhookRequest(Bounded, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/webhooks`; without `events` it gets all types."""

    url: Annotated[str, Meta(min_length=1, max_length=URL_MAX, pattern=PRINTABLE)]
    events: Annotated[tuple[str, ...], Meta(min_length=1, max_length=100)] | None = None
    description: Label = ""


class ReplayRequest(Bounded, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /ops/webhooks/{id}/replay`: which events come once more."""

    since: Moment
    until: Moment | None = None
    order_id: str | None = None


class WebhookSecret(Struct):
    """Answer to making an endpoint, and to rotating its secret: the secret is shown here alone."""

    webhook_id: int
    secret: str
    former_secret_until: Moment | UnsetType = UNSET
    """Until when the former secret signs too."""


class WebhookView(Struct, kw_only=True):
    """An endpoint, without its secret."""

    webhook_id: int
    url: str
    events: list[str] | None
    """None: all types."""
    description: str
    state: Literal["active", "paused", "disabled"]
    reason: str | UnsetType = UNSET
    """Why it is paused or disabled."""
    failures: int
    """Failed attempts in a row."""
    retry_at: Moment | UnsetType = UNSET
    """Nothing is sent to it before."""
    former_secret_until: Moment | UnsetType = UNSET
    created_at: Moment


class DeliveryView(Struct, kw_only=True):
    """One event on its way to an endpoint, or there."""

    delivery_id: int
    event_id: str
    """`webhook-id`, the same at every attempt."""
    type: str
    at: Moment
    """When it happened."""
    state: Literal["due", "waiting", "delivered", "dead", "discarded"]
    attempts: int
    status_code: int | None
    """Of the last answer."""
    error: str | None
    """Of the last attempt, if it failed."""
    tried_at: Moment | None
    next_try_at: Moment | None
    finished_at: Moment | None


class WebhookTest(Struct):
    """Answer to a test: the delivery that was put before all others."""

    webhook_id: int
    delivery_id: int
    event_id: str


class ReplayView(Struct):
    """Answer to a replay: what will come once more."""

    webhook_id: int
    since: Moment
    until: Moment
    order_id: str | None


class WebhookBody(Struct):
    """What an endpoint is sent, see docs/webhooks.md."""

    id: str
    type: str
    timestamp: Any
    data: Any


def event_types_problems(events: tuple[str, ...]) -> list[tuple[str, str]]:
    """Name every type that there is not."""
    return [
        (f"events[{place}]", f"may not be {name[:100]!r}: there is no such type of event")
        for place, name in enumerate(events)
        if name not in EVENT_TYPES
    ]


def url_problem(url: str, *, allow_private: bool) -> str | None:
    """Say why nothing can be delivered to a URL; a name is looked up when it is connected to, not here."""
    if not url.isascii() or any(sign.isspace() or sign in '\\"<>^`{|}' for sign in url):
        return "has characters that must be percent-encoded, or a name that must be in Punycode"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is no URL, or has a port that there is not"
    if parts.scheme not in ("http", "https"):
        return "must begin with https:// or http://"
    if not host.strip(".") or "%" in host:
        return "names no host"
    if "@" in parts.netloc:
        return "must have neither user nor password"
    if parts.fragment or url.endswith("#"):
        return "must have no fragment"
    if port == 0 or parts.netloc.endswith(":"):
        return "has a port that there is not"
    return _host_problem(host, allow_private=allow_private)


def _host_problem(host: str, *, allow_private: bool) -> str | None:
    address = literal_of(host)
    if address is not None and ":" not in address and address != host:
        return f"has an address in an unusual form: {address} is meant"
    if allow_private:
        return None
    if address is not None:
        return None if is_public(address) else "has an address that is not of the open internet"
    name = host.rstrip(".").lower()
    return "has a name of this machine" if name in LOCAL_NAMES or name.endswith(".localhost") else None
