"""Reads a catalogue file line by line: JSON Lines or CSV, plain or gzip. Pure but for reading; bounded memory."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import msgspec

_GZIP = b"\x1f\x8b"
_LINE_MAX_BYTES = 2**20


class Line(NamedTuple):
    """A line's number and its record, or what is wrong with it."""

    number: int
    record: dict[str, Any] | None
    problem: str | None = None


def read_lines(path: Path, raw: IO[bytes], kind: str | None) -> Iterator[Line]:
    """Yield every line that is not blank; `raw` is the open file, `kind` is `csv`, `jsonl` or None to find out.

    Raises:
        OSError, EOFError, zlib.error: the file, or its compression, is broken.
    """
    magic = raw.read(2)
    raw.seek(0)
    plain = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if magic == _GZIP else raw
    return _csv_lines(plain) if (kind or _kind(path)) == "csv" else _json_lines(plain)


def _kind(path: Path) -> str:
    return "csv" if ".csv" in (suffix.lower() for suffix in path.suffixes[-2:]) else "jsonl"


def _json_lines(file: IO[bytes]) -> Iterator[Line]:
    number = 0
    while text := file.readline(_LINE_MAX_BYTES):
        number += 1
        if len(text) == _LINE_MAX_BYTES and not text.endswith(b"\n"):
            _skip_line(file)
            yield Line(number, None, f"is longer than {_LINE_MAX_BYTES} bytes")
        elif text.strip():
            yield _json_line(number, text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text)


def _skip_line(file: IO[bytes]) -> None:
    while (part := file.readline(_LINE_MAX_BYTES)) and not part.endswith(b"\n"):
        pass


def _json_line(number: int, text: bytes) -> Line:
    try:
        record = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Line(number, None, f"is no JSON: {error}")
    return Line(number, record) if isinstance(record, dict) else Line(number, None, "is no JSON object")


def _csv_lines(file: IO[bytes]) -> Iterator[Line]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield from _csv_rows(text)
    finally:
        text.detach()  # or it would close the caller's file


def _csv_rows(text: io.TextIOWrapper) -> Iterator[Line]:
    reader = csv.reader(text, strict=True)  # or a quote that is never closed would be one cell to the file's end
    try:
        header = next(reader, None)
    except csv.Error as error:
        yield Line(1, None, f"is no CSV: {error}")
        return
    if not _is_utf_8(header or ()):
        yield Line(1, None, "is not UTF-8")
        return
    if twice := sorted({name for name in header or () if name and (header or []).count(name) > 1}):
        yield Line(1, None, f"names the column {twice[0]!r} twice")
        return
    while header is not None:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(number, None, _csv_problem(error))
            continue
        if cells:
            yield _csv_line(number, header, cells)


def _csv_problem(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "opens a quote that is never closed; what follows was not read"
    return f"is no CSV: {error}"


def _csv_line(number: int, header: list[str], cells: list[str]) -> Line:
    if len(cells) > len(header):
        return Line(number, None, f"has {len(cells)} columns, the header {len(header)}")
    if not _is_utf_8(cells):
        return Line(number, None, "is not UTF-8")
    return Line(number, {name: cell for name, cell in zip(header, cells, strict=False) if cell})


def _is_utf_8(cells: Iterable[str]) -> bool:
    """Tell whether all bytes could be read: what could not stands as surrogates."""
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True
