"""Where a sale stands for a shopper now: one word that every page's headline goes by. Pure; the gate decides of orders.

A sale has a phase, a window and perhaps a room, and each of them may say something else. What a page tells people is
decided here once, so that no page offers what another one denies.
"""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING

from doorbuster.orderstore.gate import gate_of, phase_at, unix_ms
from waitingroom.sale_config import lobby_opens_at

if TYPE_CHECKING:
    from intake.room.cache import CachedRoom
    from intake.sales.cache import CachedSale


class Standing(StrEnum):
    """What a shopper meets."""

    UPCOMING = "upcoming"
    """Before the start, and nobody registers yet."""
    LOBBY = "lobby"
    """Before the start: shoppers register, and are drawn at the start."""
    QUEUE = "queue"
    """On sale to those whom the room let in."""
    OPEN = "open"
    """On sale to everybody."""
    PAUSED = "paused"
    SOLD_OUT = "sold_out"
    CLOSING = "closing"
    """Takes no orders any more; those accepted are worked off."""
    OVER = "over"
    DOWN = "down"
    """The room's store does not answer."""


BUYABLE = frozenset({Standing.OPEN, Standing.QUEUE, Standing.DOWN})
"""When who is let in may buy: an admission is good also while the room's store is away."""
ENDED = frozenset({Standing.CLOSING, Standing.OVER, Standing.SOLD_OUT})
BEFORE = frozenset({Standing.UPCOMING, Standing.LOBBY})


def standing_of(known: CachedSale, room: CachedRoom | None) -> Standing:
    """Return where the sale stands; `room` is None for one without a room."""
    sale, gate = known.sale, gate_of(known.sale, 0)
    now_ms = (time.time() if room is None else room.now_s) * 1000
    phase = phase_at(gate, now_ms)
    if phase == "closed" or 0 < gate.closes_ms <= now_ms:
        return Standing.OVER
    if phase == "drain":
        return Standing.CLOSING
    if now_ms < gate.opens_ms:
        lobby_ms = unix_ms(lobby_opens_at(sale))
        return Standing.LOBBY if room is not None and 0 < lobby_ms <= now_ms else Standing.UPCOMING
    if is_sold_out(known, room):
        return Standing.SOLD_OUT
    if phase == "hold":
        return Standing.PAUSED
    if room is None or (not room.needs_admission and not room.is_down):
        return Standing.OPEN
    return Standing.DOWN if room.is_down or room.state is None else Standing.QUEUE


def is_sold_out(known: CachedSale, room: CachedRoom | None) -> bool:
    """Say whether nothing of the sale is left."""
    if room is not None and room.state is not None and room.state.sold_out:
        return True
    products = known.sale.products.keys()
    return bool(products) and all(products <= lane.sold_out for lane in known.lanes)
