"""Tickets: a place in the queue, signed, carried by its visitor. Owns their form and the proof of possession.

A visitor makes an id and a secret; the join carries the secret's SHA-256, the ticket carries it on, the claim shows the
secret. So a leaked URL or log line steals no place, and nothing of it is stored but eight bytes that hold the id to
its first secret. Never does I/O.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import struct
from dataclasses import dataclass
from typing import Final

from waitingroom.keyring import KeyRing, Signer

_LAYOUT = struct.Struct(">IQ8s32s8s")
_NOBODY = bytes(8)
_SECRET_HASH = re.compile(r"[0-9A-Fa-f]{64}")
_SIGNATURE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class TicketHolder:
    """Who joins: digests alone, so that nothing here is worth stealing."""

    digest: bytes
    """8 bytes: who has the place, see `visitor_digest`."""
    secret_hash: bytes
    """32 bytes: SHA-256 of the secret."""
    customer: bytes | None = None
    """8 bytes: the customer that the place is bound to, see `customer_digest`."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place in the queue of a sale."""

    sale_number: int
    number: int
    """From 1, in the order of joining."""
    visitor: TicketHolder


def visitor_digest(sale_number: int, visitor_id: str) -> bytes:
    """Return 8 bytes for a client-made visitor id."""
    return _digest(b"v", sale_number, visitor_id)


def customer_digest(sale_number: int, customer_id: str) -> bytes:
    """Return 8 bytes for a customer; never zeroes alone, which stand for nobody."""
    return _digest(b"c", sale_number, customer_id)


def _digest(kind: bytes, sale_number: int, name: str) -> bytes:
    digest = hashlib.blake2b(b"%b%d:%b" % (kind, sale_number, name.encode()), digest_size=8).digest()
    return digest if digest != _NOBODY else b"\x01" * 8


def visitor_of(
    sale_number: int,
    visitor_id: str,
    secret_hash: str,
    *,
    customer_id: str | None = None,
    one_per_customer: bool = False,
) -> TicketHolder | None:
    """Return who joins, or None if `secret_hash` is not 64 hexadecimal digits.

    With `one_per_customer` the customer has the place, from whatever visitor id it joins; without a customer: None.
    """
    if not _SECRET_HASH.fullmatch(secret_hash) or (one_per_customer and customer_id is None):
        return None
    customer = None if customer_id is None else customer_digest(sale_number, customer_id)
    digest = customer if one_per_customer and customer else visitor_digest(sale_number, visitor_id)
    return TicketHolder(digest, bytes.fromhex(secret_hash), customer)


def possesses(ticket: Ticket, secret: str) -> bool:
    """Say whether the secret is the ticket's, in constant time."""
    return hmac.compare_digest(hashlib.sha256(secret.encode()).digest(), ticket.visitor.secret_hash)


class TicketSigner:
    """Signs and reads tickets."""

    def __init__(self, ring: KeyRing) -> None:
        self._signer = Signer(ring, "t1", _SIGNATURE_BYTES)

    def issue(self, ticket: Ticket) -> str:
        """Return the signed ticket; the same ticket gives the same string while the signing key stands."""
        visitor = ticket.visitor
        fields = (ticket.sale_number, ticket.number, visitor.digest, visitor.secret_hash, visitor.customer or _NOBODY)
        return self._signer.seal(_LAYOUT.pack(*fields))

    def read(self, token: str, *, sale_number: int) -> Ticket | None:
        """Return the ticket, or None if it is forged, altered or another sale's."""
        payload = self._signer.open(token)
        if payload is None or len(payload) != _LAYOUT.size:
            return None
        sale, number, digest, secret_hash, customer = _LAYOUT.unpack(payload)
        if sale != sale_number:
            return None
        return Ticket(sale, number, TicketHolder(digest, secret_hash, None if customer == _NOBODY else customer))
