"""Pre-warm of a sale by hand: warms up what it will read, looks at everything it needs, says go or no-go.

Owns these resources and what an intake adds of itself; the checks are `readiness`, the same that the clock asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from db.prewarm import reports
from db.prewarm.telling import BY_HAND, tell
from db.sales import get_sale
from doorbuster.contract.night.prewarm import PrewarmReport, PrewarmReports
from doorbuster.contract.ops import Prewarmed
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from db.connections.pool import Connection
    from db.sales import Sale
    from intake.changes.publish import ChangePublisher
    from intake.database import Database
    from intake.server.guard import Guard
    from readiness.look import ReadinessCheck
    from readiness.warm import Warming

Check = dict[str, Any]


class PrewarmCheck:
    """Warms a sale up and looks at it, for one intake."""

    def __init__(self, warming: Warming, readiness: ReadinessCheck, guard: Guard) -> None:
        self._warming, self._readiness, self._guard = warming, readiness, guard

    async def look(self, sale: Sale) -> Prewarmed:
        """Warm up and look; the sale is in the copy here and its gates are published by now."""
        warmed = await self._warming.warm(sale)
        checks = await self._readiness.look(sale) | warmed | self._process()
        return Prewarmed(sale.sale_id, all(check["ok"] for check in checks.values()), checks)

    def _process(self) -> dict[str, Check]:
        """Return what this process knows of itself."""
        checks: dict[str, Check] = {}
        if self._guard.protocol_fault:  # orders are taken all the same
            checks["http_protocol"] = {"ok": True, "notes": [self._guard.protocol_fault]}
        if self._guard.stopping:
            checks["process"] = {"ok": False, "reason": "the process is ending"}
        return checks


class SalePrewarm:
    """Resource of a sale's pre-warm: the reports of it, and one more by hand."""

    def __init__(self, database: Database, publishing: ChangePublisher, prewarming: PrewarmCheck) -> None:
        self._database, self._publishing, self._prewarming = database, publishing, prewarming

    async def on_get(self, req: Request, resp: Response, sale: str) -> None:
        """Show what was found each time, newest first."""
        refuse_unknown_params(req)
        async with self._database.working() as connection:
            row = await _existing(connection, sale)
            found = await reports.newest(connection, row.number)
        write(resp, PrewarmReports([PrewarmReport(one.at, one.go, one.checks) for one in found]))

    async def on_post(self, _req: Request, resp: Response, sale: str) -> None:
        """Warm up and look now; answers go or no-go, which is a report too."""
        async with self._database.working() as connection:
            row = await _existing(connection, sale)
        await self._publishing.sale(row)
        said = await self._prewarming.look(row)
        async with self._database.working() as connection, connection.transaction():
            await tell(connection, row, occasion=BY_HAND, go=said.go, checks=said.checks)
        write(resp, said)


async def _existing(connection: Connection, sale: str) -> Sale:
    row = await get_sale(connection, sale)
    if row is None:
        raise RefusedError("sale_not_found", f"There is no sale {sale[:64]!r}")
    return row
