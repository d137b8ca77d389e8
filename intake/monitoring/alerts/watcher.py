"""Judges the alerts by this process's own figures, every few seconds. Owns that pace; what counts is in the table."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from intake.monitoring.alerts.evaluator import AlertEvaluator, FiringAlert
from intake.monitoring.alerts.table import ALERTS

if TYPE_CHECKING:
    from intake.monitoring.alerts.history import Labels
    from intake.monitoring.metrics import Metrics
    from intake.monitoring.watch import Watch

EVERY_S = 5.0
_WANTED = frozenset(name for alert in ALERTS for name in alert.metrics)


class AlertWatcher:
    """What fires now: `firing` costs nothing; it is as of the last look."""

    def __init__(self, watch: Watch, metrics: Metrics) -> None:
        self.watch, self._metrics = watch, metrics
        self._evaluator = AlertEvaluator(ALERTS)

    @property
    def firing(self) -> list[FiringAlert]:
        """The alerts that fired at the last look, `EVERY_S` ago at most."""
        return self._evaluator.firing

    async def look(self, *, at: float | None = None) -> list[FiringAlert]:
        """Look and judge once; `at` is the time by the monotonic clock, if it is not now."""
        await self.watch.look()
        moment = time.monotonic() if at is None else at
        return self._evaluator.judge(samples_of(self._metrics), at=moment, unix_s=time.time())

    async def keep_looking(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.look()


def samples_of(metrics: Metrics) -> dict[str, dict[Labels, float]]:
    """Return what the alerts look at, of all processes, as `/metrics` would show it."""
    samples: dict[str, dict[Labels, float]] = {}
    for family in metrics.families():
        for sample in family.samples:
            if sample.name in _WANTED:
                labels = tuple(sorted(sample.labels.items()))
                samples.setdefault(sample.name, {})[labels] = sample.value
    return samples
