"""`GET /ops/promises`: what `doorbuster audit` prints, as JSON. Owns how many look at a time and for how long.

An audit reads nearly everything there is. So whoever asks while one runs gets that one's answer, another process of the
intake is told to wait, and a replica is asked what concerns all of Postgres, where there is one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from db.audit import promises
from db.connections.pool import connect
from db.connections.server_connection import set_from_here_on
from doorbuster.failures import POSTGRES_FAILED, REDIS_FAILED
from doorbuster.log import shared_context
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.responses import write
from readiness import audited

if TYPE_CHECKING:
    from falcon.asgi import Request, Response
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from db.connections.replicas import Replicas
    from doorbuster.contract.night.promises import PromisesView
    from intake.database import Database

LOOK_S = 60.0
"""How long an audit may take; `doorbuster audit` has more time."""
BUSY_S = 5.0
APPLICATION = "doorbuster-audit"

log = logging.getLogger("doorbuster.intake.audit")


class Promises:
    """Resource of whether every promise holds."""

    def __init__(self, database: Database, orders: Redis, replicas: Replicas, jobs: Redis) -> None:
        self._database, self._orders, self._replicas, self._jobs = database, orders, replicas, jobs
        self._running: asyncio.Task[PromisesView] | None = None

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show each figure with its verdict; 200 also when a promise is broken: `breaches` says so."""
        refuse_unknown_params(req)
        write(resp, await self.look())
        resp.set_header("Cache-Control", "no-store")

    async def look(self) -> PromisesView:
        """Return what an audit finds: one that is under way in this process, or a new one.

        Raises:
            RefusedError: another process's is under way, or this one took too long.
        """
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._bounded(), context=shared_context())
        return await asyncio.shield(self._running)

    async def _bounded(self) -> PromisesView:
        try:
            async with asyncio.timeout(LOOK_S):
                found = await self._audit()
        except TimeoutError as error:
            said = f"The audit did not end within {LOOK_S:.0f} s; `doorbuster audit` takes the time it needs"
            raise RefusedError("overloaded", said, retry_after_s=LOOK_S) from error
        await self._tell(found)
        return found

    async def _tell(self, found: PromisesView) -> None:
        """Note it for the metrics, and so for the alert."""
        try:
            await audited.tell(self._jobs, found)
        except REDIS_FAILED as error:  # whoever asked is answered all the same
            log.warning("the audit's result could not be noted", extra={"error": error})

    async def _audit(self) -> PromisesView:
        # The turn has a connection of its own: an audit is several transactions, and the turn is one.
        turn = await connect(self._database.dsn, command_timeout_s=LOOK_S, application=APPLICATION)
        try:
            async with turn.transaction():
                if not await promises.take_turn(turn):
                    raise RefusedError("overloaded", "An audit is under way already", retry_after_s=BUSY_S)
                return await self._look()
        finally:
            turn.terminate()

    async def _look(self) -> PromisesView:
        connection = await connect(self._database.dsn, command_timeout_s=LOOK_S, application=APPLICATION, steady=False)
        try:
            await set_from_here_on(connection, {"max_parallel_workers_per_gather": "0"})  # one processor at most
            for replica in self._replicas.replicas:
                if replica.usable and (found := await self._with_replica(connection, replica.dsn)) is not None:
                    return found
            return await promises.look(connection, self._orders)
        finally:
            await connection.close()

    async def _with_replica(self, connection: Connection, dsn: str) -> PromisesView | None:
        """Return what is found with a replica's help, None where it did not help: a long read there may be ended."""
        try:
            whole = await connect(dsn, command_timeout_s=LOOK_S, application=APPLICATION, steady=False, role="any")
            try:
                return await promises.look(connection, self._orders, whole=whole)
            finally:
                await whole.close()
        except POSTGRES_FAILED as error:
            log.info("a replica did not bear the audit", extra={"error": error})
            return None
