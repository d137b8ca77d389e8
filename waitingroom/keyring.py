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
        self._kind = kind
        self._size = signature_bytes
        self._renew()
        ring.follow(self._renew)

    def _renew(self) -> None:
        self._keys = self._ring.derived(self._kind.encode())
        self._head = f"{self._kind}.{self._ring.signing_id}."
        self._key = self._keys[self._ring.signing_id]

    def seal(self, payload: bytes) -> str:
        """Return the token of a payload, signed by the first key."""
        body = self._head + encode(payload)
        return f"{body}.{encode(hmac.digest(self._key, body.encode(), 'sha256')[: self._size])}"

    def open(self, token: str) -> bytes | None:
        """Return the payload, or None unless the token is byte for byte what a key of the ring sealed."""
        if len(token) > TOKEN_MAX or not token.isascii():
            return None
        body, _, signature = token.rpartition(".")
        parts = body.split(".")
        if len(parts) != 3 or parts[0] != self._kind or (key := self._keys.get(parts[1])) is None:
            return None
        expected = encode(hmac.digest(key, body.encode(), "sha256")[: self._size])
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            return None
        return decode(parts[2])


def encode(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes | None:
    """Return the bytes, or None if it is no base64url."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
