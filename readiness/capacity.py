"""Whether what is expected of a sale can be kept up with: drain, memory, payments, disk. Owns these checks; pure.

What nobody has measured is null, with the reason, and stands in nobody's way: only what is known to be too little does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from readiness.sale_checks import failed

if TYPE_CHECKING:
    from readiness.expectation import Expected
    from readiness.sale_checks import Check

MIB = 2**20
ENTRY_BYTES = 700
"""An accepted order in the order store until it is drained: its entry and what the stream takes for it."""
RECORD_BYTES = 250
"""What stays of it there for as long as its key may be sent again."""
DISK_BYTES = 8_192
"""An order on a disk: its rows with their indexes, the write-ahead log, the order store's file."""
DISK_LEAST = 512 * MIB
FULL_AT = 0.9
"""Of its memory: past it the order store takes no new orders."""


class DrainPace(msgspec.Struct, frozen=True, kw_only=True):
    """How many orders a second the drain can do."""

    per_s: float | None
    source: str
    """`rehearsal`, `past drains`, or why it is not known."""


class PaymentState(msgspec.Struct, frozen=True, kw_only=True):
    """How payments go."""

    per_s: float | None
    """That the provider took of late; None: not known, or it answers at once."""
    paused: str | None
    """Why it is left alone now."""


class StoreRoom(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of the order store, and what bounds its backlog."""

    used: int
    most: int | None
    """None: nothing bounds it."""
    backlog_max: int
    """Orders that may wait, in all partitions."""


def drain_check(expected: Expected, pace: DrainPace) -> Check:
    """Return the check of expected orders against the drain."""
    figures: dict[str, Any] = expected.figures() | {"drain_per_s": _rounded(pace.per_s), "drain_from": pace.source}
    if pace.per_s is None:
        return {"ok": True} | figures
    if expected.orders is not None:
        figures["drained_in_s"] = round(expected.orders / max(pace.per_s, 1e-9))
    if expected.per_s is not None and expected.per_s > pace.per_s:
        reason = f"the room lets in {expected.per_s:g} a second, the drain does {pace.per_s:.0f} ({pace.source})"
        return failed(reason, **figures)
    return {"ok": True} | figures


def memory_check(expected: Expected, store: StoreRoom) -> Check:
    """Return the check of the expected backlog in bytes against the order store's memory."""
    backlog = store.backlog_max if expected.backlog is None else min(expected.backlog, store.backlog_max)
    kept = backlog if expected.orders is None else expected.orders
    needed = backlog * ENTRY_BYTES + kept * RECORD_BYTES
    figures: dict[str, Any] = {
        "expected_backlog": backlog, "needed_mb": _mb(needed), "used_mb": _mb(store.used),
        "most_mb": None if store.most is None else _mb(store.most),
    }  # fmt: skip
    if store.most is None:
        return {"ok": True, "notes": ["nothing bounds the memory of the order store"]} | figures
    free = max(round(store.most * FULL_AT) - store.used, 0)
    if needed > free:
        reason = f"{_mb(needed)} MiB are expected in the order store, which takes {_mb(free)} MiB more"
        return failed(reason, **figures)
    return {"ok": True} | figures


def payments_check(expected: Expected, state: PaymentState, *, mode: str, hold_s: int) -> Check:
    """Return the check of the payment provider: whether it answers, and whether holds outlast its pace."""
    figures: dict[str, Any] = {"mode": mode, "per_s": _rounded(state.per_s)}
    if mode == "none":
        return {"ok": True} | figures
    if state.paused is not None:
        return failed(f"the payment provider is left alone: {state.paused}", **figures)
    if state.per_s is None or expected.orders is None:
        return {"ok": True} | figures
    arriving_s = expected.orders / expected.per_s if expected.per_s else 0.0
    late_s = expected.orders / max(state.per_s, 1e-9) - arriving_s
    if late_s > hold_s:
        reason = f"the last payments would wait {late_s:.0f} s, and a hold ends after {hold_s} s"
        return failed(reason, **figures)
    return {"ok": True, "waits_s": max(round(late_s), 0)} | figures


def disk_check(expected: Expected, free: int | None, *, store_problem: str | None) -> Check:
    """Return the check of free space, where it can be asked, and of what the order store says of its own disk."""
    figures: dict[str, Any] = {"free_mb": None if free is None else _mb(free)}
    if store_problem is not None:
        return failed(f"the order store cannot write: {store_problem}", **figures)
    if free is None:
        return {"ok": True, "notes": ["free space on other machines cannot be asked from here"]} | figures
    needed = DISK_LEAST + (expected.orders or 0) * DISK_BYTES
    figures["needed_mb"] = _mb(needed)
    if free < needed:
        return failed(f"{_mb(free)} MiB are free on the data folder's disk, {_mb(needed)} are needed", **figures)
    return {"ok": True} | figures


def _mb(size: float) -> int:
    return round(size / MIB)


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 1)
