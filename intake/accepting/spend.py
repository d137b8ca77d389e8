"""What an order spends where a room stands before the sale: the credit of an admission. Owns how the script reads it.

Checks nothing and asks nothing: whether an admission is good is decided before it, whether it is used up after it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from waitingroom.admissions import Admission

HOUR_MS = 3_600_000
"""What the audit looks back on: counts outlive it (doorbuster/cli/audit/admissions.py)."""
_TERMS = struct.Struct(">IHQQ")


class SpendArgs(NamedTuple):
    """The admission that an order spends, where there is a room."""

    key: str
    """Where the orders placed with it are counted, in the order's slot."""
    terms: bytes
    """What `pack_spend` says of it."""


class AdmissionCredit(NamedTuple):
    """A right to order that is used up: what of a room's admission the accept script must know."""

    admission: Admission
    life_ms: int
    """From now to the admission's end; 0: it has run out, and the order may only be a retry."""

    def spend(self, prefix: str) -> SpendArgs:
        """Return what the order spends."""
        one = self.admission
        ends_ms = one.expires_s * 1000 if self.life_ms else 0
        terms = pack_spend(
            epoch=one.epoch, allowed=one.orders_allowed, ttl_ms=count_ttl_ms(self.life_ms), ends_ms=ends_ms
        )
        return SpendArgs(prefix + one.spend_id, terms)


def count_ttl_ms(life_ms: int) -> int:
    """Return how long it is kept how many orders an admission bought: for as long again as it lives, and an hour."""
    return 2 * life_ms + HOUR_MS


def pack_spend(*, epoch: int, allowed: int, ttl_ms: int, ends_ms: int) -> bytes:
    """Return an admission as the accept script reads it.

    `ttl_ms`: how long its count lives, longer than itself; `ends_ms`: when it ends, by the order store's clock, 0 if it
    has run out.
    """
    return _TERMS.pack(epoch, allowed, ttl_ms, ends_ms)
