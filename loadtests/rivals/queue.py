"""The rival with a queue: orders become jobs in a table, and workers take them one by one with `skip locked`.

What the queues that people install on Postgres do (Solid Queue, procrastinate, pgmq), without their overhead: one
insert an order, one statement a job, which reserves, writes order, line and event, and deletes the job. Owns the little
application and its workers on the baseline's tables. Environment: BASELINE_DSN, on this machine only.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import asyncpg
import falcon
import falcon.asgi
import msgspec

from db.query_files import load
from doorbuster.contract.orders import OrderRequest
from loadtests.rivals.baseline import Connections
from loadtests.scene.loopback import check_database
from loadtests.scene.servers import serving, stop

MODULE = "loadtests.rivals.queue"
LEFT_BY = "jobs_left"
WORKERS = 8
"""Connections of the process that works jobs off: of 1, 4, 8 and 16 the last two were as fast, the others slower."""
_EMPTY_S = 0.005
_SQL = load("baseline")
_read = msgspec.json.Decoder(OrderRequest).decode


class Enqueueing:
    """Puts an order into the queue before answering: it is durable then, and its units are not decided."""

    def __init__(self, connections: Connections, *, statement: str = "enqueue") -> None:
        self._connections = connections
        self._enqueue = _SQL[statement]

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, sale: str) -> None:  # noqa: ARG002
        """Make a job of the order's first line and answer 202."""
        pool = self._connections.pool
        assert pool is not None
        order = _read(await req.stream.read())
        line = order.lines[0]
        key = req.get_header("Idempotency-Key", required=True)
        order_id = uuid4()
        await pool.execute(self._enqueue, order_id, order.customer_id, key, line.product_id, line.quantity)
        resp.status = falcon.HTTP_202
        resp.content_type = falcon.MEDIA_JSON
        resp.data = b'{"order_id":"%b","status":"accepted"}' % str(order_id).encode()


def create_app() -> falcon.asgi.App[Any, Any]:
    """Return the application that takes orders."""
    connections = Connections(os.environ["BASELINE_DSN"], int(os.environ.get("BASELINE_POOL", "8")))
    app = falcon.asgi.App(middleware=[connections])
    app.add_route("/sales/{sale}/orders", Enqueueing(connections))
    return app


@asynccontextmanager
async def queueing(dsn: str, folder: Path, *, module: str) -> AsyncIterator[str]:
    """Serve a module's application and run it for its workers; yield the base URL."""
    with Path(folder, "workers.log").open("wb") as log:  # noqa: ASYNC230 - once, before anything is measured
        workers = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module),
            env={**os.environ, "BASELINE_DSN": dsn},
            stdout=log,
            stderr=log,
        )
        try:
            async with serving(f"{module}:create_app()", Path(folder, "log"), BASELINE_DSN=dsn) as base:
                yield base
        finally:
            await stop(workers)


async def wait_until_empty(dsn: str, *, bound_s: float, left_by: str) -> None:
    """Wait until every job is done, by the statement that counts those that are not.

    Raises:
        TimeoutError: it takes longer than `bound_s`.
    """
    ends = monotonic() + bound_s
    connection = await asyncpg.connect(check_database(dsn))
    try:
        while left := await connection.fetchval(_SQL[left_by]):
            if monotonic() > ends:
                raise TimeoutError(f"{left} jobs are left after {bound_s:g} s")
            await asyncio.sleep(_EMPTY_S)
    finally:
        await connection.close()


async def work(dsn: str) -> None:
    """Work jobs off, one a transaction over so many connections, until SIGTERM."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await asyncio.gather(*(_work_on(dsn, over) for _ in range(WORKERS)))


async def _work_on(dsn: str, over: asyncio.Event) -> None:
    connection = await asyncpg.connect(check_database(dsn))
    try:
        statement = await connection.prepare(_SQL["work_off"])
        while not over.is_set():
            if not await statement.fetchval():
                await asyncio.sleep(_EMPTY_S)
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(work(os.environ["BASELINE_DSN"]))
