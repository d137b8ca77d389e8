"""What ops did and what went wrong around a sale, as far as it was written down. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from db.query_files import load
from doorbuster.contract.night.report import Act, Incident, ReportStage

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.sales import Sale

ACTS_MAX = 500
LATE_S = 5.0
"""A scheduler looks every second: what it saw so much later than planned was late."""
TARGETS_MAX = 1_000
"""Products whose changes are shown."""
_SQL = load("report")
_ROLES = {"intake": "the intake process", "worker": "the worker", "scheduler": "the scheduler"}


async def acts(connection: Connection, sale: Sale, until: datetime) -> tuple[list[Act], int]:
    """Return what ops changed of the sale and its products, oldest first, and how many changes are left out."""
    targets = [f"sale:{sale.sale_id}", *(f"product:{one}" for one in list(sale.products)[:TARGETS_MAX])]
    found = await connection.fetch(_SQL["acts"], targets, sale.created_at, until, ACTS_MAX)
    whole: int = await connection.fetchval(_SQL["count_acts"], targets, sale.created_at, until)
    shown = [
        Act(
            at=row["at"], action=row["action"], target=row["target"], change=row["change"],
            by=row["operator"] or row["key_name"] or "",
        )
        for row in reversed(found)
    ]  # fmt: skip
    return shown, whole - len(found)


async def stages(connection: Connection, sale: Sale, until: datetime) -> list[ReportStage]:
    """Return what of the sale's plan was to apply by then, each with how late it was seen in force."""
    return [
        ReportStage(
            planned_at=row["planned_at"], phase=row["phase"], room=row["room"], applied_at=row["applied_at"],
            late_s=None if row["applied_at"] is None
            else round(max((row["applied_at"] - row["planned_at"]).total_seconds(), 0.0), 3),
        )
        for row in await connection.fetch(_SQL["timeline"], sale.number, until)
    ]  # fmt: skip


def late(timeline: Iterable[ReportStage]) -> list[Incident]:
    """Return the entries of the plan that were late."""
    return [
        Incident(
            kind="late_stage", at=one.planned_at, until=one.applied_at,
            what=f"the plan's change of {', '.join(filter(None, [one.phase, *one.room]))} was seen in force "
            f"{one.late_s:,.1f} s late: no scheduler looked",
        )
        for one in timeline
        if one.late_s is not None and one.late_s > LATE_S
    ]  # fmt: skip


async def incidents(
    connection: Connection, sale: Sale, until: datetime, restarts: Mapping[str, datetime]
) -> list[Incident]:
    """Return what went wrong; `restarts`: since when stores have been up that Postgres cannot tell of."""
    begin = sale.starts_at - timedelta(seconds=sale.prewarm_lead_s)
    number = sale.number
    found = [
        Incident(
            kind="alert", at=row["began_at"], until=row["ended_at"],
            what=f"{row['name']} ({row['severity']}): {row['summary']}",
        )
        for row in await connection.fetch(_SQL["alerts"], begin, until)
    ]  # fmt: skip
    found += [
        Incident(
            kind="dead_letters", at=row["since"], until=row["until"],
            what=f"{row['letters']} accepted orders were put aside: {row['reason']}, {row['state']} now",
        )
        for row in await connection.fetch(_SQL["dead_letters"], number)
    ]  # fmt: skip
    found += [
        Incident(
            kind="payments_failed", at=row["since"], until=row["until"],
            what=f"{row['operations']} operations at the payment provider: {row['kind']}, {row['state']}",
        )
        for row in await connection.fetch(_SQL["failed_operations"], number)
    ]  # fmt: skip
    found += [
        Incident(kind="no_go", at=row["at"], until=None, what=f"{row['occasion']}: {_failing(row['checks'])}")
        for row in await connection.fetch(_SQL["no_gos"], number)
    ]
    found += [
        Incident(
            kind="restart", at=row["began_at"], until=None, what=f"{_ROLES[row['role']]} {row['name']} was started"
        )
        for row in await connection.fetch(_SQL["process_starts"], sale.starts_at, until)
    ]
    began: datetime = await connection.fetchval(_SQL["postgres_began"])
    found += _restarts({"Postgres": began} | dict(restarts), sale.starts_at, until)
    return found


def in_order(found: Iterable[Incident]) -> list[Incident]:
    """Return incidents, oldest first."""
    return sorted(found, key=lambda one: one.at or datetime.min.replace(tzinfo=UTC))


def _failing(checks: Mapping[str, Mapping[str, Any]]) -> str:
    failing = [f"{name} ({check.get('reason') or 'not ok'})" for name, check in checks.items() if not check.get("ok")]
    return "; ".join(failing) or "no check says why"


def _restarts(began: Mapping[str, datetime], begin: datetime, until: datetime) -> Iterable[Incident]:
    return [
        Incident(kind="restart", at=at, until=None, what=f"{store} was started")
        for store, at in began.items()
        if begin < at <= until
    ]
