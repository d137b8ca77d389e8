"""The process of an import over HTTP: reads JSON Lines from its standard input, writes products, prints its report.

Owns what becomes of each line; holds one line and one chunk in memory. It ends with the process that started it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import msgspec

from db.connections import pool
from db.ops_log import Author
from db.products.importing import Importing, row_of
from doorbuster.contract.bodies.decoding import SAID_MAX, problems, read
from doorbuster.contract.fields import tidy_id
from doorbuster.contract.ops import ImportReport, Rejected
from doorbuster.contract.products import ProductLine
from doorbuster.errors import DoorbusterError, InvalidError
from doorbuster.failures import POSTGRES_FAILED
from doorbuster.values.prices import PriceError, has_decimals, read_price, shown

if TYPE_CHECKING:
    from db.products.products import ImportRow

UNITS = ("", "minor", "major")
"""What prices are in; nothing: nobody said, then they are in minor units, all of them."""
REFUSED, AWAY = 3, 4
"""Exit codes: the file is refused as a whole, the database does not answer."""
LINE_MAX = 2**20
"""As for `doorbuster import`."""
REJECTED_MAX = 1000
COMMAND_TIMEOUT_S = 60.0
_NICER = 10
_PR_SET_PDEATHSIG = 1
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class _Priced(msgspec.Struct, gc=False):
    """The price of a line alone."""

    price: Any = None


_line = msgspec.json.Decoder(ProductLine)
_priced = msgspec.json.Decoder(_Priced)
_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


class _Report:
    """What became of the lines, bounded."""

    def __init__(self) -> None:
        self.result = ImportReport(0, [])

    @property
    def rejected_count(self) -> int:
        """Lines that were not taken."""
        return self.result.rejected_count

    def refuse(self, number: int, problem: str) -> None:
        """Take note of a line that was not taken."""
        self.result.rejected_count += 1
        if len(self.result.rejected) < REJECTED_MAX:
            self.result.rejected.append(Rejected(number, problem))

    def reject(self, row: ImportRow, problem: str) -> None:
        """Take note of a row that the database refused."""
        self.refuse(row.line, problem)

    def double(self, row: ImportRow, before: int) -> None:
        """Take note of a product that stood in an earlier line too."""
        self.result.doubled_count += 1
        if len(self.result.doubled) < REJECTED_MAX:
            problem = f"product_id {row.product.product_id!r} stands in line {before} already; the later one counts"
            self.result.doubled.append(Rejected(row.line, problem))


def main(unit: str, operator: str, key_name: str) -> int:
    """Import what comes on standard input; return the exit code."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(_NICER)
    file, report = sys.stdin.buffer, _Report()
    if not unit and (problem := _decimals(file)):
        return _say([("price", problem)], REFUSED)
    file.seek(0)
    try:
        asyncio.run(
            _take(file, os.environ["DATABASE_URL"], unit or "minor", Author(operator, key_name or None), report)
        )
    except POSTGRES_FAILED as error:
        sys.stderr.write(f"an import lost the database: {error!r}\n")
        return AWAY
    return _say(report.result, 0)


def _say(what: object, code: int) -> int:
    sys.stdout.buffer.write(msgspec.json.encode(what))
    return code


def _decimals(file: IO[bytes]) -> str | None:
    """Say how many prices have decimals, if any: then all are in major units, also those that have none."""
    prices, with_decimals, first = 0, 0, ""
    for number, line in _lines(file):
        try:
            price = _priced.decode(line).price if line else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue  # told when it is read
        prices += price is not None
        if has_decimals(price):
            with_decimals += 1
            first = first or f"line {number}: {shown(price)}"
    if not with_decimals:
        return None
    return (
        f"{with_decimals} of {prices} have decimals, the first in {first}; nothing was imported: ?price_unit=major"
        " takes prices like 19.99, price_unit=minor whole ones like 1999"
    )


async def _take(file: IO[bytes], url: str, unit: str, author: Author, report: _Report) -> None:
    importing = Importing(report, author=author)
    connection = await pool.connect(url, command_timeout_s=COMMAND_TIMEOUT_S, application="doorbuster-import")
    try:
        await importing.begin(connection)
        for number, line in _lines(file):
            row = _row(line, number, unit, report)
            if row is not None:
                await importing.add(row)
        await importing.finish()
        report.result.imported = importing.imported
    finally:
        connection.terminate()


def _row(line: bytes | None, number: int, unit: str, report: _Report) -> ImportRow | None:
    if line is None:
        report.refuse(number, f"is longer than {LINE_MAX} bytes")
        return None
    try:
        return row_of(number, _read(line, unit))
    except DoorbusterError as error:
        report.refuse(number, error.detail)
        return None


def _read(line: bytes, unit: str) -> ProductLine:
    """Read a line as it is, else by what it may mean: an id that is to be tidied, a price in major units."""
    if unit == "minor":
        try:
            return _line.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    value, problem = read(line, _any), "cannot be read"
    wrong = _tidy(value, unit) if isinstance(value, dict) else {}
    if not wrong:
        try:
            return msgspec.convert(value, ProductLine)
        except msgspec.ValidationError as error:
            problem = str(error)
    said = {name: f"{text}{_value(value, name)}" for name, text in problems(ProductLine, value, "")}
    raise InvalidError.naming(list((said | wrong).items()) or [("line", problem)], most=SAID_MAX)


def _tidy(value: dict[str, Any], unit: str) -> dict[str, str]:
    """Give the id its one form, and the price its minor units; return what is wrong so far."""
    if isinstance(product_id := value.get("product_id"), str):
        value["product_id"] = tidy_id(product_id)
    price, currency = value.get("price"), value.get("currency")
    if not isinstance(price, float | str | int) or isinstance(price, bool):
        return {}
    if unit == "major":
        read_as = currency if isinstance(currency, str) else None
    elif isinstance(price, float):  # 1999.0 is whole; a text stays wrong where minor units are the contract
        read_as = None
    else:
        return {}
    try:
        value["price"], named = read_price(price, read_as, "major" if unit == "major" else "minor")
    except PriceError as error:
        return {"price": str(error).partition("; write")[0]}
    if named and currency is None:
        value["currency"] = named
    return {}


def _value(value: object, name: str) -> str:
    """Return a field's value as a message ends with it."""
    return f": {shown(value[name])}" if isinstance(value, dict) and name in value else ""


def _lines(file: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Yield every line that is not blank, None for one that is too long: the rest of it is thrown away."""
    number = 0
    while line := file.readline(LINE_MAX + 2):
        number += 1
        too_long = len(line.rstrip(b"\n")) > LINE_MAX
        part = line
        while too_long and not part.endswith(b"\n") and part:
            part = file.readline(LINE_MAX)
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if too_long:
            yield number, None
        elif line.strip():
            yield number, line.rstrip(b"\r\n")


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:4]))
