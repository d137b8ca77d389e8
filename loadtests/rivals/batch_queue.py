"""The rival with a queue of batches: one consumer takes what came since its last tick, and reserves an order at a time.

After PgQ, as its documentation tells: events are only ever added, a tick is a snapshot, a batch is what one tick sees
and the one before did not, and it is done in one transaction with the consumer's place. No package brings PgQ's own
SQL, and a benchmark downloads nothing; what it does besides is left out, so that this is faster, not slower. Owns the
application and its consumer on the baseline's tables. Environment: BASELINE_DSN, on this machine only.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import asyncpg
import falcon.asgi

from db.query_files import load
from loadtests.rivals.baseline import Connections
from loadtests.rivals.queue import Enqueueing
from loadtests.scene.loopback import check_database

MODULE = "loadtests.rivals.batch_queue"
LEFT_BY = "events_left"
_EMPTY_S = 0.005
_SQL = load("baseline")


def create_app() -> falcon.asgi.App[Any, Any]:
    """Return the application that takes orders."""
    connections = Connections(os.environ["BASELINE_DSN"], int(os.environ.get("BASELINE_POOL", "8")))
    app = falcon.asgi.App(middleware=[connections])
    app.add_route("/sales/{sale}/orders", Enqueueing(connections, statement="add_event"))
    return app


async def consume(dsn: str) -> None:
    """Work batches off, one a transaction, until SIGTERM."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    connection = await asyncpg.connect(check_database(dsn))
    try:
        while not over.is_set():
            if not await work_off(connection):
                await asyncio.sleep(_EMPTY_S)
    finally:
        await connection.close()


async def work_off(connection: asyncpg.Connection[Any]) -> int:
    """Work off what came since the last tick, statements sent ahead of their answers; return how many."""
    tick = await connection.fetchval(_SQL["tick"])
    async with connection.transaction():
        batch = await connection.fetch(_SQL["next_batch"], tick)
        if batch:
            await connection.executemany(_SQL["reserve"], [tuple(event) for event in batch])
            await connection.execute(_SQL["finish_batch"], tick, len(batch))
    return len(batch)


if __name__ == "__main__":
    asyncio.run(consume(os.environ["BASELINE_DSN"]))
