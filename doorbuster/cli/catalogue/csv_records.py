"""Reads CSV records with the lines they stand in. Owns what a broken record is called; memory is bounded in bytes.

A quote that is not closed makes one record of many lines: whatever is wrong with a record is told of all its lines.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO

from doorbuster.cli.catalogue.line import LINE_MAX, FileLine, too_long
from doorbuster.errors import InvalidError

COLUMNS_MAX = 2_000
DELIMITERS = ",;\t|"
_SUSPICIOUS_FROM = 4
"""Columns from which on a line inside a cell may be taken for a row that a stray quote swallowed."""
_ROWS_MAX = 20
_RAW_MAX = 2_000


class _TooLongError(Exception):
    """A record has more bytes than one may."""


class _Lines:
    """The lines of a text, for csv's reader: counts them, and bounds what one record takes of them."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.number = 0
        self.first = 1
        self.raw = ""
        self.rows_inside: list[list[str]] = []
        """Lines of the record behind its first that have as many columns as the header, if quotes are not heeded."""
        self.delimiter, self.columns = ",", 0
        self._size = 0

    def begin(self) -> None:
        """Begin a record with the next line."""
        self.first, self.raw, self.rows_inside, self._size = self.number + 1, "", [], 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LINE_MAX)
        if not line:
            raise StopIteration
        self.number += 1
        self._size += len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape"))
        if len(self.raw) < _RAW_MAX:
            self.raw += line[:_RAW_MAX]
        if (
            self.number > self.first
            and line.count(self.delimiter) + 1 == self.columns
            and len(self.rows_inside) < _ROWS_MAX
        ):
            self.rows_inside.append(line.split(self.delimiter))
        if self._size > LINE_MAX or (len(line) == LINE_MAX and not line.endswith("\n")):
            self._skip(line)
            raise _TooLongError
        return line

    def _skip(self, part: str) -> None:
        """Leave out the rest of a line."""
        while len(part) == LINE_MAX and not part.endswith("\n"):
            part = self._text.readline(LINE_MAX)

    def told(self, problem: str) -> FileLine:
        """Return the present record as one that is wrong."""
        return FileLine(self.first, None, problem, last=max(self.number, self.first), raw=self.raw[:_RAW_MAX])


class CsvFile:
    """A CSV file: its header, then its records."""

    def __init__(self, file: IO[bytes], delimiter: str | None) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._lines = _Lines(self._text)
        self._delimiter = delimiter
        self.header: list[str] | None = None
        self.problem: FileLine | None = None
        """What is wrong with the header; then no record can be read."""
        self._numbers: set[int] = set()
        """Columns in which the last row of one line had a number."""

    @property
    def delimiter(self) -> str:
        """What parts the columns."""
        return self._lines.delimiter

    def open(self) -> None:
        """Read the header."""
        try:
            first = next(self._lines, "")
            if len(first.strip()) == len("sep=;") and first.startswith("sep="):  # what Excel writes before a header
                self._delimiter = self._delimiter or first[4]
                self._lines.begin()
                first = next(self._lines, "")
            self._lines.delimiter = self._delimiter or sniff(first)
            self.header = next(self._reader(chain([first], self._lines)), None) if first else None
        except csv.Error as error:
            self.problem = self._lines.told(_worded(error))
        except _TooLongError:
            self.problem = self._lines.told(too_long("header"))
        else:
            self._check_header()

    def _reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        # strict, or text behind a closing quote would be taken in silence.
        return csv.reader(lines, delimiter=self._lines.delimiter, strict=True)

    def _check_header(self) -> None:
        names = self.header or []
        if not is_utf_8(names):
            self.problem = self._lines.told(NOT_UTF_8)
        elif twice := sorted(name for name, times in Counter(names).items() if name and times > 1):
            self.problem = self._lines.told(f"names the column {twice[0]!r} twice")
        elif len(names) > COLUMNS_MAX:
            self.problem = self._lines.told(f"has {len(names)} columns, at most {COLUMNS_MAX} are read")

    def records(self) -> Iterator[FileLine]:
        """Yield every record that is not blank, or what is wrong with it."""
        if self.problem or self.header is None:
            return
        lines, header = self._lines, self.header
        lines.columns = len(header)
        reader = self._reader(lines)
        while True:
            lines.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield lines.told(_worded(error, opened=lines.first if lines.number > lines.first else None))
            except _TooLongError:
                yield lines.told(too_long("row") + ("; is a quote never closed?" if '"' in lines.raw else ""))
            else:
                if any(map(str.strip, cells)):
                    yield self._line(cells)

    def _line(self, cells: list[str]) -> FileLine:
        lines, header = self._lines, self.header or []
        if len(cells) > len(header):
            return lines.told(f"has {len(cells)} columns, the header {len(header)}")
        if not is_utf_8(cells):
            return lines.told(NOT_UTF_8)
        several = lines.number > lines.first
        if not several:
            self._numbers = {place for place, cell in enumerate(cells) if _is_number(cell)}
        elif len(header) >= _SUSPICIOUS_FROM and any(map(self._looks_like_a_row, lines.rows_inside)):
            return lines.told("look like rows of their own, but a quote makes one of them; is it a stray one?")
        record = dict(zip(header, cells, strict=False))
        if record.pop("", "").strip():
            return lines.told("has a value in a column that the header gives no name")
        return FileLine(lines.first, record, last=lines.number if several else None, cells=True)

    def _looks_like_a_row(self, cells: list[str]) -> bool:
        """Tell whether a line inside a cell has numbers where the rows before have some: prose has none there."""
        numbers = {place for place, cell in enumerate(cells) if _is_number(cell.strip('"\r\n'))}
        return bool(numbers) and numbers >= self._numbers

    def close(self) -> None:
        """Let go of the file without closing it."""
        self._text.detach()


NOT_UTF_8 = "is not UTF-8; save the file as UTF-8 (in Excel: CSV UTF-8)"


def sniff(header: str) -> str:
    """Return the delimiter that parts a header into the most columns, quoted parts left out."""
    bare = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=lambda sign: (bare.count(sign), -DELIMITERS.index(sign)))


def delimiter_of(said: str) -> str:
    """Return the delimiter that an option names.

    Raises:
        InvalidError: it is none.
    """
    sign = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}.get(said.lower(), said)
    if len(sign) != 1 or sign in '"\r\n' or not sign.isascii():
        raise InvalidError("wrong delimiter", [("--delimiter", f"{said!r} is neither one character nor 'tab'")])
    return sign


def _is_number(cell: str) -> bool:
    return cell.replace(".", "").replace(",", "").isdecimal()


def is_utf_8(cells: Iterable[str]) -> bool:
    """Tell whether all bytes could be read: what could not stands as surrogates."""
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


def _worded(error: csv.Error, opened: int | None = None) -> str:
    text = str(error)
    if "unexpected end of data" in text:
        return (
            "opens a quote that is never closed; what follows was not read"
            if opened is None
            else (f"a quote that line {opened} opens is never closed")
        )
    if "expected after" in text:
        where = f"a quote opened in line {opened} ends in the middle of a cell" if opened else "has text behind a quote"
        return f'{where}; inside a quoted cell a quote is written twice ("")'
    if "field limit" in text:
        more = "; is a quote never closed?" if opened else ""
        return f"has a cell of more than {csv.field_size_limit()} characters{more}"
    return f"is no CSV: {text}"
