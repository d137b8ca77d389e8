"""What an order would meet at a sale: its phase, but for the time outside its window. Pure; the gate decides.

Of the sale alone: what a waiting room does meanwhile is `waitingroom.room.Phase`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.sales import LiveSale, Sale
    from doorbuster.contract.fields import EffectivePhase


CLOCKS_APART = timedelta(seconds=2)
"""How far the stores' clocks are apart at most, and how old a copy is."""


def effective_phase(sale: Sale | LiveSale, *, later_s: float = 0.0) -> EffectivePhase:
    """Return what an order would meet: the phase by the plan, but for the time outside the window.

    The moment is that of the sale's reading, or so much later.
    """
    now = sale.read_at + timedelta(seconds=later_s)
    phase = sale.phase_at(now)
    if phase != "open":
        return phase
    if sale.starts_at > now:
        return "scheduled"
    return "ended" if sale.ends_at is not None and sale.ends_at <= now else "open"


def shut_phase(sale: Sale) -> EffectivePhase:
    """Return which phase shuts a sale of which the order store says that it takes no more orders.

    Its clock may be a little ahead of the one that the sale was read by.
    """
    return "drain" if "drain" in (sale.phase, sale.phase_at(sale.read_at + CLOCKS_APART)) else "closed"
