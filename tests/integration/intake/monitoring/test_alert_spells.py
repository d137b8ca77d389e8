"""Alerts that fired are written down once, from their beginning to their end, however many processes saw them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from db.connections.pool import Connection
from doorbuster.settings import Settings
from intake.database import Database
from intake.monitoring.alert_spells import AlertSpells
from intake.monitoring.alerts.evaluator import FiringAlert


def alert(name: str, since: float) -> FiringAlert:
    return FiringAlert(name=name, since=since, severity="page", summary=f"{name} is so", runbook="#x")


async def test_a_spell_has_a_beginning_and_an_end(db: Connection, settings: Settings) -> None:
    database = Database(settings.database_url.get_secret_value(), timeout_s=5)
    await database.open()
    began = time.time() - 60
    firing = [alert("DrainLate", began), alert("RoomStuck", began + 5)]
    one, other = AlertSpells(database, lambda: firing), AlertSpells(database, lambda: firing[:1])
    for each in (one, other, one):
        await each.look()
    rows = await db.fetch("select * from alert_spells order by name")
    assert [(row["name"], row["ended_at"], row["severity"]) for row in rows] == [
        ("DrainLate", None, "page"), ("RoomStuck", None, "page"),
    ]  # fmt: skip
    assert abs((rows[0]["began_at"] - datetime.fromtimestamp(began, UTC)).total_seconds()) < 0.001
    await db.execute("update alert_spells set seen_at = seen_at - interval '40 s', began_at = '2026-01-01Z'")
    firing[:] = [alert("RoomStuck", time.time())]
    await one.look()
    rows = await db.fetch("select * from alert_spells order by name, began_at")
    assert [(row["name"], row["ended_at"] is None) for row in rows] == [
        ("DrainLate", False), ("RoomStuck", False), ("RoomStuck", True),
    ]  # fmt: skip
    assert rows[0]["ended_at"] == rows[0]["seen_at"]
    await database.close()
