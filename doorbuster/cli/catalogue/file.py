"""Opens a catalogue file: JSON Lines or CSV, plain or gzip, on disk or from a pipe. Pure but for reading, bounded."""

from __future__ import annotations

import gzip
import io
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import msgspec

from doorbuster.cli.catalogue.csv_records import CsvFile
from doorbuster.cli.catalogue.line import LINE_MAX, FileLine, too_long

if TYPE_CHECKING:
    from typing_extensions import Buffer

_GZIP = b"\x1f\x8b"
_RAW_MAX = 2_000
_COPY_BYTES = 2**20
UNPACKED_MAX = 4 * 2**30
"""Bytes of a file, unpacked."""
STDIN = "-"
_CSV = frozenset({".csv", ".tsv", ".tab", ".txt"})
_JSON_LINES = frozenset({".jsonl", ".ndjson", ".json"})


class TooLargeError(OSError):
    """A file has more bytes than are read, unpacked."""


class _Counted(io.RawIOBase):
    """A file that ends with an error where it is too large: what is packed has no size that could be asked."""

    def __init__(self, file: io.BufferedIOBase, most: int) -> None:
        self._file = file
        self._left = most

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read some bytes."""
        room = memoryview(buffer)
        part = self._file.read1(len(room))
        self._left -= len(part)
        if self._left < 0:
            raise TooLargeError(f"it has more than {UNPACKED_MAX} bytes, unpacked")
        room[: len(part)] = part
        return len(part)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file so that it can be read twice; what comes through a pipe is kept on disk meanwhile.

    Raises:
        OSError: it cannot be read.
    """
    with sys.stdin.buffer if str(path) == STDIN else path.open("rb") as raw:
        if raw.seekable():
            yield raw
            return
        with tempfile.TemporaryFile() as kept:
            left = UNPACKED_MAX
            while part := raw.read(_COPY_BYTES):
                left -= len(part)
                if left < 0:
                    raise TooLargeError(f"it has more than {UNPACKED_MAX} bytes")
                kept.write(part)
            yield kept


class CatalogueFile:
    """A file as records; `kind` is `csv`, `jsonl` or None to find out, so is `delimiter`."""

    def __init__(self, path: Path, raw: IO[bytes], kind: str | None = None, delimiter: str | None = None) -> None:
        self._raw = raw
        plain = self._plain()
        self.kind = kind or _kind(path, plain)
        self._delimiter = "\t" if delimiter is None and ".tsv" in _suffixes(path) else delimiter
        self.csv: CsvFile | None = None
        """The file as it was read last, if it is CSV."""

    def header(self) -> CsvFile | None:
        """Return a CSV with its header read; None for JSON Lines.

        Raises:
            OSError, EOFError, zlib.error: the file, or its compression, is broken.
        """
        if self.kind != "csv":
            return None
        file = CsvFile(self._plain(), self._delimiter)
        file.open()
        return file

    def lines(self) -> Iterator[FileLine]:
        """Yield every line that is not blank, from the beginning.

        Raises:
            OSError, EOFError, zlib.error: the file, or its compression, is broken.
        """
        file = self.header()
        if file is None:
            yield from _json_lines(self._plain())
            return
        try:
            if file.problem:
                yield file.problem
            yield from file.records()
        finally:
            file.close()

    def _plain(self) -> IO[bytes]:
        self._raw.seek(0)
        packed = self._raw.read(2) == _GZIP
        self._raw.seek(0)
        plain = gzip.GzipFile(fileobj=self._raw) if packed else cast("io.BufferedIOBase", self._raw)
        return cast("IO[bytes]", io.BufferedReader(_Counted(plain, UNPACKED_MAX), 2**18))


def _suffixes(path: Path) -> list[str]:
    return [suffix.lower() for suffix in path.suffixes[-2:]]


def _kind(path: Path, plain: IO[bytes]) -> str:
    """Tell by the name, else by the first sign, of what kind a file is."""
    for suffix in reversed(_suffixes(path)):
        if suffix in _CSV or suffix in _JSON_LINES:
            return "csv" if suffix in _CSV else "jsonl"
    try:
        begins = plain.read(2**16).removeprefix(b"\xef\xbb\xbf").lstrip()
    except (EOFError, OSError, zlib.error):
        begins = b""  # told when it is read
    return "jsonl" if begins[:1] in (b"{", b"[", b"") else "csv"


def _json_lines(file: IO[bytes]) -> Iterator[FileLine]:
    number = 0
    while text := file.readline(LINE_MAX):
        number += 1
        if len(text) == LINE_MAX and not text.endswith(b"\n"):
            _skip_line(file)
            yield _wrong(number, text, too_long("line"))
        elif text.strip():
            yield _json_line(number, text.removeprefix(b"\xef\xbb\xbf") if number == 1 else text)


def _skip_line(file: IO[bytes]) -> None:
    while (part := file.readline(LINE_MAX)) and not part.endswith(b"\n"):
        pass


def _json_line(number: int, text: bytes) -> FileLine:
    try:
        record = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if text.strip() in (b"[", b"]", b"[]"):
            return _wrong(number, text, "is no JSON object: the file must have one a line, not a list of them")
        return _wrong(number, text, f"is no JSON: {error}")
    except RecursionError:
        return _wrong(number, text, "is nested too deep")
    if isinstance(record, dict):
        return FileLine(number, record)
    return _wrong(number, text, "is no JSON object: the file must have one a line, with fields like product_id")


def _wrong(number: int, text: bytes, problem: str) -> FileLine:
    return FileLine(number, None, problem, raw=text[:_RAW_MAX].decode(errors="replace").rstrip("\r\n"))
