"""When a rate is held: what is measured of a step, and what of it is too much. Pure."""

from __future__ import annotations

import msgspec

from doorbuster.contract.night.rehearsal import RehearsalCriteria, RehearsalStep

P99_MS = 250.0
REFUSED_SHARE = 0.001
"""Of orders that were refused for load or not answered."""
LAG_S = 0.5
"""A lag below this is the rhythm of batches, not a backlog that grows."""
GROWTH = 0.05
"""By how much of the time the lag may grow: at a rate that is held it does not grow at all."""
LATE_S = 0.25
"""A load generator that sends so much after its time has not offered what it says."""
LOADED = frozenset({"overloaded", "store_unavailable", "rate_limited", "unanswered", "request_timeout", "internal"})
"""Codes that a loaded stack answers; others mean that the rehearsal does not go the way of an order."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of a step."""

    seconds: float
    offered: int
    accepted: int
    refused: dict[str, int]
    p99_ms: float
    late_s: float
    lags: list[tuple[float, float]]
    """(second of the step, lag in seconds), in order."""

    @property
    def lag_s(self) -> float:
        """The lag when the offering ended."""
        return self.lags[-1][1] if self.lags else 0.0

    @property
    def growth(self) -> float:
        """Seconds of lag a second, over the later half: 0 where everything keeps up."""
        later = [(at, lag) for at, lag in self.lags if at >= self.seconds / 2]
        if len(later) < 2 or later[-1][0] <= later[0][0]:
            return 0.0
        return (later[-1][1] - later[0][1]) / (later[-1][0] - later[0][0])


def criteria(*, p99_ms: float = P99_MS, backlog_s: float = 2.0) -> RehearsalCriteria:
    """Return when a rate is held."""
    return RehearsalCriteria(p99_ms=p99_ms, backlog_s=backlog_s, refused_share=REFUSED_SHARE)


def strange(measured: Measured) -> list[str]:
    """Return codes of refusals that load does not explain."""
    return sorted(code for code in measured.refused if code not in LOADED and not code.startswith("http_5"))


def problem_of(measured: Measured, bounds: RehearsalCriteria) -> str:
    """Say what a step did not hold; empty: everything kept up."""
    refused = sum(measured.refused.values())
    if measured.offered and refused > measured.offered * bounds.refused_share:
        worst = max(measured.refused, key=lambda code: measured.refused[code])
        return f"{refused} of {measured.offered} orders were refused or not answered, mostly {worst}"
    if measured.p99_ms > bounds.p99_ms:
        return f"p99 of an acceptance was {measured.p99_ms:.0f} ms, above {bounds.p99_ms:.0f}"
    if measured.lag_s > bounds.backlog_s:
        return f"the oldest order waited for {measured.lag_s:.1f} s, above {bounds.backlog_s:g}"
    if measured.lag_s > LAG_S and measured.growth > GROWTH:
        return f"the lag grew by {measured.growth:.2f} s a second, to {measured.lag_s:.1f} s"
    if measured.late_s > LATE_S:
        return f"the load generator was {measured.late_s:.1f} s late: it, or its machine, is what is too slow"
    return ""


def step_of(rate: float, measured: Measured, bounds: RehearsalCriteria) -> RehearsalStep:
    """Return a step as the result has it."""
    why = problem_of(measured, bounds)
    return RehearsalStep(
        offered_per_s=round(rate, 1),
        accepted_per_s=round(measured.accepted / measured.seconds, 1),
        p99_ms=round(min(measured.p99_ms, 3_600_000.0), 2),
        backlog_s=round(min(measured.lag_s, 3_600.0), 3),
        held=not why,
        why=why[:500],
    )
