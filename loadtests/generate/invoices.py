"""Reads a real shop's order lines (CSV of invoices) as orders and a catalogue. Pure but for the file it is told.

Bounds, because the contract has them: 20 lines an order (longer invoices become several orders), quantities from 1 to
1,000. Cancellations (invoice numbers that begin with C) and lines that sell nothing are left out and counted.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TextIO

import msgspec

from doorbuster.contract.orders import Line, OrderRequest
from loadtests.generate.catalogue import Product

LINES_MAX = 20
QUANTITY_MAX = 1_000
_COLUMNS = {"InvoiceNo", "StockCode", "Description", "Quantity", "UnitPrice", "CustomerID"}


class Invoices(msgspec.Struct):
    """What a file holds, as orders of the contract."""

    orders: list[OrderRequest] = []
    products: dict[str, Product] = {}
    """By product id; `stock` is exactly what all the orders together want."""
    invoices: int = 0
    cancellations: int = 0
    clamped: int = 0
    """Lines whose quantity was cut to the bound."""
    left_out: int = 0
    """Lines that sell nothing: no units, or a negative price."""


def read(path: Path, *, invoices_max: int | None = None) -> Invoices:
    """Return the orders and the catalogue of a file, plain or gzip.

    Raises:
        ValueError: it lacks a column.
    """
    found = Invoices()
    demand: Counter[str] = Counter()
    with _text(path) as file:
        for number, rows in groupby(_rows(file), key=lambda row: row["InvoiceNo"]):
            if number.startswith("C"):
                found.cancellations += 1
                continue
            if found.invoices == invoices_max:
                break
            found.invoices += 1
            lines = [line for row in rows if (line := _line(row, found))]
            customer = _customer(number, lines)
            plain = [line for line, _ in lines]
            for at in range(0, len(plain), LINES_MAX):
                found.orders.append(OrderRequest(customer_id=customer, lines=tuple(plain[at : at + LINES_MAX])))
            demand.update(_units(plain))
    found.products = {
        product_id: msgspec.structs.replace(product, stock=demand[product_id])
        for product_id, product in found.products.items()
    }
    return found


def _customer(invoice: str, lines: list[tuple[Line, str]]) -> str:
    """Return who ordered: the shop's customer number, or a guest of this invoice."""
    return next((customer for _, customer in lines if customer), f"guest-{invoice}")


def _units(lines: list[Line]) -> Counter[str]:
    units: Counter[str] = Counter()
    for line in lines:
        units[line.product_id] += line.quantity
    return units


def _line(row: dict[str, str], found: Invoices) -> tuple[Line, str] | None:
    """Return (line, customer) and keep its product; None for a line that sells nothing."""
    quantity, price = int(row["Quantity"]), round(float(row["UnitPrice"]) * 100)
    if quantity < 1 or price < 0:
        found.left_out += 1
        return None
    if quantity > QUANTITY_MAX:
        found.clamped += 1
    code = row["StockCode"].strip()
    if code not in found.products:
        name = row["Description"].strip() or code
        found.products[code] = Product(
            product_id=code, name=name, brand="", category="Retail", price=price, currency="GBP", stock=0
        )
    return Line(product_id=code, quantity=min(quantity, QUANTITY_MAX)), row["CustomerID"].removesuffix(".0")


def _rows(file: TextIO) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(file)
    if missing := _COLUMNS - set(reader.fieldnames or ()):
        raise ValueError(f"columns missing: {', '.join(sorted(missing))}")
    return iter(reader)


def _text(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")
