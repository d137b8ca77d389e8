"""Keys that sign tickets and admissions. Owns their ids, which one signs, the overlap of a rotation; never does I/O.

Written `kid:secret,kid:secret`: the first signs, all verify. To rotate, put a new one first and take the old one away
once nothing it signed is valid any more. Each kind of token has a key of its own, derived from the secret, so that a
ticket never passes for an admission.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable

from doorbuster.errors import InvalidError

_KID = re.compile(r"[A-Za-z0-9_-]{1,16}")
_SECRET_MIN = 16
_FROM_URL = bytes.maketrans(b"-_", b"+/")
TOKEN_MAX = 512
"""Longest token that is looked at at all."""


class KeyRing:
    """The keys of one process."""

    def __init__(self, keys: dict[str, str]) -> None:
        """Take keys by id; the first signs.

        Raises:
            InvalidError: there is none, an id is not 1-16 of `A-Za-z0-9_-`, or a secret is under 16 characters.
        """
        if not keys:
            raise InvalidError("a key ring needs a key")
        for kid, secret in keys.items():
            if not _KID.fullmatch(kid):
                raise InvalidError("a key's id is 1 to 16 letters, digits, '_' or '-'")
            if len(secret) < _SECRET_MIN:
                raise InvalidError(f"key {kid}: its secret must have at least {_SECRET_MIN} characters")
        self._secrets = {kid: secret.encode() for kid, secret in keys.items()}
        self._signers: list[Callable[[], None]] = []
        self.signing_id = next(iter(keys))

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the keys, the one that signs first."""
        return tuple(self._secrets)

    def replace(self, other: KeyRing) -> None:
        """Take another ring's keys in place of the present ones, in every signer of this ring."""
        self._secrets, self.signing_id = other._secrets, other.signing_id
        for renew in self._signers:
            renew()

    def follow(self, renew: Callable[[], None]) -> None:
        """Call `renew` whenever the keys are replaced."""
        self._signers.append(renew)

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """Read `kid:secret,kid:secret`.

        Raises:
            InvalidError: not of that form, or an id twice.
        """
        keys: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            kid, colon, secret = part.partition(":")
            if not colon or kid in keys:
                raise InvalidError("keys are written kid:secret,kid:secret, each id once")
            keys[kid] = secret
        return cls(keys)

    def derived(self, kind: bytes) -> dict[str, bytes]:
        """Return a key an id for one kind of token."""
        return {kid: hmac.digest(secret, b"doorbuster " + kind, "sha256") for kid, secret in self._secrets.items()}


class Signer:
    """Seals and opens tokens `kind.kid.payload.signature` of one kind; the signature covers all that is before it."""

    def __init__(self, ring: KeyRing, kind: str, signature_bytes: int) -> None:
        self._ring = ring
        self._kind = kind.encode()
        self._size = signature_bytes
        self._renew()
        ring.follow(self._renew)

    def _renew(self) -> None:
        # A keyed hash is copied for each token: half the cost of keying one anew.
        keys = self._ring.derived(self._kind)
        self._macs = {kid.encode(): hmac.new(key, digestmod="sha256") for kid, key in keys.items()}
        self._signing_id = self._ring.signing_id.encode()
        self._head = b"%b.%b." % (self._kind, self._signing_id)

    def seal(self, payload: bytes) -> str:
        """Return the token of a payload, signed by the first key."""
        body = self._head + _encode(payload)
        return (body + b"." + self._signature(self._macs[self._signing_id], body)).decode()

    def open(self, token: str) -> bytes | None:
        """Return the payload, or None unless the token is byte for byte what a key of the ring sealed."""
        if len(token) > TOKEN_MAX or not token.isascii():
            return None
        body, _, signature = token.encode().rpartition(b".")
        parts = body.split(b".")
        if len(parts) != 3 or parts[0] != self._kind or (mac := self._macs.get(parts[1])) is None:
            return None
        if not hmac.compare_digest(self._signature(mac, body), signature):
            return None
        return _decode(parts[2])

    def _signature(self, mac: hmac.HMAC, body: bytes) -> bytes:
        keyed = mac.copy()
        keyed.update(body)
        return _encode(keyed.digest()[: self._size])


def encode(raw: bytes) -> str:
    """Return base64url without padding."""
    return _encode(raw).decode()


def _encode(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _decode(text: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(text.translate(_FROM_URL) + b"=" * (-len(text) % 4))
    except binascii.Error:
        return None
