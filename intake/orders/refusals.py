"""What a verdict that refuses an order means to its sender. Owns code, words and facts of each; decides no verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doorbuster.orderstore.ids import partition_of
from intake.accepting import verdicts
from intake.sales.phase import shut_phase
from intake.web.problems import RefusedError
from intake.web.urls import page_of

if TYPE_CHECKING:
    from doorbuster.contract.fields import EffectivePhase
    from doorbuster.contract.orders import OrderRequest
    from intake.sales.cache import CachedSale

_REFUSALS = {
    verdicts.CONFLICT: ("idempotency_conflict", "This Idempotency-Key was used with another body; use a new key"),
    verdicts.SOLD_OUT: ("sold_out", "A product of the order is sold out"),
    verdicts.BACKLOG: ("overloaded", "Too many orders wait to be worked off; the key is safe to send again"),
    verdicts.NO_GATE: ("store_unavailable", "The sale is not ready in the order store; the key is safe to send again"),
    verdicts.EARLY: ("sale_not_open", "The sale has not begun"),
    verdicts.LATE: ("sale_not_open", "The sale has ended"),
    verdicts.HOLD: ("sale_not_open", "The sale is on hold"),
    verdicts.CLOSED: ("sale_not_open", "The sale is closed"),
    verdicts.SPENT: ("admission_spent", "As many orders as the admission allows were placed with it"),
    verdicts.REVOKED: ("admission_invalid", "The admission was revoked; join the room again"),
    verdicts.EXPIRED: ("admission_expired", "The admission has run out; join the room again"),
    verdicts.UNKNOWN: (
        "store_unavailable",
        "It is not known whether the order was taken; the same Idempotency-Key is safe to send again",
    ),
}

_PHASES: dict[bytes, EffectivePhase] = {verdicts.EARLY: "scheduled", verdicts.LATE: "ended", verdicts.HOLD: "hold"}


def refusal_of(known: CachedSale, verdict: bytes, order: OrderRequest, *, room: bool = False) -> RefusedError:
    """Return the refusal that the first byte of a verdict stands for; `room`: the sale's room is the way on."""
    members = {"room": page_of(known.sale.sale_id)} if room else {}
    return RefusedError(*_REFUSALS[verdict], members=members | _facts(known, verdict, order))


def _facts(known: CachedSale, verdict: bytes, order: OrderRequest) -> dict[str, Any]:
    """Return what a refusal is about, as members of its problem."""
    sale = known.sale
    if verdict in _PHASES or verdict == verdicts.CLOSED:
        facts: dict[str, Any] = {"phase": _PHASES.get(verdict) or shut_phase(sale), "starts_at": sale.starts_at}
        facts |= {} if sale.ends_at is None else {"ends_at": sale.ends_at}
        resumes_at = sale.resumes_at if verdict == verdicts.HOLD else None
        return facts if resumes_at is None else facts | {"resumes_at": resumes_at}
    if verdict == verdicts.SOLD_OUT:
        gone = known.lanes[partition_of(order.customer_id, len(known.lanes))].sold_out
        for number, line in enumerate(order.lines, 1):
            if line.product_id in gone:
                return {"line": number, "product_id": line.product_id, "left": 0}
    return {}
