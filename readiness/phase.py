"""What an order would meet at a sale: its phase, but for the time outside its window. Pure; the gate decides.

Of the sale alone: what a waiting room does meanwhile is `waitingroom.room.Phase`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.sales import LiveSale, Sale
    from doorbuster.contract.fields import EffectivePhase


def effective_phase(sale: Sale | LiveSale, *, later_s: float = 0.0) -> EffectivePhase:
    """Return what an order would meet: the stored phase, but for the time outside the window.

    The moment is that of the sale's reading, or so much later.
    """
    if sale.phase != "open":
        return sale.phase
    now = sale.read_at + timedelta(seconds=later_s)
    if sale.starts_at > now:
        return "scheduled"
    return "ended" if sale.ends_at is not None and sale.ends_at <= now else "open"
