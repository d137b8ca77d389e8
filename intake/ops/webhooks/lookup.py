"""How an endpoint is named in a path, found, and shown. Owns that; changes nothing."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

from msgspec import UNSET

from db.webhooks import endpoints
from doorbuster.contract.webhooks import WebhookView
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.webhooks.endpoints import Endpoint

SECRET_BYTES = 32


def new_secret() -> str:
    """Make a secret as Standard Webhooks writes it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def webhook_id_of(text: str) -> int:
    """Return the id of a path.

    Raises:
        RefusedError: no endpoint can have it.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise not_found(text)
    return int(text)


async def held(connection: Connection, text: str) -> Endpoint:
    """Return the endpoint of a path, which nobody else changes until the transaction ends."""
    found = await endpoints.hold(connection, webhook_id_of(text))
    if found is None:
        raise not_found(text)
    return found


async def existing(connection: Connection, text: str) -> Endpoint:
    """Return the endpoint of a path."""
    found = await endpoints.read(connection, webhook_id_of(text))
    if found is None:
        raise not_found(text)
    return found


def not_found(text: str) -> RefusedError:
    """Return the refusal of an endpoint that is not there."""
    return RefusedError("not_found", f"There is no webhook {text[:64]!r}")


def show(endpoint: Endpoint) -> WebhookView:
    """Return an endpoint as the contract shows it: never with a secret."""
    return WebhookView(
        webhook_id=endpoint.webhook_id,
        url=endpoint.url,
        events=endpoint.events,
        description=endpoint.description,
        state=endpoint.state,
        reason=endpoint.state_reason or UNSET,
        failures=endpoint.failures,
        retry_at=endpoint.retry_at or UNSET,
        former_secret_until=endpoint.former_until or UNSET,
        created_at=endpoint.created_at,
    )
