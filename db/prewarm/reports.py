"""What was found each time a sale was looked at ahead of its start. Owns the reports' rows; judges nothing.

The newest verdict of a sale is what its page, its alert and its live view show.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from db.query_files import load

if TYPE_CHECKING:
    from db.connections.pool import Connection

KEPT = 200
"""Reports of a sale that are kept."""
_SQL = load("prewarm_reports")


class FoundReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found once; `occasion` is the step of the clock, or `ops`."""

    report_id: int
    at: datetime
    occasion: str
    go: bool
    checks: dict[str, dict[str, Any]]

    @property
    def failing(self) -> dict[str, str]:
        """What stands against the sale: check -> reason."""
        return failing(self.checks)


class PrewarmVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The newest report of a sale."""

    sale_number: int
    sale_id: str
    at: datetime
    go: bool
    checks: dict[str, dict[str, Any]]

    @property
    def no_go(self) -> list[dict[str, str]]:
        """What stands against the sale, as `[{check, reason}]`."""
        return [{"check": name, "reason": reason} for name, reason in failing(self.checks).items()]


def failing(checks: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the checks that fail, each with its reason."""
    return {name: str(check.get("reason", "")) for name, check in checks.items() if not check["ok"]}


async def add(
    connection: Connection, sale_number: int, *, occasion: str, go: bool, checks: Mapping[str, Mapping[str, Any]]
) -> FoundReport:
    """Write a report down; of those before, the last ones stay."""
    row = await connection.fetchrow(_SQL["add_report"], sale_number, occasion, go, dict(checks))
    assert row is not None
    await connection.execute(_SQL["forget_reports"], sale_number, KEPT)
    return FoundReport(**row)


async def newest(connection: Connection, sale_number: int, *, limit: int = KEPT) -> list[FoundReport]:
    """Return the reports of a sale, newest first."""
    return [FoundReport(**row) for row in await connection.fetch(_SQL["newest_reports"], sale_number, limit)]


async def verdict(connection: Connection, sale_number: int) -> PrewarmVerdict | None:
    """Return the newest verdict of a sale, None while there is none."""
    row = await connection.fetchrow(_SQL["verdict"], sale_number)
    return None if row is None else PrewarmVerdict(**row)


async def verdicts_ahead(connection: Connection) -> list[PrewarmVerdict]:
    """Return the newest verdict of each sale that has one and has not begun: the ones that are to wake people."""
    return [PrewarmVerdict(**row) for row in await connection.fetch(_SQL["verdicts_ahead"])]
