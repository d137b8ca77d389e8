"""An order as a row of an export: of CSV for spreadsheets, or JSON for programs. Pure; sends nothing."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from doorbuster.contract.orders import OrderView

_encode = msgspec.json.Encoder().encode

COLUMNS: Mapping[str, Callable[[OrderView], Any]] = {
    "order_id": lambda order: order.order_id,
    "sale_id": lambda order: order.sale_id,
    "customer_id": lambda order: order.customer_id,
    "status": lambda order: order.status,
    "reason": lambda order: order.reason,
    "accepted_at": lambda order: order.accepted_at,
    "units": lambda order: sum(line.quantity for line in order.lines),
    "lines": lambda order: "; ".join(f"{one.quantity} x {one.product_id} @ {one.unit_price}" for one in order.lines),
    "total": lambda order: order.total,
    "currency": lambda order: order.currency,
    "payment": lambda order: order.payment.status,
    "authorised": lambda order: order.payment.authorised,
    "captured": lambda order: order.payment.captured,
    "refunded": lambda order: order.payment.refunded,
    "tracking": lambda order: "; ".join(one.tracking for one in order.shipments if one.tracking),
    "metadata": lambda order: "" if order.metadata is UNSET else _encode(order.metadata).decode(),
}
"""Columns of CSV, and how each is read off an order."""
FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20'")
"""How a cell begins that a spreadsheet would reckon with, and our own mark for such cells."""
TEXT = "'"
"""Stands before such a cell: what follows is text. Exactly one is to be taken off again."""


def guarded(value: object) -> object:
    """Return a cell's value as no spreadsheet takes it for a formula."""
    return TEXT + value if isinstance(value, str) and value.startswith(FORMULA) else value


def csv_head() -> bytes:
    """Return the first line."""
    return _lines([list(COLUMNS)])


def csv_rows(orders: Iterable[OrderView]) -> bytes:
    """Return a line an order, as RFC 4180 has it."""
    return _lines([[_cell(read(order)) for read in COLUMNS.values()] for order in orders])


def _cell(value: object) -> object:
    return "" if value is UNSET or value is None else guarded(value)


def _lines(rows: list[list[object]] | list[list[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()


def json_rows(orders: Iterable[OrderView]) -> bytes:
    """Return a line an order: what `GET /orders/{order}` shows of it."""
    return b"".join(_encode(order) + b"\n" for order in orders)
