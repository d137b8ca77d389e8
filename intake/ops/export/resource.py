"""`GET /ops/orders:export`: all orders as a file, streamed. Owns the stream's life; reads by `db/orders/exporting.py`.

A stream that breaks is never ended as a whole one is: its last chunk is missing. No connection to a store is held while
whoever takes the rows is slow, and who stops taking them is cut off as everybody is (`WRITE_TIMEOUT_S`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

from db.orders.exporting import ExportFilter, Exporting
from db.orders.view import show
from doorbuster.errors import InvalidError
from doorbuster.failures import ANTICIPATED
from intake.ops.export.rows import csv_head, csv_rows, json_rows
from intake.ops.order_filters import moments_of, reason_of, status_of
from intake.server.asgi import RECEIVE, BodyError, BrokenStreamError
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable

    from falcon.asgi import Request, Response

    from db.connections.pool import Connection
    from db.connections.replicas import Replicas
    from doorbuster.contract.orders import OrderView
    from intake.database import Database
    from intake.server.asgi import Receive

    Rows = Callable[[Iterable[OrderView]], bytes]

T = TypeVar("T")
PAGE = 200
"""Orders read at a time; to show them keeps the loop from others for some milliseconds."""
EXPORTS_MAX = 4
"""Exports that one process sends at a time."""
FORMATS: dict[str, tuple[str, bytes, Rows]] = {
    "csv": ("text/csv; charset=utf-8; header=present", csv_head(), csv_rows),
    "jsonl": ("application/x-ndjson", b"", json_rows),
}
"""Of each format its media type, what stands before the rows, and how they look."""

log = logging.getLogger("doorbuster.intake.export")


class ExportOrders:
    """Resource of all orders as a file."""

    streams = True
    """It has no HEAD: a stream's head is of no use without the stream."""

    def __init__(self, database: Database, replicas: Replicas) -> None:
        self._database = database
        self._replicas = replicas
        self._running = 0

    async def on_get(self, req: Request, resp: Response) -> None:
        """Send orders in the order of acceptance, from a replica where there is one."""
        refuse_unknown_params(req, "sale", "status", "reason", "from", "to", "format")
        form = req.get_param("format") or "csv"
        if form not in FORMATS:
            raise InvalidError.naming([("format", f"must be one of {', '.join(FORMATS)}")])
        since, until = moments_of(req)
        sale_id = req.get_param("sale")
        status, reason = status_of(req), reason_of(req)
        chosen = ExportFilter(sale_id=sale_id, status=status, reason=reason, since=since, until=until)
        if self._running >= EXPORTS_MAX:
            raise RefusedError("overloaded", f"{EXPORTS_MAX} exports are under way already")
        exporting = Exporting(chosen, page=PAGE)
        if not await self._read(exporting.begin) and sale_id is not None:
            raise RefusedError("sale_not_found", f"There is no sale {sale_id[:64]!r}")
        first = await self._read(exporting.next_page)
        resp.content_type, head, rows = FORMATS[form]
        resp.set_header("Cache-Control", "no-store")
        resp.set_header("Content-Disposition", f'attachment; filename="orders.{form}"')
        resp.stream = _Stream(self._sent(exporting, head + rows(map(show, first or [])), rows, req.scope[RECEIVE]))

    async def _sent(self, exporting: Exporting, first: bytes, rows: Rows, receive: Receive) -> AsyncGenerator[bytes]:
        """Yield the file page by page, as long as somebody is there."""
        gone = asyncio.create_task(_gone(receive))
        self._running += 1
        try:
            yield first
            while (page := await self._read(exporting.next_page)) is not None:
                if gone.done():
                    raise BrokenStreamError("nobody is there, or not as it must be")
                if page:
                    yield rows(map(show, page))
        except ANTICIPATED as error:
            log.warning("export broken off", extra={"error": error})
            raise BrokenStreamError from error
        finally:
            self._running -= 1
            gone.cancel()

    async def _read(self, read: Callable[[Connection], Awaitable[T]]) -> T:
        """Read from a replica if one can be read from, else from the primary among the work of ops."""
        if any(replica.usable for replica in self._replicas.replicas):
            return await self._replicas.read(lambda connection, _lsn: read(connection))
        async with self._database.working() as connection:
            return await read(connection)


class _Stream:
    """Rows on their way; Falcon closes them however they end."""

    def __init__(self, rows: AsyncGenerator[bytes]) -> None:
        self._rows = rows

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._rows)

    async def close(self) -> None:
        """Let the rows go."""
        await self._rows.aclose()


async def _gone(receive: Receive) -> None:
    """Wait until nobody is there any more, or sends a body that does not end."""
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    except BodyError as error:
        log.warning("export given up", extra={"error": error})
