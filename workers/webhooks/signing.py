"""The headers of a delivery, as Standard Webhooks 1.0 has them. Owns them; a secret goes no further than here.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from standardwebhooks import Webhook

if TYPE_CHECKING:
    from db.webhooks.endpoints import Receiver

AGENT = "Doorbuster-Webhooks/1"


def headers_of(receiver: Receiver, event_id: str, body: str) -> dict[str, str]:
    """Return the headers of an attempt that is made now; during a rotation both secrets sign."""
    now = datetime.now(UTC)
    secrets = [receiver.secret, *([receiver.former_secret] if receiver.former_secret else [])]
    return {
        "content-type": "application/json",
        "user-agent": AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(event_id, now, body) for secret in secrets),
    }
