"""Whether a sale itself can begin: its phase, window, products and the clocks around it. Owns these checks; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doorbuster.errors import InvalidError
from readiness.phase import effective_phase
from waitingroom.sale_config import room_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.sales import Sale
    from db.status import DoubtfulProduct

Check = dict[str, Any]
"""`ok`, figures, and `reason` where it is not."""

CLOCK_MAX_S = 1.0
"""More than this between the clocks moves the start for some: the order store's clock opens the sale."""
SHOWN_MAX = 20
"""Products named in a check."""
_NO_MORE = {"closed": "the sale is closed", "drain": "the sale is draining", "ended": "the sale has ended"}


def failed(reason: str, **figures: Any) -> Check:
    """Return a check that fails."""
    return {"ok": False, "reason": reason} | figures


def sale_check(sale: Sale) -> Check:
    """Return the check of a sale's phase."""
    phase = effective_phase(sale)
    said: Check = {"ok": phase not in _NO_MORE, "phase": phase}
    return said | ({"reason": _NO_MORE[phase]} if phase in _NO_MORE else {})


def product_checks(doubtful: Sequence[DoubtfulProduct]) -> dict[str, Check]:
    """Return the checks of a sale's products: switched on, in stock, allotted no more than there is."""
    off = [product.product_id for product in doubtful if not product.active]
    empty = [product.product_id for product in doubtful if product.stock == 0]
    over = [
        f"{product.product_id} ({product.allotted} of {product.stock})"
        for product in doubtful
        if product.stock and product.allotted is not None and product.allotted > product.stock
    ]
    return {
        "products": _named(off, "switched off: "),
        "stock": _named(empty, "no units in stock: "),
        "allotment": _named(over, "allotted more than is in stock: "),
    }


def window_check(sale: Sale) -> Check:
    """Return the check of a sale's window and of its lobby's opening."""
    starts_in = (sale.starts_at - sale.read_at).total_seconds()
    check: Check = {"ok": True, "starts_at": sale.starts_at, "ends_at": sale.ends_at, "starts_in_s": round(starts_in)}
    if sale.ends_at is not None:
        check["ends_in_s"] = round((sale.ends_at - sale.read_at).total_seconds())
    if effective_phase(sale) == "ended":
        return check | {"ok": False, "reason": "the window has ended"}
    try:
        lobby_ms = room_config(sale).lobby_opens_ms
    except (InvalidError, ValueError):  # told by the check of the room
        return check
    if lobby_ms and lobby_ms >= sale.starts_at.timestamp() * 1000:
        return check | {"ok": False, "reason": "the lobby opens after the start"}
    return check


def clock_check(ahead_s: dict[str, float]) -> Check:
    """Return the check of the stores' clocks against this process's."""
    off = [f"{name} by {seconds:+.1f} s" for name, seconds in ahead_s.items() if abs(seconds) > CLOCK_MAX_S]
    check: Check = {"ok": not off, "ahead_s": ahead_s}
    return check | ({"reason": f"clocks differ: {', '.join(off)}"} if off else {})


def _named(products: list[str], reason: str) -> Check:
    if not products:
        return {"ok": True}
    more = f" and {len(products) - SHOWN_MAX} more" if len(products) > SHOWN_MAX else ""
    return {"ok": False, "reason": f"{reason}{', '.join(products[:SHOWN_MAX])}{more}", "count": len(products)}
