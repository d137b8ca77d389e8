"""Which alerts fire now, by the figures of this process. Owns since when each condition holds; tells, and does nothing.

It is for those who look without a Prometheus: the live view of a sale, a rehearsal that must stop. Thresholds and times
are those of the table, from which Prometheus' rules are made too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from intake.monitoring.alerts.history import History

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from intake.monitoring.alerts.conditions import Finding
    from intake.monitoring.alerts.history import Samples
    from intake.monitoring.alerts.table import Alert

KEEP_S = 60.0
"""As far as the conditions look back."""


class FiringAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that fires."""

    name: str
    since: float
    """Since when its condition holds, in seconds of Unix time."""
    severity: str
    summary: str
    """In words, with the figure."""
    runbook: str
    """Where it is told what to do."""


class _Held(NamedTuple):
    """A condition that holds: since when by the clock that only goes forward, and as people say it."""

    began: float
    since: float


class AlertEvaluator:
    """Judges one set of samples after another."""

    def __init__(self, alerts: Sequence[Alert]) -> None:
        self._alerts = alerts
        self._history = History({name for one in alerts for name in one.metrics}, keep_s=KEEP_S)
        self._held: dict[str, _Held] = {}
        self._firing: list[FiringAlert] = []

    @property
    def firing(self) -> list[FiringAlert]:
        """The alerts that fired at the last look, in the order of the table."""
        return list(self._firing)

    def judge(self, samples: Samples, *, at: float, unix_s: float) -> list[FiringAlert]:
        """Take what was gathered now; return the alerts that fire.

        `at`: seconds of a clock that only goes forward, `unix_s`: the same moment as people say it.
        """
        self._history.add(at, samples)
        found = {one.name: [f for c in one.conditions for f in c.found(self._history)] for one in self._alerts}
        self._firing = []
        for alert in self._alerts:
            findings = found[alert.name]
            if not findings or any(found[name] for name in alert.unless):
                self._held.pop(alert.name, None)
                continue
            held = self._held.setdefault(alert.name, _Held(at, unix_s))
            if at - held.began >= alert.for_s:
                self._firing.append(_firing(alert, held.since, findings))
        return self.firing


def _firing(alert: Alert, since: float, findings: Iterable[Finding]) -> FiringAlert:
    reasons = "; ".join(reason_of(finding) for finding in findings)
    return FiringAlert(
        name=alert.name, since=since, severity=alert.severity, summary=f"{alert.what}: {reasons}", runbook=alert.runbook
    )


def reason_of(finding: Finding) -> str:
    """Say a finding as the rule's annotation does."""
    figure = f": {finding.value:.4g}" if finding.value else ""
    named = "".join(f", {name} {value}" for name, value in finding.labels)
    return f"{finding.why}{figure}{named}"


def names_of(alerts: Iterable[FiringAlert]) -> list[str]:
    """Return the names of alerts."""
    return [alert.name for alert in alerts]
