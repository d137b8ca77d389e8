"""`/healthz`, `/readyz` and `/metrics`. Owns what ready means: stores there, order store durable, schema current."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import msgspec

from db.migrate import pending
from doorbuster.contract.problems import JSON
from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import backlog, scheduler_failures, server
from intake.monitoring import metrics as measured
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from falcon.asgi import Request, Response
    from redis.asyncio import Redis

    from intake.accepting.durability import Durability
    from intake.accepting.store_memory import StoreMemory
    from intake.database import Database
    from intake.monitoring.metrics import Metrics
    from intake.monitoring.progress import Progress
    from intake.monitoring.read_metrics import ReadFigures
    from intake.room.cache import RoomCache
    from intake.sales.cache import Sales
    from intake.server.guard import Guard
    from intake.web.ops_keys import OpsKeys

log = logging.getLogger("doorbuster.intake.health")

CHECK_S = 3.0
INSIDE = frozenset({"/metrics", "/readyz"})
_encode = msgspec.json.Encoder().encode


class HealthChecks:
    """Asks every store how it is."""

    def __init__(
        self, database: Database, redis: Redis, durability: Durability, guard: Guard, memory: StoreMemory
    ) -> None:
        self._memory = memory
        self._database = database
        self._redis = redis
        self._durability = durability
        self._guard = guard

    @property
    def durability_faults(self) -> str:
        """What makes the order store less durable than it must be, empty when nothing does."""
        return "; ".join(self._durability.faults)

    async def look(self) -> tuple[bool, dict[str, Any]]:
        """Return whether orders can be taken, and each check with its reason."""
        postgres, orders = await asyncio.gather(self._postgres(), self._orders())
        durable: dict[str, Any] = {"ok": not self._durability.faults}
        if self._durability.faults:
            durable["reason"] = "; ".join(self._durability.faults)
        if self._durability.notes:
            durable["notes"] = self._durability.notes
        checks: dict[str, Any] = {"postgres": postgres, "orders_store": orders, "durability": durable}
        if self._guard.protocol_fault:  # orders are taken all the same
            checks["http_protocol"] = {"ok": True, "notes": [self._guard.protocol_fault]}
        if self._guard.stopping:
            checks["process"] = {"ok": False, "reason": "the process is ending"}
        return all(check["ok"] for check in checks.values()), checks

    async def _postgres(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(CHECK_S), self._database.reading() as connection:
                missing = await pending(connection)
        except STORE_FAILED as error:
            return {"ok": False, "reason": f"Postgres does not answer: {type(error).__name__}"}
        if missing:
            return {"ok": False, "reason": f"migrations are missing: {', '.join(missing)}"}
        return {"ok": True}

    async def _orders(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(CHECK_S):
                await server.ping(self._redis)
        except STORE_FAILED as error:
            return {"ok": False, "reason": f"the order store does not answer: {type(error).__name__}"}
        return self._memory.check


class Inside:
    """Middleware where shoppers alone come, because ops have a listener of their own: there is no inside to see there.

    With an ops key there is: each process can tell of itself only.
    """

    def __init__(self, keys: OpsKeys) -> None:
        self._keys = keys

    async def process_request(self, req: Request, _resp: Response) -> None:
        """Refuse what tells of the inside.

        Raises:
            RefusedError: `not_found`.
        """
        if req.path in INSIDE and not await self._keys.is_in(req.scope):
            raise RefusedError("not_found", "There is nothing here")


class ShowLiveness:
    """Resource that answers while the process can answer at all."""

    async def on_get(self, _req: Request, resp: Response) -> None:
        """Say so."""
        resp.content_type = JSON
        resp.data = b'{"status":"alive"}'


class ShowReadiness:
    """Resource that says whether orders can be taken now."""

    def __init__(self, health: HealthChecks, progress: Progress) -> None:
        self._health = health
        self._progress = progress

    async def on_get(self, _req: Request, resp: Response) -> None:
        """Show each check, 503 if any fails; and how late the stages are that follow, which does not stop orders."""
        (ready, checks), progress = await asyncio.gather(self._health.look(), self._measured())
        body = {"status": "ready" if ready else "not_ready", "checks": checks, "progress": progress}
        resp.status = 200 if ready else 503
        resp.content_type = JSON
        resp.cache_control = ["no-store"]
        resp.data = _encode(body)

    async def _measured(self) -> dict[str, Any]:
        try:
            return (await self._progress.look()).shown()
        except STORE_FAILED as error:
            return {"late": [f"it cannot be measured: {type(error).__name__}"]}


class ShowMetrics:
    """Resource of the metrics."""

    def __init__(
        self, metrics: Metrics, sales: Sales, redis: Redis, desk: RoomCache, reads: ReadFigures, progress: Progress
    ) -> None:
        self._metrics = metrics
        self._progress = progress
        self._sales = sales
        self._redis = redis
        self._desk = desk
        self._reads = reads

    async def on_get(self, _req: Request, resp: Response) -> None:
        """Show all metrics of all processes, with the backlog and the rooms as they are now."""
        self._reads.flush()
        await self._read_rooms()
        try:
            await self._read_backlog()
            await self._read_failures()
            self._metrics.progress(await self._progress.look())
        except STORE_FAILED as error:  # the other metrics matter most when a store is away
            log.warning("metrics: backlog not measured", extra={"error": repr(error)})
            self._metrics.backlog.clear()
            self._metrics.backlog_bytes.clear()
            self._metrics.progress(None)
        resp.content_type = measured.MEDIA
        resp.data = self._metrics.show()

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
