"""Derived identifiers: order ids, fingerprints and partitions. Pure; never does I/O, never draws randomness."""

from __future__ import annotations

import hashlib
from uuid import UUID

MAX_PARTITIONS = 64

_HASH_MASK = 0x0FFF3FFFFFFFFFFFFFFFFFFF
"""The 96 bits behind the route, less those of version and variant."""
_VERSION_8 = 0x80008000000000000000


def partition_of(customer_id: str, partitions: int) -> int:
    """Return the partition (0-based) that all of a customer's orders in a sale go to."""
    if partitions == 1:
        return 0
    digest = hashlib.blake2b(customer_id.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % partitions


class OrderIds:
    """Derives order ids: a keyed hash of (sale, customer, idempotency key) in UUIDv8 form.

    The first 32 bits say where the order lives (24 bits sale number, 8 bits partition), so that one look-up finds it
    before the drain has seen it; 90 bits of keyed BLAKE2b keep anyone from guessing another's (RFC 9562 section 5.8).
    """

    def __init__(self, key: bytes) -> None:
        self._keyed = hashlib.blake2b(digest_size=12, key=key[:64])

    def derive(self, sale_number: int, partition: int, *, customer_id: str, key: str) -> bytes:
        """Return an order id's 16 bytes; the same arguments give the same id for as long as the secret key stands.

        Bytes, for on the path of every order a UUID object is a cost of its own; `key` is the idempotency key.
        """
        customer = customer_id.encode()
        keyed = self._keyed.copy()
        keyed.update(b"%d\x00%d\x00%b%b" % (sale_number, len(customer), customer, key.encode()))
        hashed = int.from_bytes(keyed.digest(), "big") & _HASH_MASK | _VERSION_8
        return ((sale_number << 8 | partition) << 96 | hashed).to_bytes(16, "big")


def route_of(order_id: UUID) -> tuple[int, int]:
    """Return (sale number, partition) that an order id names."""
    number = order_id.int
    return number >> 104, (number >> 96) & 0xFF


def fingerprint(body: bytes) -> bytes:
    """Return 16 bytes that tell one canonical body from another."""
    return hashlib.blake2b(body, digest_size=16).digest()
