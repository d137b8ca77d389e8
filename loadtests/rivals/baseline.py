"""The synchronous baseline: the same server reserves each order with one statement before it answers.

Owns its tables (schema `baseline`) and the little application on them; never touches Doorbuster's own tables.
Environment: BASELINE_DSN, on this machine only; BASELINE_POOL, connections of the process.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import falcon
import falcon.asgi
import msgspec

from db.query_files import load
from doorbuster.contract.orders import OrderRequest
from loadtests.scene.loopback import check_database

_read = msgspec.json.Decoder(OrderRequest).decode


class Connections:
    """The process's pool, open from start-up to shutdown."""

    def __init__(self, dsn: str, count: int) -> None:
        self._dsn = check_database(dsn)
        self._count = count
        self.pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def process_startup(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Open the pool."""
        self.pool = await asyncpg.create_pool(self._dsn, min_size=self._count, max_size=self._count)

    async def process_shutdown(self, scope: Mapping[str, Any], event: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Close the pool."""
        if self.pool:
            await self.pool.close()


class Reserving:
    """Reserves stock for an order, or refuses it, before answering."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._reserve = load("baseline")["reserve"]

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, sale: str) -> None:  # noqa: ARG002
        """Reserve the order's first line and answer 201, or 409."""
        pool = self._connections.pool
        assert pool is not None
        order = _read(await req.stream.read())
        line = order.lines[0]
        order_id = uuid4()
        key = req.get_header("Idempotency-Key", required=True)
        found = await pool.fetchval(self._reserve, line.product_id, line.quantity, order_id, order.customer_id, key)
        resp.content_type = falcon.MEDIA_JSON
        if found:
            resp.status = falcon.HTTP_201
            resp.data = b'{"order_id":"%b","status":"confirmed"}' % str(order_id).encode()
        else:
            resp.status = falcon.HTTP_409
            resp.data = b'{"code":"sold_out"}'


def create_app() -> falcon.asgi.App[Any, Any]:
    """Return the baseline's application."""
    connections = Connections(os.environ["BASELINE_DSN"], int(os.environ.get("BASELINE_POOL", "8")))
    app = falcon.asgi.App(middleware=[connections])
    app.add_route("/sales/{sale}/orders", Reserving(connections))
    return app


@asynccontextmanager
async def tables(dsn: str, *, product_id: str, stock: int) -> AsyncIterator[None]:
    """Make the baseline's tables with one product on stock; drop them at the end."""
    statements = load("baseline")
    connection = await asyncpg.connect(check_database(dsn))
    try:
        await connection.execute(statements["create_tables"])
        await connection.execute(statements["put_stock"], product_id, stock)
        yield
        await connection.execute(statements["drop_tables"])
    finally:
        await connection.close()
