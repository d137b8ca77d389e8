"""The import of a catalogue over HTTP: JSON Lines, a product a line. Owns how lines are read and chunks are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from db import products as rows
from doorbuster.contract import ProductLine
from doorbuster.errors import DoorbusterError
from doorbuster.ops_contract import ImportReport, Rejected
from doorbuster.reading import read
from intake.ops_log import note, operator_of
from intake.ops_products import row_of
from intake.ops_reading import write
from intake.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from falcon.asgi import Request, Response

    from db.pool import Connection
    from intake.database import Database

CHUNK = 500
LINE_MAX = 2**20
"""As for `doorbuster import`."""
REJECTED_MAX = 1000
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_line = msgspec.json.Decoder(ProductLine)


class ImportProducts:
    """Resource of a catalogue's import."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_post(self, req: Request, resp: Response) -> None:
        """Write the good lines in chunks, name the bad ones; again is safe."""
        _require_json_lines(req)
        operator_of(req)  # refused before anything is written
        report = ImportReport(0, [])
        try:
            await self._take(req, report)
        finally:
            if report.imported:  # also what came before a failure
                await self._note(req, report)
        write(resp, report)

    async def _take(self, req: Request, report: ImportReport) -> None:
        chunk: dict[str, rows.ImportRow] = {}
        number = 0
        async with self._database.working() as connection:
            async for line in _lines(req.stream):
                number += 1
                row = _row(line, number, report)
                if row is None:
                    continue
                chunk[row.product.product_id] = row  # the last of the same id counts
                if len(chunk) >= CHUNK:
                    await _write(connection, chunk, report)
            await _write(connection, chunk, report)

    async def _note(self, req: Request, report: ImportReport) -> None:
        async with self._database.working() as connection:
            said = {"imported": report.imported, "rejected": report.rejected_count}
            await note(connection, req, "import", "catalogue", said)


def _require_json_lines(req: Request) -> None:
    """Refuse what says it is something else: read as JSON Lines, each of its lines would be wrong."""
    media = (req.content_type or "").partition(";")[0].strip().lower()
    if media and "json" not in media and media != "application/octet-stream":
        raise RefusedError("unsupported_media_type", "The body must be JSON Lines: application/x-ndjson")
    if (req.get_header("Content-Encoding") or "identity").strip().lower() != "identity":
        raise RefusedError("unsupported_media_type", "The body must not be compressed")


def _row(line: bytes | None, number: int, report: ImportReport) -> rows.ImportRow | None:
    if line is None:
        _reject(report, number, f"is longer than {LINE_MAX} bytes")
        return None
    if number == 1:
        line = line.removeprefix(_BYTE_ORDER_MARK)
    if not line.strip():
        return None
    try:
        wanted = read(line, _line)
    except DoorbusterError as error:
        _reject(report, number, error.detail)
        return None
    return rows.ImportRow(number, row_of(wanted.product_id, wanted), wanted.stock)


def _reject(report: ImportReport, number: int, problem: str) -> None:
    report.rejected_count += 1
    if len(report.rejected) < REJECTED_MAX:
        report.rejected.append(Rejected(number, problem))


async def _write(connection: Connection, chunk: dict[str, rows.ImportRow], report: ImportReport) -> None:
    if chunk:
        refused = await rows.import_or_name(connection, list(chunk.values()))
        for number, problem in refused:
            _reject(report, number, problem)
        report.imported += len(chunk) - len(refused)
        chunk.clear()


async def _lines(stream: AsyncIterable[bytes]) -> AsyncIterator[bytes | None]:
    """Yield every line, None for one that is too long: the rest of it is thrown away as it comes."""
    rest, too_long = b"", False
    async for part in stream:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield None if too_long or len(line) > LINE_MAX else line
            too_long = False
        if len(rest) > LINE_MAX:
            rest, too_long = b"", True
    if rest or too_long:
        yield None if too_long else rest
