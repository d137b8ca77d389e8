"""`/metrics`. Owns which figures are read at each look; their names stand with what counts them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import backlog, scheduler_failures
from intake.monitoring import metrics as measured

if TYPE_CHECKING:
    from falcon.asgi import Request, Response
    from redis.asyncio import Redis

    from intake.monitoring.metrics import Metrics
    from intake.monitoring.read_metrics import ReadFigures
    from intake.monitoring.watch import Watch
    from intake.room.cache import RoomCache
    from intake.sales.cache import Sales

log = logging.getLogger("doorbuster.intake.health")


class ShowMetrics:
    """Resource of the metrics."""

    def __init__(
        self, metrics: Metrics, sales: Sales, redis: Redis, desk: RoomCache, reads: ReadFigures, watch: Watch
    ) -> None:
        self._metrics = metrics
        self._watch = watch
        self._sales = sales
        self._redis = redis
        self._desk = desk
        self._reads = reads

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show all metrics of all processes, with the backlog and the rooms as they are now."""
        self._reads.flush()
        await self._read_rooms()
        await self._watch.look()
        try:
            await self._read_backlog()
            await self._read_failures()
        except STORE_FAILED as error:  # the other metrics matter most when a store is away
            log.warning("metrics: backlog not measured", extra={"error": repr(error)})
            self._metrics.backlog.clear()
            self._metrics.backlog_bytes.clear()
        openmetrics = "application/openmetrics-text" in req.accept
        resp.content_type = measured.OPENMETRICS if openmetrics else measured.MEDIA
        resp.data = self._metrics.show(openmetrics=openmetrics)

    async def _read_rooms(self) -> None:
        for cached in self._sales.all():
            try:
                room = await self._desk.ready(cached)
            except Exception:  # one room's broken data must not hide all metrics
                log.exception("metrics: room not measured", extra={"sale_id": cached.sale.sale_id})
                continue
            if room is not None and room.state is not None:
                self._metrics.room(cached.sale.sale_id, room.state)

    async def _read_failures(self) -> None:
        for part, times in (await scheduler_failures.read(self._redis)).items():
            self._metrics.scheduler_failures.labels(part).set(times)

    async def _read_backlog(self) -> None:
        lanes = [(cached, lane.partition) for cached in self._sales.all() for lane in cached.lanes]
        if not lanes:
            return
        counts = await backlog.counts(self._redis, [(cached.number, partition) for cached, partition in lanes])
        for (cached, partition), (orders, held) in zip(lanes, counts, strict=True):
            self._metrics.backlog.labels(cached.sale.sale_id, str(partition)).set(orders)
            self._metrics.backlog_bytes.labels(cached.sale.sale_id, str(partition)).set(held)
