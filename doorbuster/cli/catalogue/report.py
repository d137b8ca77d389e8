"""What became of the lines of an import, as a person reads it. Owns the counts, the words and the file of bad lines."""

from __future__ import annotations

import csv
import re
from collections import Counter
from typing import IO, TYPE_CHECKING, Any

import click
import msgspec

from doorbuster.cli.catalogue.line import FileLine
from doorbuster.cli.catalogue.mapping import NOTES

if TYPE_CHECKING:
    from db.products.importing import Importing
    from db.products.products import ImportRow

LIKE_MAX = 20
"""Problems of one kind that are told one by one; the others are counted."""
_KINDS_MAX = 500
_RANGES_MAX = 20
_VALUES = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d[\d,.]*""")


class Kind:
    """Problems that differ in their values alone."""

    def __init__(self, line: FileLine, problem: str) -> None:
        self.first, self.problem = line, problem
        self.told = 0
        self.ranges: list[list[int]] = []
        """Lines that were counted only, first and last of each run."""
        self.more = 0
        self.beyond = 0

    def add(self, line: FileLine) -> bool:
        """Count a line; True: it is to be told."""
        if self.told < LIKE_MAX:
            self.told += 1
            return True
        self.more += line.lines
        last = line.last or line.number
        if self.ranges and self.ranges[-1][1] + 1 >= line.number > self.ranges[-1][0]:
            self.ranges[-1][1] = last
        elif len(self.ranges) < _RANGES_MAX:
            self.ranges.append([line.number, last])
        else:
            self.beyond += line.lines
        return False

    def rest(self) -> str:
        """Return the lines that were counted only, as a person reads them."""
        said = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in self.ranges)
        return said + (f" and {self.beyond:,} more" if self.beyond else "")


class Tally:
    """What became of the lines."""

    def __init__(self, errors: ErrorsFile | None = None) -> None:
        self.bad = 0
        self.doubled = 0
        self.skipped: Counter[str] = Counter()
        self.broken: str | None = None
        """What is wrong with the file behind the last line that could be read."""
        self._errors = errors
        self._kinds: dict[str, Kind] = {}
        self._waiting: dict[int, FileLine] = {}
        """Lines of the chunk that is to be written, for what the database says of them."""

    @property
    def rejected_count(self) -> int:
        """Lines that were not taken."""
        return self.bad

    def complain(self, line: FileLine, problem: str) -> None:
        """Tell of a bad line, or of the lines of a bad record."""
        self.bad += line.lines
        self._tell(line, problem)
        if self._errors is not None:
            self._errors.add(line, problem)

    def wait(self, line: FileLine) -> int:
        """Keep a line until its chunk is written; return how many bytes of it are kept."""
        raw = _json(line.record) if self._errors and line.record else ""
        self._waiting[line.number] = line._replace(record=None, raw=raw)
        return len(raw)

    def written(self) -> None:
        """Forget the lines of a chunk."""
        self._waiting.clear()

    def reject(self, row: ImportRow, problem: str) -> None:
        """Tell of a line that the database refused."""
        line = self._waiting[row.line]
        self.complain(line._replace(record=msgspec.json.decode(line.raw)) if line.raw else line, problem)

    def double(self, row: ImportRow, before: int) -> None:
        """Tell of a product that stood in an earlier line too."""
        self.doubled += 1
        self._tell(
            self._waiting[row.line],
            f"product_id {row.product.product_id!r} stands in line {before} already; the later one counts",
        )

    def _tell(self, line: FileLine, problem: str) -> None:
        key = _VALUES.sub("~", problem)
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= _KINDS_MAX:
                key = "..."
            kind = self._kinds.setdefault(key, Kind(line, problem if key != "..." else "other problems"))
        if kind.add(line):
            click.echo(f"{named(line)}: {problem}", err=True)

    def conclude(self) -> None:
        """Tell of the lines that were counted only."""
        for kind in self._kinds.values():
            if kind.more:
                like = f"like {named(kind.first)} ({_short(kind.problem)})"
                click.echo(f"{kind.more:,} more lines {like}: {kind.rest()}", err=True)
                if self._errors is None and kind.beyond:
                    click.echo("--errors FILE writes all of them into a file", err=True)

    def summary(self, importing: Importing) -> str:
        """Return the one line that says how it went; a rehearsal says what it would do."""
        done = "would import" if importing.rehearse else "imported"
        said = [f"{done} {importing.imported} products", f"{self.bad} bad lines"]
        if self.doubled:
            said.append(f"{self.doubled} doubled")
        said += [f"{count} {rows} left out" for rows, count in sorted(self.skipped.items())]
        if importing.rehearse:
            said.append(f"{importing.new} new and {importing.changed} changed; nothing was kept")
        return ", ".join(said)


def named(line: FileLine) -> str:
    """Return how a person finds a line."""
    return f"line {line.number}" if line.lines == 1 else f"lines {line.number} to {line.last}"


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


class ErrorsFile:
    """Bad lines with their problems, in the form of the imported file: put right, they can be imported as they are."""

    def __init__(self, file: IO[str], header: list[str] | None, delimiter: str) -> None:
        self._file = file
        self._header = header
        self._csv = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        if header is not None:
            self._csv.writerow([*header, *NOTES])

    def add(self, line: FileLine, problem: str) -> None:
        """Write a bad line."""
        where = named(line).partition(" ")[2]
        if self._header is None:
            record: dict[str, Any] = line.record if line.record is not None else {"import_text": line.raw}
            self._file.write(_json(record | dict(zip(NOTES, (where, problem), strict=True))) + "\n")
        elif line.record is not None:
            self._csv.writerow([*(line.record.get(name, "") for name in self._header), where, problem])
        else:
            # What could not be read as cells stands in the first.
            self._csv.writerow([line.raw.rstrip("\r\n"), *[""] * (len(self._header) - 1), where, problem])


def _json(record: dict[str, Any]) -> str:
    """Return a record as JSON; one that cannot be written so, with a number beyond 64 bits for one, as a text."""
    try:
        return msgspec.json.encode(record).decode()
    except (OverflowError, ValueError, RecursionError) as error:
        notes = {name: record[name] for name in NOTES if name in record}
        return msgspec.json.encode({"import_text": f"cannot be written: {error}"} | notes).decode()
