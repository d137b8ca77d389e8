"""One run of `doorbuster import`: checks a file, then writes it in chunks. Owns the way through it."""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

import click

from db.connections import pool
from db.ops_log import Author
from db.products.importing import Importing
from db.products.products import ImportRow, settle_catalogue
from doorbuster.cli.catalogue.check import check_header, check_lines
from doorbuster.cli.catalogue.csv_records import delimiter_of
from doorbuster.cli.catalogue.file import STDIN, CatalogueFile, opened
from doorbuster.cli.catalogue.line import FileLine
from doorbuster.cli.catalogue.mapping import Columns, make_mapping, to_row
from doorbuster.cli.catalogue.presets import PRESETS
from doorbuster.cli.catalogue.presets.preset import Skipped
from doorbuster.cli.catalogue.report import ErrorsFile, Tally
from doorbuster.cli.instance.database import answering
from doorbuster.cli.ops import operator
from doorbuster.errors import InvalidError, StoreUnavailableError
from doorbuster.values.prices import Unit

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

_MANY = 1_000
"""Products from which on statistics and indexes are brought up to date at once."""


class ImportOptions(NamedTuple):
    """What the command was told."""

    preset: str | None = None
    maps: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()
    unit: Unit | None = None
    kind: str | None = None
    delimiter: str | None = None
    dry_run: bool = False
    errors: Path | None = None


class _Source(NamedTuple):
    """An open file, how its records are read, and a CSV's header."""

    path: Path
    file: CatalogueFile
    columns: Columns
    header: list[str] | None
    delimiter: str


def run(path: Path, url: str, said: ImportOptions) -> int:
    """Check a file, then import it; return the exit code.

    Raises:
        InvalidError: nothing was imported, for what it says; or the file is broken behind what was imported.
        StoreUnavailableError: the database went away; what was imported till then is said.
    """
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(opened(path))
            source = _source(path, raw, said)
            size = raw.seek(0, 2)
        except (OSError, EOFError, zlib.error) as error:
            raise InvalidError(f"cannot read {_name(path)}: {error}") from error
        errors = stack.enter_context(_errors_file(said.errors, path)) if said.errors else None
        tally = Tally(ErrorsFile(errors, source.header, source.delimiter) if errors else None)
        importing = Importing(tally, author=Author(operator()), rehearse=said.dry_run)
        bar = stack.enter_context(_progress(size))
        try:
            asyncio.run(_import(url, importing, source, tally, lambda: bar.update(raw.tell() - bar.pos)))
        except StoreUnavailableError as error:
            raise (_lost(error) if importing.begun else error) from error
        finally:
            _conclude(importing, tally)
    if tally.broken:
        raise InvalidError(tally.broken)
    return 1 if tally.bad or tally.doubled else 0


def _lost(error: BaseException) -> StoreUnavailableError:
    """Return what to say of a database that went away: what it said first, and what to do."""
    first = error
    while (before := first.__cause__ or first.__context__) is not None:
        first = before
    return StoreUnavailableError(f"the database went away: {first}; what is in stays, and importing again is safe")


def _source(path: Path, raw: IO[bytes], said: ImportOptions) -> _Source:
    """Open the records, and check what can be checked before."""
    columns = make_mapping(said.maps, said.defaults, said.unit, PRESETS[said.preset]() if said.preset else None)
    delimiter = delimiter_of(said.delimiter) if said.delimiter is not None else None
    file = CatalogueFile(path, raw, said.kind, delimiter)
    csv = file.header()
    if csv is None:
        wrong = [option for option, value in (("--preset", said.preset), ("--delimiter", delimiter)) if value]
        if wrong:
            problem = "is for CSV; say --format csv if the file is one"
            raise InvalidError("wrong form", [(option, problem) for option in wrong])
        check_lines(file, columns)
        return _Source(path, file, columns, None, ",")
    csv.close()
    if csv.header and not csv.problem:
        check_header(csv.header, columns)
        check_lines(file, columns)
    return _Source(path, file, columns, csv.header or [], csv.delimiter)


def _name(path: Path) -> str:
    return "standard input" if str(path) == STDIN else str(path)


def _errors_file(errors: Path, path: Path) -> IO[str]:
    try:
        if str(path) != STDIN and errors.exists() and errors.samefile(path):
            raise InvalidError("wrong file", [("--errors", f"{errors} is the file to import")])
        return errors.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise InvalidError(f"cannot write {errors}: {error}") from error


def _progress(length: int) -> ProgressBar[int]:
    return click.progressbar(length=length, file=sys.stderr, hidden=not sys.stderr.isatty())


def _conclude(importing: Importing, tally: Tally) -> None:
    tally.conclude()
    if importing.begun:
        click.echo(tally.summary(importing))


async def _import(url: str, importing: Importing, source: _Source, tally: Tally, progress: Callable[[], None]) -> None:
    with answering():
        connection = await pool.connect(url, command_timeout_s=300, application="doorbuster-import")
    try:
        with answering():
            await importing.begin(connection)
        for line, row in _rows(source, tally):
            kept = tally.wait(line)
            with answering():
                written = await importing.add(row, kept)
            if written:
                tally.written()
                progress()
        with answering():
            await importing.finish(tally.broken)
            if importing.imported >= _MANY and not importing.rehearse:
                await settle_catalogue(connection)
        progress()
    finally:
        await connection.close()


def _rows(source: _Source, tally: Tally) -> Iterator[tuple[FileLine, ImportRow]]:
    for line in _until_broken(source, tally):
        if line.record is None:
            tally.complain(line, line.problem or "is empty")
            continue
        try:
            row = to_row(line.number, line.record, source.columns, cells=line.cells)
        except InvalidError as error:
            tally.complain(_filled(line, source.columns), error.detail)
            continue
        if isinstance(row, Skipped):
            tally.skipped[row.rows] += 1
        else:
            yield _filled(line, source.columns), row


def _filled(line: FileLine, columns: Columns) -> FileLine:
    """Return a line with what a preset filled in from earlier ones, so that it can stand alone."""
    if columns.preset is None or line.record is None:
        return line
    return line._replace(record=columns.preset.filled(line.record))


def _until_broken(source: _Source, tally: Tally) -> Iterator[FileLine]:
    """Yield the lines up to where the file or its compression is broken: those before are whole."""
    name = _name(source.path)
    try:
        yield from source.file.lines()
    except EOFError as error:
        tally.broken = f"{name} ends too early: {error}"
    except (OSError, zlib.error) as error:
        tally.broken = f"cannot read {name}: {error}"
