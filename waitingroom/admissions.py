"""Admissions: signed leave to order. Owns their form and the local check; never does I/O, never spends one.

The check costs no call to a store: signature, sale, epoch, life and customer. What it finds is a value, not an
exception. Spending is the accept script's, atomically with the order, under `Admission.spend_id`.
"""

from __future__ import annotations

import hmac
import struct
from enum import StrEnum
from typing import Final

import msgspec

from waitingroom.keyring import KeyRing, Signer
from waitingroom.tickets import customer_digest

_LAYOUT = struct.Struct(">IIQ8s8sIIHB")
_NOBODY = bytes(8)
_SIGNATURE_BYTES: Final = 32
_EMERGENCY: Final = 1


class AdmissionRefusal(StrEnum):
    """Why an admission is not taken."""

    FORGED = "forged"
    """Not signed by a key of the ring, altered, or no admission at all."""
    FOREIGN = "foreign"
    """Another sale's."""
    EXPIRED = "expired"
    REVOKED = "revoked"
    """Of an epoch before the room's."""
    OTHER_CUSTOMER = "other_customer"
    """Bound to a customer that is not the order's."""


class Admission(msgspec.Struct, frozen=True, gc=False):
    """Leave to order in a sale, for a while."""

    sale_number: int
    epoch: int
    number: int
    """The ticket's number; 0 of an emergency admission, so that a visitor has one order however often it claims."""
    visitor: bytes
    customer: bytes | None
    """8 bytes: digest of the only customer that may order with it; None: any."""
    issued_s: int
    """Unix seconds of the room store's clock."""
    expires_s: int
    """First second at which it is no longer valid; also the bucket its slot is counted in."""
    orders_allowed: int
    emergency: bool = False
    """Issued without the room's store while that was down; holds no slot."""

    @property
    def spend_id(self) -> str:
        """What orders are counted under; unique even if the store lost its last second and gave a number again."""
        return spend_id_of(self.epoch, self.number, self.visitor)


def spend_id_of(epoch: int, number: int, visitor: bytes) -> str:
    """Return what the orders of a visitor's admission are counted under."""
    return f"{epoch}.{number}.{visitor.hex()}"


class AdmissionSigner:
    """Signs and checks admissions."""

    def __init__(self, ring: KeyRing) -> None:
        self._signer = Signer(ring, "a1", _SIGNATURE_BYTES)

    def sign(self, admission: Admission) -> str:
        """Return the token; the same admission gives the same token while the signing key stands."""
        payload = _LAYOUT.pack(
            admission.sale_number,
            admission.epoch,
            admission.number,
            admission.visitor,
            admission.customer or _NOBODY,
            admission.issued_s,
            admission.expires_s,
            admission.orders_allowed,
            _EMERGENCY if admission.emergency else 0,
        )
        return self._signer.seal(payload)

    def check(
        self, token: str, *, sale_number: int, epoch: int, now_s: float, customer_id: str | None = None
    ) -> Admission | AdmissionRefusal:
        """Return the admission if it is good for this sale, epoch, moment and customer, else why not.

        `epoch` is the room's at least: a later one in the token is news from the room that this process has not heard.
        """
        admission = self._read(token)
        if admission is None:
            return AdmissionRefusal.FORGED
        if admission.sale_number != sale_number:
            return AdmissionRefusal.FOREIGN
        if admission.epoch < epoch:
            return AdmissionRefusal.REVOKED
        if now_s >= admission.expires_s:
            return AdmissionRefusal.EXPIRED
        if admission.customer is not None and not self._is_customer(admission, customer_id):
            return AdmissionRefusal.OTHER_CUSTOMER
        return admission

    def emergency(
        self, *, sale_number: int, epoch: int, visitor: bytes, customer: bytes | None, now_s: int, life_s: int
    ) -> Admission:
        """Return an admission for one order, made without the store, by rooms that fail open."""
        return Admission(
            sale_number=sale_number,
            epoch=epoch,
            number=0,
            visitor=visitor,
            customer=customer,
            issued_s=now_s,
            expires_s=now_s + life_s,
            orders_allowed=1,
            emergency=True,
        )

    def _read(self, token: str) -> Admission | None:
        payload = self._signer.open(token)
        if payload is None or len(payload) != _LAYOUT.size:
            return None
        sale, epoch, number, visitor, customer, issued, expires, allowed, flags = _LAYOUT.unpack(payload)
        bound = None if customer == _NOBODY else customer
        return Admission(sale, epoch, number, visitor, bound, issued, expires, allowed, flags == _EMERGENCY)

    @staticmethod
    def _is_customer(admission: Admission, customer_id: str | None) -> bool:
        if customer_id is None or admission.customer is None:
            return False
        return hmac.compare_digest(customer_digest(admission.sale_number, customer_id), admission.customer)
