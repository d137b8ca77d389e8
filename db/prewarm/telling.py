"""A report of pre-warm and the event that tells of it, in one transaction. Owns when it is told.

What the clock finds is always told; what ops find by hand only if it is news: they may look every minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from db import sales
from db.prewarm import reports
from db.webhooks import world_events

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.prewarm.reports import FoundReport
    from db.sales import Sale

BY_HAND = "ops"


async def tell(
    connection: Connection, sale: Sale, *, occasion: str, go: bool, checks: Mapping[str, Mapping[str, Any]]
) -> FoundReport:
    """Write a report down, and the event `sale.prewarm` unless the sale is over or it is no news."""
    await sales.lock_sale(connection, sale.sale_id)  # of two who look at once one is the first
    before = await reports.newest(connection, sale.number, limit=1)
    report = await reports.add(connection, sale.number, occasion=occasion, go=go, checks=checks)
    is_news = not before or (before[0].go, before[0].failing.keys()) != (go, report.failing.keys())
    if is_news or occasion != BY_HAND:
        await world_events.announce_prewarm(
            connection, sale.number, report_id=report.report_id if before else None,
            said={"at": report.at, "go": go, "failing": report.failing},
        )  # fmt: skip
    return report
