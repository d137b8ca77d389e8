"""What is asked of Stripe, as its client's typed parameters. Owns them; pure.

The parameters that make a PaymentIntent are compared by Stripe with those that came first under the same key. So they
follow from the order alone, and are what they were in the version before: a test has them as recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from workers.payments.stripe.amounts import to_stripe

if TYPE_CHECKING:
    from datetime import datetime

    from stripe.params import (
        PaymentIntentCaptureParams,
        PaymentIntentCreateParams,
        PaymentIntentListParams,
        PaymentIntentSearchParams,
        RefundCreateParams,
    )

    from workers.payments.gateway import PaymentRequest

ORDER_ID = "order_id"
"""The name of the order's id in the metadata of everything."""
KEY = "key"
"""The name of the idempotency key in a refund's metadata."""
VOIDED = "voided"
"""Marks an intent that was made only so that no other can be under the order's key."""
ON_PAGE = "on_page"
"""Marks an intent whose card the shopper's page brings."""
EXPAND = ["latest_charge"]
PAGE = 100


def asking(payment: PaymentRequest) -> PaymentIntentCreateParams:
    """Return what makes an order's PaymentIntent, and confirms it where the shop's page brought a token.

    Without a token it is the shopper's page that confirms it, with the client secret. No method of payment is taken
    that sends the shopper to another site.

    Raises:
        PaymentRefusedError: Stripe cannot take this amount.
    """
    params: PaymentIntentCreateParams = {
        "amount": to_stripe(payment.total, payment.currency),
        "currency": payment.currency.lower(),
        "capture_method": "automatic" if payment.capture else "manual",
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "metadata": {ORDER_ID: str(payment.order_id)},
        "expand": EXPAND,
    }
    if not payment.capture:
        params["payment_method_options"] = {"card": {"request_multicapture": "if_available"}}
    if not payment.token:
        params["metadata"] = {ORDER_ID: str(payment.order_id), ON_PAGE: "true"}
    else:
        params["confirm"] = True
        if payment.token.startswith("ctoken_"):
            params["confirmation_token"] = payment.token
        else:
            params["payment_method"] = payment.token
    return params


def instead(payment: PaymentRequest) -> PaymentIntentCreateParams:
    """Return what uses the order's key up: an intent that nobody has the secret of, and that is cancelled at once."""
    return {
        "amount": to_stripe(payment.total, payment.currency),
        "currency": payment.currency.lower(),
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        "metadata": {ORDER_ID: str(payment.order_id), VOIDED: "true"},
        "expand": EXPAND,
    }


def capturing(payment: PaymentRequest, amount: int, *, key: str, final: bool) -> PaymentIntentCaptureParams:
    """Return what takes a part of what is held; the intent's metadata remember by which key."""
    params: PaymentIntentCaptureParams = {
        "amount_to_capture": to_stripe(amount, payment.currency),
        "metadata": {capture_mark(payment.order_id, key): str(amount)},
        "expand": EXPAND,
    }
    if not final:
        params["final_capture"] = False
    return params


def releasing() -> PaymentIntentCaptureParams:
    """Return what lets go the rest of what is held once a part of it was taken."""
    return {"amount_to_capture": 0, "final_capture": True, "expand": EXPAND}


def refunding(payment: PaymentRequest, reference: str, amount: int, *, key: str) -> RefundCreateParams:
    """Return what gives a part back."""
    return {
        "payment_intent": reference,
        "amount": to_stripe(amount, payment.currency),
        "metadata": {ORDER_ID: str(payment.order_id), KEY: key},
    }


def searching(order_id: UUID) -> PaymentIntentSearchParams:
    """Return what finds an order's intents; they can be found some time after they were made."""
    return {"query": f"metadata['{ORDER_ID}']:'{order_id}'", "limit": PAGE, "expand": ["data.latest_charge"]}


def listing(since: datetime) -> PaymentIntentListParams:
    """Return what lists the intents that were made since then."""
    return {"created": {"gte": int(since.timestamp())}, "limit": PAGE, "expand": ["data.latest_charge"]}


def capture_mark(order_id: UUID, key: str) -> str:
    """Return under which name in the metadata a capture is remembered; names may have 40 characters."""
    return key.removeprefix(f"{order_id}:")[-40:]
