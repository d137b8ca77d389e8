"""`/metrics`. Owns which figures are read at each look; their names stand with what counts them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from db import sales as rows
from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import backlog
from doorbuster.orderstore.beside import scheduler_failures
from intake.monitoring import metrics as measured
from intake.monitoring.progress import WITHIN_S
from intake.monitoring.watched import SalesNow

if TYPE_CHECKING:
    from falcon.asgi import Request, Response
    from redis.asyncio import Redis

    from intake.database import Database
    from intake.monitoring.metrics import Metrics
    from intake.monitoring.read_metrics import ReadFigures
    from intake.monitoring.watch import Watch
    from intake.room.cache import RoomCache
    from intake.sales.cache import Sales
    from waitingroom.room import RoomState

    Partition = tuple[int, int]
    Stores = tuple[Database, Redis]
    """Postgres and the order store."""

log = logging.getLogger("doorbuster.intake.health")

ROOMS_MAX = 50
"""Rooms that are shown: of the newest sales."""


class ShowMetrics:
    """Resource of the metrics."""

    def __init__(
        self, metrics: Metrics, sales: Sales, stores: Stores, desk: RoomCache, reads: ReadFigures, watch: Watch
    ) -> None:
        self._metrics = metrics
        self._watch = watch
        self._sales = sales
        self._database, self._redis = stores
        self._desk = desk
        self._reads = reads

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show all metrics of all processes, with the backlog and the rooms as they are now."""
        self._reads.flush()
        await self._watch.look()
        live = await self._live()
        backlogs, failures = await self._read_orders_store(live)
        self._metrics.sales(SalesNow(backlog=backlogs, rooms=await self._read_rooms(live), failures=failures))
        openmetrics = "application/openmetrics-text" in req.accept
        resp.content_type = measured.OPENMETRICS if openmetrics else measured.MEDIA
        resp.data = self._metrics.show(openmetrics=openmetrics)

    async def _live(self) -> dict[str, list[Partition]]:
        """Return the partitions of the sales that may have something waiting, also of those never served here."""
        known = {cached.sale.sale_id: _partitions(cached.number, len(cached.lanes)) for cached in self._sales.all()}
        try:
            async with asyncio.timeout(WITHIN_S), self._database.reading("watching") as connection:
                live = await rows.live_sales(connection)
        except STORE_FAILED as error:  # the copies are the best there is; that Postgres is away is told beside
            log.warning("metrics: sales not read", extra={"error": error})
            return known
        return known | {sale.sale_id: _partitions(sale.sale_number, sale.partitions) for sale in live}

    async def _read_rooms(self, live: dict[str, list[Partition]]) -> dict[str, RoomState]:
        rooms = {}
        for sale_id in list(live)[-ROOMS_MAX:]:
            try:
                cached = await self._sales.get(sale_id)
                room = None if cached is None else await self._desk.ready(cached)
            except Exception:  # one room's broken data must not hide all metrics
                log.exception("metrics: room not measured", extra={"sale_id": sale_id})
                continue
            if room is not None and room.state is not None:
                rooms[sale_id] = room.state
        return rooms

    async def _read_orders_store(
        self, live: dict[str, list[Partition]]
    ) -> tuple[dict[tuple[str, str], tuple[int, int]], dict[str, int]]:
        """Return the backlogs and the scheduler's failures, nothing of either when their store is away."""
        lanes = [(sale_id, lane) for sale_id, partitions in live.items() for lane in partitions]
        try:
            counts = await backlog.counts(self._redis, [lane for _, lane in lanes]) if lanes else []
            failures = await scheduler_failures.read(self._redis)
        except STORE_FAILED as error:  # the other metrics matter most when a store is away
            log.warning("metrics: backlog not measured", extra={"error": error})
            return {}, {}
        places = [(sale_id, str(number)) for sale_id, (_, number) in lanes]
        return dict(zip(places, counts, strict=True)), failures


def _partitions(number: int, partitions: int) -> list[Partition]:
    return [(number, partition) for partition in range(partitions)]
