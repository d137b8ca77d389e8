"""Derived identifiers: order ids, fingerprints and partitions. Pure; never does I/O, never draws randomness."""

from __future__ import annotations

import hashlib
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T", bound=msgspec.Struct)

MAX_PARTITIONS = 64

Partition = tuple[int, int]
"""A partition of a sale: the sale's number and its own."""

_HASH_MASK = 0x0FFF3FFFFFFFFFFFFFFFFFFF
"""The 96 bits behind the route, less those of version and variant."""
_VERSION_8 = 0x80008000000000000000
_canonical = msgspec.msgpack.Encoder(order="sorted").encode


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


def fingerprint_of(
    body: type[T], *, first: tuple[str, ...], excluded: frozenset[str] = frozenset()
) -> Callable[[T], bytes]:
    """Return what makes 16 bytes of a body of this type that tell it from any other.

    Every field is part of them, but those excluded. Those that the type had at `first` stand in that order; a later one
    stands behind them with its name, and only where it is not its default: so that the fingerprint of an order that
    lies in the store stays what it was when the type grows.

    Raises:
        ValueError: there is no such field.
    """
    fields = {field.name: field for field in msgspec.structs.fields(body)}
    if unknown := {*first, *excluded} - fields.keys():
        raise ValueError(f"{body.__name__} has no field {', '.join(sorted(unknown))}")
    later = [(name, _default(field)) for name, field in fields.items() if name not in {*first, *excluded}]
    basis, blake2b = attrgetter(*first), hashlib.blake2b

    def of(order: T) -> bytes:
        values = basis(order)
        for name, default in later:
            if (value := getattr(order, name)) != default:
                values += (name, value)
        return blake2b(_canonical(values), digest_size=16).digest()

    return of


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
