"""Whether enough processes are there, scaled as wanted, with the same clock and keys, and what is to be noted besides.

Owns these checks; pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from readiness.sale_checks import failed
from waitingroom.key_rotation import made_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from db.prewarm.scaling import Scaling
    from doorbuster.values.prewarm import Scale
    from readiness.audited import LastAudit
    from readiness.sale_checks import Check

NOTED_MAX = 20


class IntakeSign(msgspec.Struct, frozen=True, kw_only=True):
    """What an intake process says of itself."""

    name: str
    began_s: float
    seen_s: float
    ahead_s: float | None
    """Its clock before the order store's."""
    keys: tuple[str, ...]
    """Ids of its room keys, the one that signs first."""


def processes_check(alive: dict[str, int], wanted: Scale | None) -> Check:
    """Return the check of processes that live: one of each role at least, and as many as the sale wants."""
    least = {
        "intake": 1 if wanted is None or wanted.intake is None else wanted.intake,
        "workers": 1 if wanted is None or wanted.workers is None else wanted.workers,
        "schedulers": 1,
    }
    short = [f"{alive.get(role, 0)} of {many} {role}" for role, many in least.items() if alive.get(role, 0) < many]
    figures: dict[str, Any] = {role: alive.get(role, 0) for role in least} | {"wanted": least}
    return failed(f"too few processes: {', '.join(short)}", **figures) if short else {"ok": True} | figures


def scaling_check(wanted: Scale | None, state: Scaling) -> Check:
    """Return the check of scaling out."""
    figures: dict[str, Any] = {"adapter": state.adapter, "wanted": state.wanted}
    if state.failures:
        return failed(f"{state.adapter}: {state.error} (tried {state.failures} times)", **figures)
    if wanted is not None and state.adapter == "none":
        figures["notes"] = ["SCALING is none: nothing is started by itself"]
    return {"ok": True} | figures


def keys_check(signs: Sequence[IntakeSign]) -> Check:
    """Return the check of the room's keys: all intake processes sign with the same, and no rotation is half done."""
    if not signs:
        return failed("no intake process says which keys it has")
    signing = sorted({sign.keys[0] if sign.keys else "" for sign in signs})
    figures: dict[str, Any] = {"signing": signing, "known": sorted({key for sign in signs for key in sign.keys})}
    if len(signing) > 1:
        return failed(f"intake processes sign with different keys: {', '.join(signing)}", **figures)
    if len({frozenset(sign.keys) for sign in signs}) > 1:
        return failed("intake processes know different keys: a rotation is not done", **figures)
    newest = max(signs[0].keys, key=lambda key: made_s(key) or 0.0, default="")
    if (made_s(newest) or 0.0) > (made_s(signing[0]) or 0.0):
        return failed(f"key {newest} does not sign yet: a rotation is half done", **figures)
    return {"ok": True} | figures


def webhooks_check(paused: Sequence[tuple[int, str]]) -> Check:
    """Return the check of webhooks: none is paused or disabled."""
    if not paused:
        return {"ok": True}
    named = ", ".join(f"{number} is {state}" for number, state in paused[:NOTED_MAX])
    return failed(f"webhooks that get nothing: {named}", count=len(paused))


def audit_check(last: LastAudit | None) -> Check:
    """Return the check of the last audit, however it was made: it found no breach."""
    if last is None:
        return {"ok": True, "notes": ["no audit was made yet"]}
    ago_s = round(last.age_s)
    figures: dict[str, Any] = {"last_in_s": -ago_s, "breaches": sum(last.breaches.values())}
    broken = [f"{promise} {count} times" for promise, count in sorted(last.breaches.items()) if count]
    if broken:
        return failed(f"the last audit, {ago_s:,} s ago, found broken: {', '.join(broken)}", **figures)
    return {"ok": True} | figures


def worst_ahead_s(signs: Sequence[IntakeSign], orders_ahead_s: float | None) -> float | None:
    """Return how far the worst intake clock is ahead of the one that looks, given the order store's; None: unknown."""
    known = [sign.ahead_s for sign in signs if sign.ahead_s is not None]
    if not known or orders_ahead_s is None:
        return None
    return round(max(known, key=abs) + orders_ahead_s, 3)
