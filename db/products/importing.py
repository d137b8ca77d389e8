"""An import under way: writes chunks, finds the culprit of a refused one, keeps the import's entry in the log of ops.

Owns what went in, and which products stood twice; never reads a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from db import ops_log
from db.connections.server_connection import is_pooled
from db.products import products
from doorbuster.errors import InvalidError
from doorbuster.failures import ROW_REFUSED

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from db.products.products import ImportRow
    from doorbuster.contract.products import ProductLine

CHUNK_ROWS = 1_000
CHUNK_BYTES = 4 * 2**20
"""A chunk is written when it has as many rows, or came from as many bytes."""
ATTRIBUTES_MAX = 2**20
"""Bytes of a product's attributes as JSON."""


class _RehearsedError(Exception):
    """Rolls a transaction back that was tried only."""


class ImportCounts(Protocol):
    """Who is told what becomes of lines."""

    @property
    def rejected_count(self) -> int:
        """Lines that were not taken."""

    def reject(self, row: ImportRow, problem: str) -> None:
        """Take note that a row was refused by the database."""

    def double(self, row: ImportRow, before: int) -> None:
        """Take note that the row's product stood in an earlier line too: the later one counts."""


def row_of(number: int, line: ProductLine) -> ImportRow:
    """Return a checked line as a row to write.

    Raises:
        InvalidError: its attributes are too large.
    """
    attributes: bytes | UnsetType = UNSET
    if line.attributes is not UNSET:
        attributes = msgspec.json.encode(line.attributes)
        if len(attributes) > ATTRIBUTES_MAX:
            problem = f"have {len(attributes)} bytes as JSON, at most {ATTRIBUTES_MAX} are taken"
            raise InvalidError.naming([("attributes", problem)])
    product = products.ImportedProduct(
        product_id=line.product_id, name=line.name, brand=line.brand, category=line.category, price=line.price,
        currency=line.currency, description=line.description, active=line.active, attributes=attributes,
    )  # fmt: skip
    return products.ImportRow(number, product, line.stock)


def _size(row: ImportRow) -> int:
    """Return about how many bytes a row keeps."""
    one = row.product
    attributes = len(one.attributes) if isinstance(one.attributes, bytes) else 0
    return 500 + 4 * (len(one.name) + len(one.description or "" if one.description is not UNSET else "")) + attributes


class Importing:
    """One import; `rehearse`: everything is tried, nothing stays."""

    def __init__(
        self, report: ImportCounts, *, author: ops_log.Author = ops_log.NOBODY, rehearse: bool = False
    ) -> None:
        self._report = report
        self._author = author
        self.rehearse = rehearse
        self.begun = False
        self._entry: int | None = None
        self._lines: dict[str, int] | None = None
        """In which line each product stood, behind a pooler, where no session remembers it: some 150 bytes each."""
        self._chunk: list[ImportRow] = []
        self._size = 0
        self.imported = 0
        """Products that were written or would be; each counts once."""
        self.new = 0
        self.changed = 0

    async def begin(self, connection: Connection) -> None:
        """Begin on a connection, which is the import's until it ends."""
        self._connection = connection
        if is_pooled(connection):
            self._lines = {}
        else:
            await products.begin_lines(connection)
        self.begun = True

    async def add(self, row: ImportRow, kept: int = 0) -> bool:
        """Take a row, beside which the caller keeps so many bytes; True if the chunk was written with it."""
        self._chunk.append(row)
        self._size += _size(row) + kept
        if len(self._chunk) < CHUNK_ROWS and self._size < CHUNK_BYTES:
            return False
        await self.flush()
        return True

    async def flush(self) -> None:
        """Write the chunk."""
        chunk, self._chunk, self._size = self._chunk, [], 0
        if not chunk:
            return
        before = await self._earlier_lines(chunk)
        written = await self._write(self._latest(chunk, dict(before)))
        self.imported -= sum(row.product.product_id in before for row in written)
        if self._lines is None:
            await products.keep_lines(self._connection, written)
        else:
            self._lines.update((row.product.product_id, row.line) for row in written)

    async def _earlier_lines(self, chunk: list[ImportRow]) -> dict[str, int]:
        if self._lines is None:
            return await products.earlier_lines(self._connection, chunk)
        ids = {row.product.product_id for row in chunk}
        return {product_id: self._lines[product_id] for product_id in ids & self._lines.keys()}

    async def finish(self, broken: str | None = None) -> None:
        """Write the rest, and into the log that the import came to its end, or what broke it."""
        await self.flush()
        if self._entry is not None:
            more = {"broken": broken} if broken else {}
            await ops_log.amend(self._connection, self._entry, self._said(self.imported) | more)

    def _latest(self, chunk: list[ImportRow], lines: dict[str, int]) -> list[ImportRow]:
        """Return the last row of each product; `lines` has where products stood before the chunk."""
        latest: dict[str, ImportRow] = {}
        for row in chunk:
            product_id = row.product.product_id
            if product_id in lines:
                self._report.double(row, lines[product_id])
            lines[product_id] = row.line
            latest[product_id] = row
        return list(latest.values())

    async def _write(self, rows: Sequence[ImportRow]) -> list[ImportRow]:
        """Write the rows, return those that went in; a chunk that is refused is split until the culprit is found."""
        try:
            await self._commit(rows)
        except ROW_REFUSED as error:
            if len(rows) == 1:
                self._report.reject(rows[0], str(error).partition("\n")[0])
                return []
            middle = len(rows) // 2
            return await self._write(rows[:middle]) + await self._write(rows[middle:])
        return list(rows)

    async def _commit(self, rows: Sequence[ImportRow]) -> None:
        entry = self._entry
        with suppress(_RehearsedError):
            async with self._connection.transaction():
                merged = await products.import_products(self._connection, rows)
                if self.rehearse:
                    raise _RehearsedError
                entry = await self._note(self.imported + len(rows))
        self._entry = entry
        self.imported += len(rows)
        self.new += merged.new
        self.changed += merged.changed

    async def _note(self, imported: int) -> int:
        """Write what goes in with the transaction into the import's entry: also an import that dies has one."""
        said = self._said(imported) | {"unfinished": True}
        if self._entry is None:
            return await ops_log.note(self._connection, "import", "catalogue", said, author=self._author)
        await ops_log.amend(self._connection, self._entry, said)
        return self._entry

    def _said(self, imported: int) -> dict[str, object]:
        return {"imported": imported, "rejected": self._report.rejected_count}
