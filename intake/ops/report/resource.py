"""`GET /ops/sales/{sale}/report`: what is told of a sale that is over, as JSON, a page to print, or CSV of its minutes.

Owns who is answered what: the report that the scheduler wrote, or one as of now. Writes none.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from db import sales as rows
from db.connections.pool import connect
from db.report import stored
from db.report.gather import Stores, Wanted, gather
from doorbuster.contract.problems import JSON
from doorbuster.failures import STORE_FAILED
from doorbuster.log import shared_context
from intake.ops.report.minutes_csv import CSV, minutes_csv
from intake.ops.report.page import HTML
from intake.sales.phase import effective_phase
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from waitingroom.records.memory import RoomMemory

if TYPE_CHECKING:
    from datetime import datetime

    from falcon.asgi import Request, Response
    from redis.asyncio import Redis

    from db.sales import Sale
    from doorbuster.contract.night.promises import PromisesView
    from doorbuster.contract.night.report import SaleReport
    from intake.database import Database
    from intake.ops.report.page import ReportPage
    from intake.ops.report.promises import Promises

TELL_S = 60.0
"""How long a report that is made while one waits may take."""
MAKING_MAX = 2
"""Reports that one process makes at a time; of the same sale one, whoever asks."""
ROOM_S = 5.0
"""How long the room's store may take for an answer."""
_encode = msgspec.json.Encoder().encode


class ReportOfSale:
    """Resource of a sale's report."""

    def __init__(self, database: Database, orders: Redis, room: Redis, *, promises: Promises, page: ReportPage) -> None:
        self._database, self._promises, self._page = database, promises, page
        self._stores = Stores(orders, room, RoomMemory(room, timeout_s=ROOM_S))
        self._making: dict[int, asyncio.Task[SaleReport]] = {}

    async def on_get(self, req: Request, resp: Response, sale: str) -> None:
        """Show it; while the sale is not over only a preview."""
        refuse_unknown_params(req, "preview", "fresh", "standalone")
        wants_preview, wants_fresh, standalone = (
            req.get_param_as_bool(name, default=False) for name in ("preview", "fresh", "standalone")
        )
        report = await self._report(sale, preview=bool(wants_preview), fresh=bool(wants_fresh))
        resp.set_headers({"Cache-Control": "no-store", "Vary": "Accept"})
        media = req.client_prefers((JSON, "text/html", "text/csv")) or JSON
        if media == "text/html":
            resp.content_type = HTML
            resp.text, policy = self._page.write(report, standalone=bool(standalone))
            resp.set_headers(policy)
        elif media == "text/csv":
            resp.content_type = CSV
            resp.set_header("Content-Disposition", f'attachment; filename="{sale}-minutes.csv"')
            resp.data = minutes_csv(report)
        else:
            resp.content_type = JSON
            resp.data = _encode(report)

    async def _report(self, sale_id: str, *, preview: bool, fresh: bool) -> SaleReport:
        async with self._database.reading() as connection:
            sale = await rows.get_sale(connection, sale_id)
            if sale is None:
                raise RefusedError("sale_not_found", f"There is no sale {sale_id[:64]!r}")
            over_at = await stored.over_at(connection, sale.number)
            kept = None if over_at is None else await stored.get(connection, sale.number)
        phase = effective_phase(sale)
        if over_at is None and not preview:
            said = f"The sale is {phase}: its report is made when it is over; with preview=true it is told so far"
            raise RefusedError("sale_not_over", said, members={"phase": phase})
        if kept is not None and kept.over_at == over_at and not fresh:
            return kept.report
        return await self._shared(sale, over_at)

    async def _shared(self, sale: Sale, over_at: datetime | None) -> SaleReport:
        """Return a report as of now: one that is being made, or a new one."""
        making = self._making.get(sale.number)
        if making is None or making.done():
            self._making = {number: task for number, task in self._making.items() if not task.done()}
            if len(self._making) >= MAKING_MAX:
                raise RefusedError("overloaded", f"{MAKING_MAX} reports are being made already")
            making = self._making[sale.number] = asyncio.create_task(
                self._make(sale, over_at), context=shared_context()
            )
        return await asyncio.shield(making)

    async def _make(self, sale: Sale, over_at: datetime | None) -> SaleReport:
        audit, why = await self._audit()
        try:
            async with asyncio.timeout(TELL_S):
                connection = await connect(
                    self._database.dsn, command_timeout_s=TELL_S, application="doorbuster-report", steady=False
                )
                try:
                    return await gather(
                        connection, self._stores, Wanted(sale, effective_phase(sale), over_at, audit, why)
                    )
                finally:
                    await connection.close()
        except TimeoutError as error:
            raise RefusedError("overloaded", f"The report was not made within {TELL_S:.0f} s") from error

    async def _audit(self) -> tuple[PromisesView | None, str]:
        """Return what the audit finds, or why there was none."""
        try:
            return await self._promises.look(), ""
        except RefusedError as error:
            return None, error.detail
        except STORE_FAILED:
            return None, "a store did not answer the audit"
