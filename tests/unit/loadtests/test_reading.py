"""What the load tests read and compute: invoices, the timetable, the drain's rate, the benchmark's bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from doorbuster.contract.orders import Line
from loadtests.bench.orders.draining import rate_of
from loadtests.bench.row import Row
from loadtests.generate.invoices import QUANTITY_MAX, read
from loadtests.generate.shapes import Shape
from loadtests.generate.timetable import Timetable

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def invoices(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "lines.csv"
    file.write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return file


def test_an_invoice_becomes_an_order_and_its_demand_the_stock(tmp_path: Path) -> None:
    found = read(
        invoices(
            tmp_path,
            "1,A,Lamp,3,d,1.25,17.0,UK",
            "1,B,,2,d,0.50,17.0,UK",
            "C2,A,Lamp,-3,d,1.25,17.0,UK",
            "3,A,Lamp,5000,d,1.25,,UK",
            "3,A,Lamp,-1,d,1.25,,UK",
        )
    )
    assert [order.customer_id for order in found.orders] == ["17", "guest-3"]
    assert found.orders[0].lines == (Line("A", 3), Line("B", 2))
    assert found.products["A"].stock == 3 + QUANTITY_MAX
    assert (found.products["A"].price, found.products["B"].name) == (125, "B")
    assert (found.invoices, found.cancellations, found.clamped, found.left_out) == (2, 1, 1, 1)


def test_a_long_invoice_becomes_several_orders(tmp_path: Path) -> None:
    found = read(invoices(tmp_path, *(f"1,P{n},Thing,1,d,1.00,17.0,UK" for n in range(45))))
    assert [len(order.lines) for order in found.orders] == [20, 20, 5]


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="columns missing"):
        read(file)


def test_the_timetable_gives_each_arrival_once_and_never_takes_shoppers_away() -> None:
    table = Timetable(Shape([(0, 10), (1, 100), (2, 0), (3, 0)]), seconds_per_order=1.0, users_max=80)
    table.elapsed()
    taken = [table.take() for _ in range(table.offered)]
    assert table.take() is None
    assert [number for number, _ in filter(None, taken)] == list(range(table.offered))
    users = [table.users_at(second / 2) for second in range(7)]
    assert users == sorted(users)
    assert max(users) == 80
    assert sum(offered for _, offered, _ in table.by_second()) == table.offered


def test_the_drains_rate_leaves_out_the_last_batch_whose_end_is_unknown() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    batches = [(began, 500), (began + timedelta(seconds=0.5), 1000), (began + timedelta(seconds=1), 70)]
    assert rate_of(batches) == 1500
    later = [(at + timedelta(seconds=4), orders) for at, orders in batches]
    assert rate_of(batches + later) == 1500
    with pytest.raises(RuntimeError, match="too few"):
        rate_of(batches[:1])


def test_a_bar_is_a_floor_or_a_ceiling() -> None:
    row = Row(what="w", ours=30, rival_name="r", rival=10, bar=3)
    assert row.met
    assert not Row(what="w", ours=29, rival_name="r", rival=10, bar=3).met
    assert Row(what="w", ours=29, rival_name="r", rival=10, bar=3, at_most=True).met
