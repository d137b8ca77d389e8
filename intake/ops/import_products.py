"""The import of a catalogue over HTTP: JSON Lines, a product a line. Owns how the body comes and how it is answered.

The body is kept on disk until it is whole; then a process of its own reads and writes it, so that neither memory nor
time of the process that serves shoppers goes into it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import suppress
from typing import IO, TYPE_CHECKING

import msgspec

from doorbuster.contract.ops import ImportReport
from doorbuster.errors import InvalidError, StoreUnavailableError
from intake.ops import import_process
from intake.ops.change_log import author_of
from intake.web.json_lines import keep, require_json_lines
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.responses import write

if TYPE_CHECKING:
    from asyncio.subprocess import Process

    from falcon.asgi import Request, Response

    from db.ops_log import Author
    from intake.database import Database

IMPORTS_MAX = 2
"""Imports that one process takes at a time."""


class ImportProducts:
    """Resource of a catalogue's import."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running = 0

    async def on_post(self, req: Request, resp: Response) -> None:
        """Write the good lines in chunks, name the bad ones; again is safe."""
        require_json_lines(req)
        refuse_unknown_params(req, "price_unit")
        unit = req.get_param("price_unit") or ""
        if unit not in import_process.UNITS:
            raise InvalidError.naming([("price_unit", "must be minor or major")])
        author = author_of(req)  # refused before anything is written
        if self._running >= IMPORTS_MAX:
            raise RefusedError("overloaded", f"{IMPORTS_MAX} imports are under way already")
        self._running += 1
        try:
            with tempfile.TemporaryFile() as file:
                await keep(req, file)
                write(resp, await _imported(file, self._database.dsn, unit, author))
        finally:
            self._running -= 1


async def _imported(file: IO[bytes], dsn: str, unit: str, author: Author) -> ImportReport:
    """Have the file imported by a process of its own; return its report.

    Raises:
        InvalidError: it refused the file as a whole.
        StoreUnavailableError: the database went away; what went in is in the log of ops.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", import_process.__name__, unit, author.operator, author.key_name or "",
        stdin=file, stdout=asyncio.subprocess.PIPE, env=os.environ | {"DATABASE_URL": dsn},
    )  # fmt: skip
    try:
        output, _ = await process.communicate()
    except BaseException:  # the request was given up
        await _killed(process)
        raise
    if process.returncode == import_process.REFUSED:
        raise InvalidError.naming(msgspec.json.decode(output, type=list[tuple[str, str]]))
    if process.returncode == import_process.AWAY:
        raise StoreUnavailableError("The database went away; what was imported stands in /ops/audit")
    if process.returncode != 0:
        raise RuntimeError(f"the import's process ended with {process.returncode}")
    return msgspec.json.decode(output, type=ImportReport)


async def _killed(process: Process) -> None:
    """Kill it and wait for its end, however often that is cancelled: it would outlive the loop at the intake's end."""
    if process.returncode is None:
        process.kill()
    while process.returncode is None:
        with suppress(asyncio.CancelledError):  # who calls is cancelled already
            await process.wait()
