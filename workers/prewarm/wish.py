"""How far it is to be scaled out, by the wishes of all sales. Owns that rule; pure.

A sale has its wish from its lead on until it is over and worked off. What holds is the largest of all wishes, role by
role: so nothing is scaled back below what another sale wants.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from db.sales import LiveSale
    from doorbuster.values.prewarm import Scale

ROLES = ("intake", "workers")


class Wish(NamedTuple):
    """What is wanted, and by whom."""

    counts: dict[str, int]
    """Empty: nobody wants anything."""
    sales: tuple[int, ...]


def wish_of(sales: Iterable[LiveSale], settled: Collection[int] = (), *, at: datetime | None = None) -> Wish:
    """Return what is wanted when the sales were read, or `at` a moment; who is over has a wish until it is settled."""
    wishing = [sale for sale in sales if _wishes(sale, at or sale.read_at, settled)]
    counts: dict[str, int] = {}
    for sale in wishing:
        for role, count in counts_of(sale.prewarm.scale).items():
            counts[role] = max(counts.get(role, 0), count)
    return Wish(counts, tuple(sorted(sale.sale_number for sale in wishing)))


def counts_of(scale: Scale | None) -> dict[str, int]:
    """Return a wish by role, without those that it leaves out."""
    wanted = {} if scale is None else {"intake": scale.intake, "workers": scale.workers}
    return {role: count for role, count in wanted.items() if count is not None}


def lead_begins(sale: LiveSale) -> datetime:
    """Return from when a sale has its wish."""
    return sale.starts_at - timedelta(seconds=sale.prewarm.lead_s)


def is_over(sale: LiveSale, moment: datetime) -> bool:
    """Say whether a sale takes no more orders, for good."""
    return sale.phase_at(moment) == "closed" or (sale.ends_at is not None and sale.ends_at <= moment)


def _wishes(sale: LiveSale, moment: datetime, settled: Collection[int]) -> bool:
    if not counts_of(sale.prewarm.scale) or lead_begins(sale) > moment:
        return False
    if not is_over(sale, moment):
        return True
    # A sale that was closed ahead of its start never had anything to work off.
    return sale.starts_at <= moment and sale.sale_number not in settled
