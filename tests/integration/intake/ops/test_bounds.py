"""What ops may not store: whatever is refused leaves nothing behind, and the field at fault is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fixtures.intake import Intake
from tests.integration.intake.ops.test_ops import PRODUCT

LAMP = [{"product_id": "lamp"}]
EARLY, LATE = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"


def fields_of(answer: Any) -> set[str]:
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    return {error["field"] for error in answer.json()["errors"]}


@pytest.mark.parametrize("at", [EARLY, "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", LATE])
async def test_a_time_beyond_what_the_stores_hold_is_refused_at_the_door(intake: Intake, at: str) -> None:
    await intake.make_product("lamp")
    for terms, field in (
        ({"starts_at": at}, "starts_at"),
        ({"room": {"mode": "always", "lobby_opens_at": at}}, "room.lobby_opens_at"),
    ):
        answer = await intake.ops.post("/ops/sales", json={"sale_id": "one", "products": LAMP} | terms)
        assert fields_of(answer) == {field}
        assert (await intake.ops.get("/ops/sales/one")).status_code == 404
    window = {"price": 1, "starts_at": at}
    answer = await intake.ops.put("/ops/products/lamp/prices", json={"windows": [window]})
    assert fields_of(answer) == {"windows[0].starts_at"}
    assert (await intake.http.get("/products/lamp")).status_code == 200


@pytest.mark.parametrize("number", ["18446744073709551616", "1e20", "-1e20", "1e308", "-9223372036854775808.0"])
async def test_a_number_that_no_page_could_show_is_refused_however_it_is_written(intake: Intake, number: str) -> None:
    body = json.dumps(PRODUCT | {"attributes": {"a": [0]}}).replace("[0]", f'[{{"b": {number}}}]')
    answer = await intake.ops.put("/ops/products/lamp", content=body, headers={"Content-Type": "application/json"})
    assert fields_of(answer) == {"attributes"}
    assert (await intake.http.get("/products/lamp")).status_code == 404


async def test_numbers_up_to_64_bits_come_back(intake: Intake) -> None:
    numbers = [2**64 - 1, -(2**63), 1.8e19, -9.2e18, 1e-300, 0.1]
    await intake.ops.put("/ops/products/lamp", json=PRODUCT | {"attributes": {"a": numbers}})
    assert (await intake.http.get("/products/lamp")).json()["attributes"] == {"a": numbers}


def line(product_id: str, **more: Any) -> bytes:
    return json.dumps(PRODUCT | {"product_id": product_id} | more).encode()


async def test_an_import_skips_a_line_that_is_too_long(intake: Intake) -> None:
    long = line("long", attributes={"a": "x" * 2**20})
    body = b"\n".join([line("first"), long, line("between"), long + long, line("last"), long])
    report = (await intake.ops.post("/ops/products:import", content=body)).json()
    assert (report["imported"], [one["line"] for one in report["rejected"]]) == (3, [2, 4, 6])
    assert "1048576 bytes" in report["rejected"][0]["problem"]


async def test_an_import_takes_a_mark_of_byte_order(intake: Intake) -> None:
    body = b"\xef\xbb\xbf" + line("first") + b"\r\n" + line("second")
    assert (await intake.ops.post("/ops/products:import", content=body)).json()["imported"] == 2


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Content-Type": "application/x-ndjson"}, 200),
        ({"Content-Type": "application/x-ndjson; charset=utf-8"}, 200),
        ({"Content-Type": "application/jsonl"}, 200),
        ({"Content-Type": "application/json"}, 200),
        ({"Content-Type": "text/csv"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "identity"}, 200),
    ],
)
async def test_an_import_is_json_lines_and_nothing_else(intake: Intake, headers: dict[str, str], status: int) -> None:
    answer = await intake.ops.post("/ops/products:import", content=line("first"), headers=headers)
    assert answer.status_code == status, answer.text
    assert (await intake.ops.get("/ops/products/first")).status_code == (200 if status == 200 else 404)


@pytest.mark.parametrize(
    ("second", "field"),
    [
        ({"starts_at": "2031-01-01T00:00:00Z", "ends_at": "2031-01-01T00:00:00Z"}, "windows[1].ends_at"),
        ({"starts_at": "2030-01-01T01:00:00+01:00"}, "windows[1].starts_at"),
    ],
)
async def test_a_wrong_window_is_named_by_its_place(intake: Intake, second: dict[str, str], field: str) -> None:
    await intake.make_product("lamp")
    windows = [{"price": 1, "starts_at": "2030-01-01T00:00:00Z"}, {"price": 1} | second]
    assert fields_of(await intake.ops.put("/ops/products/lamp/prices", json={"windows": windows})) == {field}
