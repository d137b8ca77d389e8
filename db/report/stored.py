"""Reports that are kept, sales whose report is due, and what of a sale is still under way. Owns the table."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from db.query_files import load
from doorbuster.contract.night.report import SaleReport

if TYPE_CHECKING:
    from db.connections.pool import Connection

_SQL = load("sale_reports")


class DueReport(NamedTuple):
    """A sale that is over and not reported of."""

    sale_number: int
    sale_id: str
    over_at: datetime


class StoredReport(NamedTuple):
    """A report as it is kept."""

    over_at: datetime
    settled: bool
    written_at: datetime
    report: SaleReport


class UnderWay(NamedTuple):
    """What of a sale is not done."""

    pending: int
    standing_by: int
    operations: int


async def over_at(connection: Connection, sale_number: int) -> datetime | None:
    """Return when a sale took no orders any more, None while it may."""
    moment: datetime | None = await connection.fetchval(_SQL["over_at"], sale_number)
    return moment


async def due(connection: Connection) -> list[DueReport]:
    """Return the sales whose report is due, those that were over first first."""
    return [DueReport(*row.values()) for row in await connection.fetch(_SQL["due"])]


async def under_way(connection: Connection, sale_number: int) -> UnderWay:
    """Return what of a sale is not done, each counted up to a thousand."""
    row = await connection.fetchrow(_SQL["under_way"], sale_number)
    assert row is not None
    operations: int = await connection.fetchval(_SQL["operations_under_way"], sale_number)
    return UnderWay(row["pending"], row["standing_by"], operations)


def unsettled(found: UnderWay, backlog: int) -> list[str]:
    """Return in words what is not done; `backlog` is how many accepted orders are not drained."""
    said = (
        (backlog, "accepted orders that are not decided"),
        (found.pending, "orders that wait for their payment"),
        (found.standing_by, "orders that stand by"),
        (found.operations, "operations at the payment provider"),
    )
    return [f"{count:,} {what}" for count, what in said if count > 0]


async def put(connection: Connection, report: SaleReport, over_at: datetime) -> None:
    """Keep a report; an earlier one goes, a later one stays."""
    said: Any = msgspec.json.encode(report)  # as it is: the driver's own coding would make it anew
    await connection.execute(_SQL["put"], report.sale.sale_number, over_at, report.settled, report.written_at, said)


async def get(connection: Connection, sale_number: int) -> StoredReport | None:
    """Return the report that is kept of a sale."""
    row = await connection.fetchrow(_SQL["get"], sale_number)
    if row is None:
        return None
    report = msgspec.convert(row["report"], SaleReport)
    return StoredReport(row["over_at"], row["settled"], row["written_at"], report)
