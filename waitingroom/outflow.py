"""How fast a room may let people in, and why. Owns the control law; pure: signals in, a decision out, no store.

Additive increase, multiplicative decrease (Chiu and Jain 1989): while what lies behind the room keeps up, the rate
grows by a tenth of the operator's a step, up to the operator's; when it does not, it falls by three tenths a step. What
is left to sell bounds it too: nobody is let in for units that those inside are expected to take.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

INCREASE = 0.1
"""Of the operator's rate, a step."""
DECREASE = 0.7
LEAST = 0.01
"""Of the operator's rate: congestion never stops a room for good."""
HORIZON_S = 5.0
"""In how many seconds what is left may be offered."""
CALM = 0.5
"""A safety net opens again at this share of the thresholds, kept for `CALM_STEPS` steps."""
CALM_STEPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What counts as congestion, and how many of the admitted are expected to order."""

    backlog: int = 20_000
    lag_ms: int = 2_000
    conversion: float = 0.5

    @classmethod
    def of(cls, thresholds: Mapping[str, Any] | None) -> Limits:
        """Return the sale's, with defaults for what it leaves out."""
        return cls(**{name: value for name, value in (thresholds or {}).items() if value is not None})


Slowest = Literal["drain", "payments", "events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What was measured this step."""

    backlog: int
    """Orders accepted and not drained, in the fullest partition."""
    lag_ms: int
    """How late the slowest stage is: the age of the oldest of them, of the oldest payment due, of the oldest event."""
    refused: int
    """Orders refused for a full backlog since the last step."""
    remaining: int
    """Units the sale can still sell."""
    inside: int
    """Visitors let in who have not ordered: admissions out and places released."""
    slowest: Slowest = "drain"
    """Which stage `lag_ms` is about."""
    paused: str = ""
    """Why the payment provider is left alone: `down` or `rate_limited`; empty: it is not."""


def is_congested(signals: Signals, limits: Limits) -> bool:
    """Say whether what lies behind the room does not keep up."""
    return signals.backlog > limits.backlog or signals.lag_ms > limits.lag_ms or signals.refused > 0


def is_calm(signals: Signals, limits: Limits) -> bool:
    """Say whether it keeps up well enough to open a safety net."""
    return signals.backlog <= limits.backlog * CALM and signals.lag_ms <= limits.lag_ms * CALM and signals.refused == 0


def next_rate(present: float | None, operator: float, signals: Signals, limits: Limits) -> float:
    """Return the rate of the next step; `present` is the last one, None at first."""
    rate = operator if present is None else min(present, operator)
    if is_congested(signals, limits):
        rate = max(rate * DECREASE, operator * LEAST)
    else:
        rate = min(rate + operator * INCREASE, operator)
    expected = signals.remaining / limits.conversion - signals.inside
    return min(rate, max(expected, 0.0) / HORIZON_S)


Cause = Literal[
    "set", "lag", "payments_slow", "payments_paused", "events_late", "backlog", "backlog_full", "few_left", "sold_out",
    "ramping",
]  # fmt: skip
"""Why a rate is what it is; the words stay what they are, programs read them."""


class OutflowDecision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rate, why it is what it is, and the figures behind."""

    why: Cause
    rate_per_s: float
    at_ms: int = 0
    """When it was made, by the room's store."""
    lag_ms: int = 0
    lag_limit_ms: int = 0
    backlog: int = 0
    backlog_limit: int = 0
    refused: int = 0
    remaining: int = 0
    inside: int = 0
    paused: str = ""
    after: str = ""
    """Of a rate that grows back: what it gave way to before."""

    def packed(self) -> str:
        """Return it as the room's store keeps it."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def read(cls, packed: str) -> OutflowDecision | None:
        """Return what was packed, None if there is none, or one of another version."""
        try:
            return msgspec.json.decode(packed, type=cls) if packed else None
        except msgspec.DecodeError:
            return None


def decide(
    present: float | None,
    operator: float,
    signals: Signals,
    limits: Limits,
    *,
    before: OutflowDecision | None = None,
    at_ms: int = 0,
) -> OutflowDecision:
    """Return the rate of the next step and why; `present` is the last one, None at first, `before` its decision."""
    rate = next_rate(present, operator, signals, limits)
    why = _cause(rate, operator, signals, limits)
    after = "" if why != "ramping" or before is None else before.after if before.why == "ramping" else before.why
    return OutflowDecision(
        why=why,
        rate_per_s=rate,
        at_ms=at_ms,
        lag_ms=signals.lag_ms,
        lag_limit_ms=limits.lag_ms,
        backlog=signals.backlog,
        backlog_limit=limits.backlog,
        refused=signals.refused,
        remaining=signals.remaining,
        inside=signals.inside,
        paused=signals.paused,
        after=after,
    )


def _cause(rate: float, operator: float, signals: Signals, limits: Limits) -> Cause:
    expected = max(signals.remaining / limits.conversion - signals.inside, 0.0) / HORIZON_S
    if rate >= operator:
        return "set"
    if rate == expected:
        return "few_left" if signals.remaining > 0 else "sold_out"
    if signals.lag_ms > limits.lag_ms:
        return _LATE[signals.slowest] if signals.slowest != "payments" or not signals.paused else "payments_paused"
    if signals.backlog > limits.backlog:
        return "backlog"
    return "backlog_full" if signals.refused > 0 else "ramping"


_LATE: dict[Slowest, Cause] = {"drain": "lag", "payments": "payments_slow", "events": "events_late"}


@dataclass(slots=True)
class SafetyNetState:
    """A safety net's memory: it opens only after some calm, so that it does not flap."""

    calm: int = 0

    def next(self, on: bool, signals: Signals, limits: Limits) -> bool:
        """Return whether the net is on in the next step."""
        self.calm = self.calm + 1 if is_calm(signals, limits) else 0
        return is_congested(signals, limits) or (on and self.calm < CALM_STEPS)
