"""`/healthz` and `/readyz`. Owns what ready means: stores there, order store durable, schema current."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from db.connections.fence import NoPrimaryError
from db.migrate import pending
from db.work import store_losses
from doorbuster.contract.problems import JSON
from doorbuster.failures import STORE_FAILED
from doorbuster.orderstore import server
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from falcon.asgi import Request, Response
    from redis.asyncio import Redis

    from intake.accepting.durability import Durability
    from intake.accepting.store_memory import StoreMemory
    from intake.database import Database
    from intake.monitoring.progress import Progress
    from intake.server.guard import Guard
    from intake.web.ops_keys import OpsKeys

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
        self._losses = ""
        """What was lost within a day, as it was last known."""

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
        if notes := [*filter(None, [self._losses]), *self._durability.notes]:
            durable["notes"] = notes
        checks: dict[str, Any] = {"postgres": postgres, "orders_store": orders, "durability": durable}
        if self._guard.protocol_fault:  # orders are taken all the same
            checks["http_protocol"] = {"ok": True, "notes": [self._guard.protocol_fault]}
        if self._guard.stopping:
            checks["process"] = {"ok": False, "reason": "the process is ending"}
        return all(check["ok"] for check in checks.values()), checks

    async def _postgres(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(CHECK_S), self._database.reading("watching") as connection:
                if not (missing := await pending(connection)):
                    self._losses = (await store_losses.summary(connection)).words
                shown = self._database.shown(connection)
                shown |= await self._database.warnings(connection)
        except NoPrimaryError as error:
            return {"ok": False, "reason": f"Postgres cannot be written to: {error}"} | self._database.shown()
        except STORE_FAILED as error:
            return {"ok": False, "reason": f"Postgres does not answer: {type(error).__name__}"} | self._database.shown()
        if missing:
            return {"ok": False, "reason": f"migrations are missing: {', '.join(missing)}"} | shown
        return {"ok": True} | shown

    async def _orders(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(CHECK_S):
                away = await server.away(self._redis)
        except STORE_FAILED as error:
            return {"ok": False, "reason": f"the order store does not answer: {type(error).__name__}"}
        check = self._memory.check
        if away:  # the others' partitions take orders: a process that is not ready would keep them from those as well
            notes = [*check.get("notes", []), f"nodes of the order store do not answer: {', '.join(away)}"]
            check = check | {"notes": notes}
        return check


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
