"""A sale's products: when each was sold out, and where its units are. Owns reading and sums; changes nothing."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from db.query_files import load
from db.report.shelves import Turn, spells
from doorbuster.contract.night.report import ProductInSale, ProductLedger, ProductReport, SoldOutSpell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from db.connections.pool import Connection

PRODUCTS_MAX = 1_000
"""Products of a sale that a report shows, in the sale's order."""
SPELLS_MAX = 20
_SQL = load("report")
_NO_UNITS = dict.fromkeys(
    ("wanted", "kept", "refused", "given_up", "standing_by", "shipped", "returned", "restocked"), 0
)


async def products(connection: Connection, sale_number: int, start: datetime) -> tuple[list[ProductReport], int]:
    """Return the sale's products, and how many are not shown."""
    found = [dict(row) for row in await connection.fetch(_SQL["products"], sale_number)]
    units = {row["product_id"]: dict(row) for row in await connection.fetch(_SQL["units"], sale_number)}
    shown = found[:PRODUCTS_MAX]
    turns = await _turns(connection, sale_number, [row["product_id"] for row in shown], start)
    told = [_product(row, units.get(row["product_id"], _NO_UNITS), turns[row["product_id"]], start) for row in shown]
    return told, len(found) - len(shown)


async def _turns(
    connection: Connection, sale_number: int, product_ids: Sequence[str], start: datetime
) -> defaultdict[str, tuple[list[Turn], list[Turn]]]:
    """Return the turns of each product's stock and of its allotment."""
    found: defaultdict[str, tuple[list[Turn], list[Turn]]] = defaultdict(lambda: ([], []))
    for row in await connection.fetch(_SQL["turns"], sale_number, product_ids, start):
        shelf = found[row["product_id"]][row["sale_number"] is not None]
        shelf.append(Turn(row["at"], row["sold_out"], row["tx"]))
    return found


def _product(
    row: Mapping[str, Any], units: Mapping[str, Any], turns: tuple[list[Turn], list[Turn]], start: datetime
) -> ProductReport:
    left, allotment = row["stock"] or 0, row["allotment"]
    now = left <= 0, allotment is not None and row["taken"] >= allotment
    out = spells(*turns, now=now, start=start)
    first = out[0].since if out else None
    return ProductReport(
        product_id=row["product_id"],
        name=row["name"],
        sold_out_at=first,
        sold_out_after_s=None if first is None else _after(first, start),
        reopened=sum(one.until is not None for one in out),
        spells=[
            SoldOutSpell(since=one.since, until=one.until, after_s=_after(one.since, start)) for one in out[:SPELLS_MAX]
        ],
        ledger=_ledger(row),
        in_sale=_in_sale(row, {name: int(units[name]) for name in _NO_UNITS}),
    )


def _after(moment: datetime, start: datetime) -> float:
    return round((moment - start).total_seconds(), 3)


def _ledger(row: Mapping[str, Any]) -> ProductLedger:
    received, left, reserved, sold = (row[name] or 0 for name in ("received", "stock", "reserved", "sold"))
    balances = left + reserved + sold == received == row["moved"]
    return ProductLedger(received=received, left=left, reserved=reserved, sold=sold, balances=balances)


def _in_sale(row: Mapping[str, Any], units: Mapping[str, int]) -> ProductInSale:
    fates = units["kept"] + units["refused"] + units["given_up"] + units["standing_by"]
    balances = fates == units["wanted"] and units["kept"] == row["taken"]
    return ProductInSale(allotment=row["allotment"], taken=row["taken"], balances=balances, **units)
