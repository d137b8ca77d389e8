"""Which step of a sale's pre-warm is due. Owns that rule; pure: a sale's plan, what is done and a moment in, steps out.

Every check warms up too, for caches forget. Of several checks that are due, for somebody came late, the last one is
made and the others are passed over. Shortly before the start caches are filled once more. Once the sale has begun there
is nothing ahead of it any more.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from doorbuster.values.prewarm import Prewarm

SETTLE_S = 300
"""How long a check waits for processes that are being started, at most; never beyond half of the time to the start."""
REFILL_S = 20
"""Before the start: caches keep what nobody reads for a minute."""


class PrewarmStep(NamedTuple):
    """One step; its name makes it one among the sale's with this start."""

    name: str
    kind: Literal["check", "refill"]
    at: datetime


class DueSteps(NamedTuple):
    """What is to be done now, in order, and what is not to be done any more."""

    steps: tuple[PrewarmStep, ...]
    passed_over: tuple[str, ...]


NOTHING = DueSteps((), ())


def steps_of(starts_at: datetime, prewarm: Prewarm) -> tuple[PrewarmStep, ...]:
    """Return all steps of a start, in the order of their times: a check at the lead, and those that are asked for."""
    before_s = sorted({prewarm.lead_s, *prewarm.checks_at_s} - {0}, reverse=True)
    checks = [PrewarmStep(f"check:{one}", "check", starts_at - timedelta(seconds=one)) for one in before_s]
    refill = PrewarmStep("refill", "refill", starts_at - timedelta(seconds=REFILL_S))
    return tuple(sorted([*checks, refill], key=lambda step: step.at)) if checks else ()


def due(starts_at: datetime, prewarm: Prewarm, done: Collection[str], now: datetime) -> DueSteps:
    """Return what is due at a moment, given the steps that are done or passed over."""
    if starts_at <= now:
        return NOTHING
    open_steps = [step for step in steps_of(starts_at, prewarm) if step.at <= now and step.name not in done]
    checks = [step for step in open_steps if step.kind == "check"]
    refills = [step for step in open_steps if step.kind == "refill"]
    if checks and refills:  # the check warms up as well
        return DueSteps((checks[-1],), tuple(step.name for step in (*checks[:-1], *refills)))
    return DueSteps((*checks[-1:], *refills), tuple(step.name for step in checks[:-1]))


def waits_until(step: PrewarmStep, starts_at: datetime) -> datetime:
    """Return until when a check waits for processes that are being started."""
    return min(step.at + timedelta(seconds=SETTLE_S), step.at + (starts_at - step.at) / 2)
