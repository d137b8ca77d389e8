"""What an alert looks at: a figure beyond a bound, a count that grows, a share. Owns both meanings of each condition.

Each is written once and has two: `promql` for Prometheus, `found` for samples that this process gathered. They are to
agree; `deploy/prometheus/alerts_test.yml` and the tests of the evaluator go through the same nights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from intake.monitoring.alerts.history import History, Labels


class Finding(NamedTuple):
    """One thing that is amiss: why, of what (labels), by which figure."""

    why: str
    labels: Labels
    value: float


class Condition(Protocol):
    """One reason for an alert."""

    @property
    def why(self) -> str:
        """The reason in words."""

    @property
    def metric(self) -> str:
        """The name of the samples that it looks at."""

    @property
    def by(self) -> tuple[str, ...]:
        """The labels by which it tells one thing that is amiss from another."""

    def promql(self) -> str:
        """Return the expression, without its reason."""

    def found(self, history: History, /) -> list[Finding]:
        """Return what is amiss by the newest samples."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """A figure that is above or below a bound, or was within `held_s` seconds; of each value of the labels in `by`."""

    why: str
    metric: str
    above: float | None = None
    below: float | None = None
    where: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    held_s: int = 0

    def promql(self) -> str:
        """Return the expression, without its reason."""
        worst, bound = ("max", f"> {self.above:g}") if self.above is not None else ("min", f"< {self.below:g}")
        series = selector(self.metric, self.where)
        if self.held_s:
            series = f"{worst}_over_time({series}[{self.held_s}s])"
        return f"{worst}{_by(self.by)} ({series}) {bound}"

    def found(self, history: History) -> list[Finding]:
        """Return what is amiss by the newest samples."""
        highest = self.above is not None
        seen = history.extremes(self.metric, self.held_s, highest=highest)
        worst = _worst_of(_matching(seen, self.where), self.by, highest=highest)
        return [Finding(self.why, labels, value) for labels, value in worst.items() if self._is_beyond(value)]

    def _is_beyond(self, value: float) -> bool:
        return value > self.above if self.above is not None else value < (self.below or 0.0)


@dataclass(frozen=True, kw_only=True)
class Growth:
    """A counter that grew by more than `above` within `over_s` seconds, all its series together."""

    why: str
    metric: str
    above: float
    over_s: int = 60
    where: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    by: tuple[str, ...] = ()

    def promql(self) -> str:
        """Return the expression, without its reason."""
        return f"{_increase(self.metric, self.where, self.over_s)} > {self.above:g}"

    def found(self, history: History) -> list[Finding]:
        """Return what is amiss by the newest samples."""
        grown = sum(_matching(history.growth(self.metric, self.over_s), self.where).values())
        return [Finding(self.why, (), grown)] if grown > self.above else []


@dataclass(frozen=True, kw_only=True)
class Share:
    """More than `above` of what a counter grew by is of these labels, and that is more than `least` in number."""

    why: str
    metric: str
    where: Mapping[str, str | tuple[str, ...]]
    above: float
    least: float
    over_s: int = 60
    by: tuple[str, ...] = ()

    def promql(self) -> str:
        """Return the expression, without its reason."""
        part, whole = (_increase(self.metric, where, self.over_s) for where in (self.where, {}))
        return f"({part} / {whole} > {self.above:g} and {part} > {self.least:g})"

    def found(self, history: History) -> list[Finding]:
        """Return what is amiss by the newest samples."""
        grown = history.growth(self.metric, self.over_s)
        part, whole = sum(_matching(grown, self.where).values()), sum(grown.values())
        return [Finding(self.why, (), part / whole)] if part > self.least and part / whole > self.above else []


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Nobody tells a figure: there is no intake to ask. By itself an intake never misses its own figures."""

    why: str
    metric: str
    by: tuple[str, ...] = ()

    def promql(self) -> str:
        """Return the expression, without its reason."""
        return f"absent({self.metric}) * 0"

    def found(self, _history: History) -> list[Finding]:
        """Return nothing: who asks is there."""
        return []


def selector(metric: str, where: Mapping[str, str | tuple[str, ...]]) -> str:
    """Return a metric with its labels as PromQL writes it."""
    parts = [
        f'{name}="{value}"' if isinstance(value, str) else f'{name}=~"{"|".join(value)}"'
        for name, value in where.items()
    ]
    return metric + (f"{{{','.join(parts)}}}" if parts else "")


def _increase(metric: str, where: Mapping[str, str | tuple[str, ...]], over_s: int) -> str:
    return f"sum(increase({selector(metric, where)}[{over_s}s]))"


def _by(labels: Iterable[str]) -> str:
    named = ", ".join(labels)
    return f" by ({named})" if named else ""


def _matching(seen: Mapping[Labels, float], where: Mapping[str, str | tuple[str, ...]]) -> dict[Labels, float]:
    return {labels: value for labels, value in seen.items() if _matches(dict(labels), where)}


def _matches(labels: Mapping[str, str], where: Mapping[str, str | tuple[str, ...]]) -> bool:
    wanted = {name: (value,) if isinstance(value, str) else value for name, value in where.items()}
    return all(labels.get(name, "") in values for name, values in wanted.items())


def _worst_of(seen: Mapping[Labels, float], by: tuple[str, ...], *, highest: bool) -> dict[Labels, float]:
    worst: dict[Labels, float] = {}
    pick = max if highest else min
    for labels, value in seen.items():
        kept = tuple((name, text) for name, text in labels if name in by and text)
        worst[kept] = pick(worst.get(kept, value), value)
    return worst
