"""`doorbuster import`: writes a catalogue file into the database, in chunks, telling what is wrong line by line."""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import click

from db import ops_log, pool
from db.products import ImportRow, import_products, settle_catalogue
from doorbuster.cli import options
from doorbuster.cli.catalogue_file import Line, read_lines
from doorbuster.cli.catalogue_map import Columns, make_mapping, to_row
from doorbuster.cli.database import answering
from doorbuster.cli.ops import operator
from doorbuster.embedded.instance import find
from doorbuster.errors import InvalidError

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

_CHUNK = 1_000
_MANY = 1_000
"""Products from which on statistics and indexes are brought up to date at once."""


@dataclass
class Tally:
    """What became of the lines."""

    imported: int = 0
    bad: int = 0
    broken: str | None = None
    """What is wrong with the file behind the last line that could be read."""

    def complain(self, number: int, problem: str) -> None:
        """Tell of a bad line."""
        self.bad += 1
        click.echo(f"line {number}: {problem}", err=True)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--map", "maps", multiple=True, metavar="THEIRS=OURS", help="Their column is our field; again for more.")
@click.option("--default", "defaults", multiple=True, metavar="FIELD=VALUE", help="Where a line has no such field.")
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), help="By default the file's name tells.")
@options.data
def import_catalogue(
    file: Path, maps: tuple[str, ...], defaults: tuple[str, ...], kind: str | None, data: Path | None
) -> int:
    """Import a catalogue: JSON Lines or CSV, plain or gzip, a product a line.

    Fields: product_id, name, brand, category, description, price (minor units), currency, active, attributes, stock.
    Stock is received with a product's first import only, so that importing again is safe.

    Without --map a column that is none of these is refused, naming it. With --map, columns that are neither mapped nor
    known become attributes; `--map COLUMN=` leaves a column out. An Icecat file, for example:

    \b
      doorbuster import icecat_products.jsonl.gz \\
        --map id=product_id --map title=name --map supplier=brand \\
        --map short_description=description \\
        --default category=Electronics --default currency=EUR

    Bad lines are told by number on stderr and the rest is imported; the exit code is then 1. It is 2 if the file
    cannot be read to its end; what could be read is imported.
    """
    columns = make_mapping(maps, defaults)
    tally = Tally()
    url = find(data).url("database")
    try:
        with file.open("rb") as raw, _progress(file.stat().st_size) as bar:
            rows = _rows(_until_broken(file, read_lines(file, raw, kind), tally), columns, tally)
            asyncio.run(_import(url, rows, tally, lambda: bar.update(raw.tell() - bar.pos)))
    except OSError as error:
        raise InvalidError(f"cannot read {file}: {error}") from error
    click.echo(f"imported {tally.imported} products, {tally.bad} bad lines")
    if tally.broken:
        raise InvalidError(tally.broken)
    return 1 if tally.bad else 0


def _progress(length: int) -> ProgressBar[int]:
    return click.progressbar(length=length, file=sys.stderr, hidden=not sys.stderr.isatty())


async def _import(url: str, rows: Iterator[ImportRow], tally: Tally, progress: Callable[[], None]) -> None:
    with answering():
        connection = await pool.connect(url, command_timeout_s=300, application="doorbuster-import")
    try:
        while chunk := list(islice(rows, _CHUNK)):
            with answering():
                await _write(connection, chunk, tally)
            progress()
        if tally.imported:
            with answering():
                said = {"imported": tally.imported, "rejected": tally.bad}
                await ops_log.note(connection, "import", "catalogue", said, operator=operator())
        if tally.imported >= _MANY:
            with answering():
                await settle_catalogue(connection)
    finally:
        await connection.close()


def _until_broken(file: Path, lines: Iterator[Line], tally: Tally) -> Iterator[Line]:
    """Yield the lines up to where the file or its compression is broken: those before are whole."""
    try:
        yield from lines
    except EOFError as error:
        tally.broken = f"{file} ends too early: {error}"
    except (OSError, zlib.error) as error:
        tally.broken = f"cannot read {file}: {error}"


def _rows(lines: Iterator[Line], columns: Columns, tally: Tally) -> Iterator[ImportRow]:
    for number, record, problem in lines:
        if record is None:
            tally.complain(number, problem or "is empty")
            continue
        try:
            yield to_row(number, record, columns)
        except InvalidError as error:
            tally.complain(number, error.detail)


async def _write(connection: pool.Connection, rows: list[ImportRow], tally: Tally) -> None:
    """Write the rows; a chunk that the database refuses is split until the culprit is found."""
    try:
        await import_products(connection, rows)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError) as error:
        if len(rows) == 1:
            tally.complain(rows[0].line, str(error))
            return
        middle = len(rows) // 2
        await _write(connection, rows[:middle], tally)
        await _write(connection, rows[middle:], tally)
        return
    tally.imported += len(rows)
