"""Signatures of callbacks: an HMAC-SHA256 over a timestamp and the body. Owns how they are read and compared; no I/O.

Two schemes: Stripe's (`Stripe-Signature: t=...,v1=...`, docs.stripe.com/webhooks/signature) and Standard Webhooks 1.0
(`webhook-id`, `webhook-timestamp`, `webhook-signature`). Both are done here by hand, so that an intake imports no
provider's client. Everything is compared as bytes: what somebody sends need not be text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping

from doorbuster.errors import DoorbusterError

TOLERANCE_S = 300
"""How far the signature's time may be from ours, either way."""
SIGNATURES_MAX = 16
"""Signatures of one callback that are compared; while a secret is changed there are two."""
HEADER_MAX = 4_096
"""Characters of a header that are read."""
PREFIX = "whsec_"

_TIME = re.compile(r"[0-9]{1,12}")


class SignatureInvalidError(DoorbusterError):
    """The callback is not signed as it must be, or too long ago."""

    code = "signature_invalid"


def check_stripe(secret: str, header: str | None, body: bytes, now: float) -> None:
    """Check Stripe's scheme; the secret is the key as it stands, `whsec_` included.

    Raises:
        SignatureInvalidError: it does not hold.
    """
    parts = [part.strip().partition("=") for part in _read(header, "Stripe-Signature").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1:
        raise SignatureInvalidError("Stripe-Signature must have one t")
    _check_time(times[0], now)
    signed = hmac.new(secret.encode(), times[0].encode() + b"." + body, hashlib.sha256).hexdigest()
    _compare(signed, (value for name, _, value in parts if name == "v1"))


def check_standard(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Check the scheme of Standard Webhooks; the secret is base64, with or without `whsec_`; names in small letters.

    Raises:
        SignatureInvalidError: it does not hold.
    """
    message_id = _read(headers.get("webhook-id"), "webhook-id")
    timestamp = _read(headers.get("webhook-timestamp"), "webhook-timestamp")
    given = _read(headers.get("webhook-signature"), "webhook-signature")
    _check_time(timestamp, now)
    content = message_id.encode("latin-1", "replace") + b"." + timestamp.encode() + b"." + body
    signed = base64.b64encode(hmac.new(key_of(secret), content, hashlib.sha256).digest()).decode()
    versions = [part.partition(",") for part in given.split(" ")]
    _compare(signed, (value for version, _, value in versions if version == "v1"))


def key_of(secret: str) -> bytes:
    """Return the key of a secret as Standard Webhooks writes it.

    Raises:
        ValueError: it is no base64.
    """
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("is no base64") from error


def _read(value: str | None, name: str) -> str:
    if not value:
        raise SignatureInvalidError(f"{name} is missing")
    if len(value) > HEADER_MAX:
        raise SignatureInvalidError(f"{name} may have at most {HEADER_MAX} characters")
    return value


def _check_time(text: str, now: float) -> None:
    if not _TIME.fullmatch(text):
        raise SignatureInvalidError("The signature's time is no number of seconds")
    if abs(now - int(text)) > TOLERANCE_S:
        raise SignatureInvalidError(f"The signature's time is more than {TOLERANCE_S} s from ours")


def _compare(signed: str, given: Iterable[str]) -> None:
    expected = signed.encode()
    for place, value in enumerate(given):
        if place == SIGNATURES_MAX:
            break
        if hmac.compare_digest(expected, value.encode("utf-8", "replace")):
            return
    raise SignatureInvalidError("No signature of the callback is right")
