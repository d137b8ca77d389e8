"""From what was seen of a sale to what ops are shown. Owns that mapping; pure: asks nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from doorbuster.contract.night.live import LiveAlert, LivePayments, LiveProduct, LiveView, NoGo
from intake.ops.live.room_reason import room_of
from intake.ops.live.samples import Sample, between, per_s
from intake.sales.phase import effective_phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.live import SaleBooks
    from intake.monitoring.alerts.evaluator import FiringAlert
    from intake.ops.live.looks import LiveLook


def sample_of(seen: LiveLook, before: Sample | None) -> Sample:
    """Return what is counted by now, and how fast it went since the sample before."""
    at_ms = int(seen.at_s * 1000)
    books, stream, state = seen.books, seen.stream, seen.room.state if seen.room else None
    room = room_of(seen.cached.sale, state)
    elapsed_ms = between(before.at_ms if before else None, at_ms)
    admitted_per_s = _admitted(before, state.counts.admitted if state else None, state.now_ms if state else None)
    return Sample(
        at_ms=at_ms,
        accepted=stream.accepted if stream else None,
        admitted=state.counts.admitted if state else None,
        room_ms=state.now_ms if state else None,
        below=books.below if books else None,
        waiting=state.waiting if state else None,
        backlog=stream.backlog if stream else None,
        backlog_s=stream.backlog_s if stream else None,
        rate_per_s=room.rate_per_s,
        admitted_per_s=admitted_per_s,
        accepted_per_s=per_s(before.accepted if before else None, stream.accepted if stream else None, elapsed_ms),
        confirmed_per_s=per_s(0, books.confirmed if books else None, elapsed_ms),
    )


def _admitted(before: Sample | None, admitted: int | None, room_ms: int | None) -> float | None:
    """Return how fast the room let in, by its store's own clock: its state may be the one of the look before."""
    if before is None:
        return None
    if room_ms is not None and room_ms == before.room_ms:
        return before.admitted_per_s
    return per_s(before.admitted, admitted, between(before.room_ms, room_ms))


def view_of(seen: LiveLook, sample: Sample, firing: Sequence[FiringAlert] = ()) -> LiveView:
    """Return how the sale goes, and which alerts fire, of whatever sale."""
    sale, books, state = seen.cached.sale, seen.books, seen.room.state if seen.room else None
    products = None if books is None else _products(books)
    verdict = None if books is None else books.verdict
    return LiveView(
        sale_id=sale.sale_id,
        name=sale.name,
        at=datetime.fromtimestamp(seen.at_s, UTC),
        phase=effective_phase(sale, later_s=seen.monotonic_s - seen.cached.taken_at),
        starts_at=sale.starts_at,
        ends_at=sale.ends_at,
        waiting=sample.waiting,
        called=state.pending if state else None,
        active=state.active if state else None,
        admitted_per_s=sample.admitted_per_s,
        accepted_per_s=sample.accepted_per_s,
        confirmed_per_s=sample.confirmed_per_s,
        backlog=sample.backlog,
        backlog_s=sample.backlog_s,
        stock=None if products is None else {one.product_id: one.left or 0 for one in products},
        products=products,
        products_left_out=0 if products is None else max(len(sale.products) - len(products), 0),
        refusals=seen.refusals,
        payments_failing=None if books is None else _payments(books).failing,
        payments=None if books is None else _payments(books),
        room=room_of(sale, state),
        go=None if verdict is None else verdict.go,
        go_at=None if verdict is None else verdict.at,
        no_go=[] if verdict is None else [NoGo(**one) for one in verdict.no_go],
        alerts=[_alert(one) for one in firing],
        troubles=seen.troubles,
    )


def _alert(firing: FiringAlert) -> LiveAlert:
    return LiveAlert(
        name=firing.name,
        since=datetime.fromtimestamp(firing.since, UTC),
        severity=firing.severity,
        summary=firing.summary,
        runbook=firing.runbook,
    )


def _products(books: SaleBooks) -> list[LiveProduct]:
    return [
        LiveProduct(
            product_id=one.product_id,
            name=one.name,
            received=one.received,
            left=one.units,
            reserved=one.reserved,
            sold=one.sold,
        )
        for one in books.products
    ]


def _payments(books: SaleBooks) -> LivePayments:
    counts = books.payments
    return LivePayments(due=counts.due, failing=counts.failing + books.failed_operations, paused=books.paused)
