"""Writes down which alerts fire and since when, for the report of a sale. Owns that note; judges nothing.

What was seen while Postgres was away is written when it is back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from db import alert_spells
from doorbuster.failures import ANTICIPATED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from intake.database import Database
    from intake.monitoring.alerts.evaluator import FiringAlert

EVERY_S = 5.0
SWEEP_S = 30.0
"""How often it is looked for alerts that others saw and that have ended, while none fires here."""

log = logging.getLogger("doorbuster.intake.alerts")


class AlertSpells:
    """Notes alerts."""

    def __init__(self, database: Database, firing: Callable[[], Sequence[FiringAlert]]) -> None:
        self._database, self._firing = database, firing
        self._seen: dict[str, alert_spells.Firing] = {}
        self._swept = 0.0

    async def look(self) -> None:
        """Write down what fires now, or fired while it could not be written."""
        now = datetime.now(UTC)
        for alert in self._firing():
            began = datetime.fromtimestamp(alert.since, UTC)
            self._seen[alert.name] = alert_spells.Firing(alert.name, alert.severity, alert.summary, began, now)
        if not self._seen and time.monotonic() - self._swept < SWEEP_S:
            return
        async with self._database.working() as connection:
            await alert_spells.note(connection, self._seen.values())
        self._seen.clear()
        self._swept = time.monotonic()

    async def keep_noting(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.look()
            except ANTICIPATED as error:
                log.info("alerts cannot be noted now", extra={"error": error})
