"""Pre-warm of a sale: fills caches and database buffers by reading, looks at everything it will need, says go or no-go.

Owns the checks and their figures; changes nothing but caches.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from db.prewarm import reports
from db.prewarm.telling import tell
from db.sales import get_sale
from db.status import doubtful_products
from doorbuster.contract.night.prewarm import PrewarmReport, PrewarmReports
from doorbuster.contract.ops import Prewarmed
from doorbuster.errors import DoorbusterError
from intake.ops.prewarm_checks import clock_check, product_checks, window_check
from intake.sales.phase import effective_phase
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.responses import write
from waitingroom.room import Mode
from waitingroom.sale_config import mode_of

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from catalogue.service import Catalogue
    from db.connections.pool import Connection
    from db.sales import Sale
    from db.status import DoubtfulProduct
    from intake.changes.publish import ChangePublisher
    from intake.database import Database
    from intake.monitoring.health import HealthChecks
    from intake.monitoring.store_checks import StoreChecks
    from intake.room.cache import RoomCache
    from intake.sales.cache import Sales

Check = dict[str, Any]

FILL_S = 20.0
"""How long products are filled in at most."""
_NO_MORE = {"closed": "the sale is closed", "drain": "the sale is draining", "ended": "the sale has ended"}


class PrewarmCheck:
    """Looks at a sale before it begins."""

    def __init__(
        self, stores: StoreChecks, health: HealthChecks, sales: Sales, *, catalogue: Catalogue, desk: RoomCache
    ) -> None:
        self._stores, self._health, self._sales = stores, health, sales
        self._catalogue, self._desk = catalogue, desk

    async def look(self, sale: Sale, doubtful: list[DoubtfulProduct]) -> Prewarmed:
        """Warm up and look; the sale is in the copy here and its gates are published by now.

        `doubtful` are the products that it cannot sell as it says.
        """
        _, checks = await self._health.look()
        checks |= {"sale": _sale(sale), "window": window_check(sale), **product_checks(doubtful)}
        room, room_store, cache, jobs, clock = await asyncio.gather(
            self._room(sale), self._stores.check("room_store"), self._cache(sale), self._stores.check("jobs_store"),
            self._clock(),
        )  # fmt: skip
        checks |= {
            "room": room, "room_store": room_store, "cache": cache, "replicas": self._replicas(), "jobs_store": jobs,
            "clock": clock,
        }  # fmt: skip
        return Prewarmed(sale.sale_id, all(check["ok"] for check in checks.values()), checks)

    async def _clock(self) -> Check:
        return clock_check(await self._stores.clocks())

    async def _room(self, sale: Sale) -> Check:
        mode = mode_of(sale)
        if mode is Mode.OFF:
            return {"ok": True, "mode": mode}
        cached = await self._sales.get(sale.sale_id)
        try:
            room = None if cached is None else await self._desk.ready(cached)
        except (DoorbusterError, ValueError) as error:
            return {"ok": False, "mode": mode, "reason": f"the room's configuration cannot be used: {error}"}
        if room is None or room.state is None or not room.is_fresh:
            return {"ok": False, "mode": mode, "reason": "the room's store does not answer"}
        return {"ok": True, "mode": mode, "waiting": room.state.waiting, "age_ms": round(room.age_s * 1000)}

    async def _cache(self, sale: Sale) -> Check:
        began = time.monotonic()
        filled = await self._catalogue.warm(list(sale.products), within_s=FILL_S)
        figures: Check = {
            "products": len(sale.products), "filled": filled, "took_ms": round((time.monotonic() - began) * 1000)
        }  # fmt: skip
        if filled == len(sale.products):
            return {"ok": True} | figures
        return {"ok": False, "reason": "not every product could be put into the shared cache"} | figures

    def _replicas(self) -> Check:
        replicas = self._catalogue.replicas
        servers = [
            {"name": replica.name, "usable": replica.usable, "lag_ms": _milliseconds(replicas.lag_s(replica))}
            for replica in replicas.replicas
        ]
        out = [replica["name"] for replica in servers if not replica["usable"]]
        check = {"ok": not out, "configured": len(servers), "servers": servers}
        return check | ({"reason": f"not read from: {', '.join(map(str, out))}"} if out else {})


def _sale(sale: Sale) -> Check:
    phase = effective_phase(sale)
    said: Check = {"ok": phase not in _NO_MORE, "phase": phase}
    return said | ({"reason": _NO_MORE[phase]} if phase in _NO_MORE else {})


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


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
            doubtful = await doubtful_products(connection, row.number)
        await self._publishing.sale(row)
        said = await self._prewarming.look(row, doubtful)
        async with self._database.working() as connection, connection.transaction():
            await tell(connection, row, occasion="ops", go=said.go, checks=said.checks)
        write(resp, said)


async def _existing(connection: Connection, sale: str) -> Sale:
    row = await get_sale(connection, sale)
    if row is None:
        raise RefusedError("sale_not_found", f"There is no sale {sale[:64]!r}")
    return row
