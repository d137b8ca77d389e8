"""What an order spends where a room stands before the sale: the credit of an admission. Owns how the script reads it.

Checks nothing and asks nothing: whether an admission is good is decided before it, whether it is used up after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from doorbuster.orderstore.accept import SpendArgs, pack_spend
from doorbuster.orderstore.spent import count_ttl_ms

if TYPE_CHECKING:
    from waitingroom.admissions import Admission


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
