"""An import over HTTP: what it takes, what it tells, and that the process that serves shoppers does not do the work."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.ops_log import Author
from db.products.importing import ATTRIBUTES_MAX
from intake.ops import import_process, import_products
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.waiting import eventually

if TYPE_CHECKING:
    import httpx


IMPORT = "/ops/products:import"
PRODUCT = {"product_id": "p", "name": "Lamp", "brand": "L", "category": "C", "price": 100, "currency": "EUR"}


def lines(*changes: dict[str, Any]) -> str:
    return "\n".join(json.dumps(PRODUCT | change) for change in changes)


async def post(intake: Intake, body: str | bytes, **params: str) -> httpx.Response:
    return await intake.ops.post(IMPORT, content=body, params=params, timeout=60)


async def shown(intake: Intake, product: str = "p") -> dict[str, Any]:
    answer = await intake.ops.get(f"/ops/products/{product}")
    stored: dict[str, Any] = answer.raise_for_status().json()
    return stored


async def test_what_a_line_does_not_have_stays(intake: Intake) -> None:
    full = {"active": False, "description": "Bright", "attributes": {"watt": 9}, "stock": 3}
    assert (await post(intake, lines(full))).json()["imported"] == 1
    assert (await post(intake, lines({"price": 200}))).json()["imported"] == 1
    stored = await shown(intake)
    assert (stored["price"], stored["active"], stored["description"]) == (200, False, "Bright")
    assert (stored["attributes"], stored["stock"]["received"]) == ({"watt": 9}, 3)
    await post(intake, lines({"description": None, "attributes": {}, "active": True}))
    stored = await shown(intake)
    assert (stored["active"], stored["description"], stored["attributes"]) == (True, None, {})
    # A PUT stays a replacement.
    put = {name: value for name, value in PRODUCT.items() if name != "product_id"}
    await intake.ops.put("/ops/products/p", json=put | {"description": "New", "active": False})
    await intake.ops.put("/ops/products/p", json=put)
    stored = await shown(intake)
    assert (stored["active"], stored["description"]) == (True, None)


async def test_prices_with_decimals_are_refused_as_a_whole(intake: Intake) -> None:
    body = lines({"product_id": "sofa", "price": 500}, {"product_id": "lamp", "price": 69.99})
    answer = await post(intake, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["errors"][0]["field"] == "price"
    assert "1 of 2 have decimals, the first in line 2: 69.99" in answer.json()["detail"]
    assert (await intake.ops.get("/ops/products/sofa")).status_code == 404
    assert (await post(intake, body, price_unit="major")).json()["imported"] == 2
    assert [(await shown(intake, one))["price"] for one in ("sofa", "lamp")] == [50_000, 6_999]
    report = (await post(intake, body, price_unit="minor")).json()
    assert (report["imported"], [one["line"] for one in report["rejected"]]) == (1, [2])
    assert "69.99" in report["rejected"][0]["problem"]


async def test_prices_in_major_units_may_be_texts_with_their_currency(intake: Intake) -> None:
    body = "\n".join(
        json.dumps({k: v for k, v in (PRODUCT | change).items() if v is not None})
        for change in (
            {"product_id": "a", "price": "1.299,50 EUR", "currency": None},
            {"product_id": "b", "price": "1500", "currency": "JPY"},
            {"product_id": "c", "price": "5 USD"},
            {"product_id": "d", "price": "5", "currency": None},
        )
    )
    report = (await post(intake, body, price_unit="major")).json()
    assert [one["line"] for one in report["rejected"]] == [3, 4]
    assert [(await shown(intake, one))["price"] for one in "ab"] == [129_950, 1_500]


@pytest.mark.parametrize("params", [{"price_unit": "dollars"}, {"unit": "major"}])
async def test_unknown_parameters_are_refused(intake: Intake, params: dict[str, str]) -> None:
    answer = await post(intake, lines({}), **params)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert {error["field"] for error in answer.json()["errors"]} == set(params)


async def test_odd_lines_are_told_by_number_and_the_rest_imported(intake: Intake) -> None:
    odd = [
        '{"product_id": "x", "price": ' + "9" * 5_000 + "}",
        "[" * 50_000,
        '{"attributes": ' + '{"a":' * 5_000 + "1" + "}" * 5_000 + "}",
        json.dumps(PRODUCT | {"currency": "ABC"}),
        json.dumps(PRODUCT | {"price": True}),
        json.dumps(PRODUCT | {"name": "\0"}),
        json.dumps(PRODUCT | {"attributes": {"a": "\0"}}),
        json.dumps(PRODUCT | {f"k{n}" * 30: n for n in range(2_000)}),
        '{"product_id": "\\ud800"}',
        "[]",
    ]
    body = "\n".join(
        part for n, line in enumerate(odd) for part in (json.dumps(PRODUCT | {"product_id": f"g{n}"}), line)
    )
    report = (await post(intake, body)).json()
    assert report["imported"] == len(odd)
    assert [one["line"] for one in report["rejected"]] == [2 * n + 2 for n in range(len(odd))]
    assert max(len(one["problem"]) for one in report["rejected"]) < 5_000
    assert "'ABC'" in report["rejected"][3]["problem"]


async def test_ids_have_one_form_and_twice_is_told(intake: Intake) -> None:
    ids = ["cafe\u0301", " caf\u00e9 ", "x", "caf\u00e9"]
    report = (await post(intake, lines(*({"product_id": one, "price": n} for n, one in enumerate(ids))))).json()
    assert (report["imported"], report["rejected"], report["doubled_count"]) == (2, [], 2)
    assert [one["line"] for one in report["doubled"]] == [2, 4]
    assert (await shown(intake, "caf\u00e9"))["price"] == 3


async def test_attributes_are_bounded(intake: Intake) -> None:
    assert (await post(intake, lines({"attributes": {"a": "x" * (ATTRIBUTES_MAX - 1_000)}}))).json()["imported"] == 1


async def test_an_import_is_the_work_of_another_process(serve: Serve) -> None:
    """Thirty lines, large as objects: neither are they in this process's memory, nor do they hold up its answers."""
    intake = await serve()
    body = lines(*({"product_id": f"p{n}", "attributes": {"a": [{}] * 100_000}} for n in range(30)))
    before = psutil.Process().memory_info().rss
    task = asyncio.create_task(post(intake, body))
    peak, answered = before, 0
    while not task.done():
        assert (await intake.http.get("/healthz")).status_code == 200
        answered += 1
        peak = max(peak, psutil.Process().memory_info().rss)
    assert (await task).json()["imported"] == 30
    assert answered > 10
    assert peak - before < 100 * 2**20


async def test_only_so_many_imports_at_a_time(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_products, "IMPORTS_MAX", 1)
    sending = asyncio.Event()

    async def slow() -> Any:
        yield lines({}).encode()
        await sending.wait()

    first = asyncio.create_task(intake.ops.post(IMPORT, content=slow()))

    async def refused() -> bool:
        return (await post(intake, lines({}))).status_code == 503

    async def begun() -> bool:
        return intake.guard.in_flight > 0

    await eventually(begun, what="the first import to be under way")
    await eventually(refused, what="a second import to be refused")
    sending.set()
    assert (await first).json()["imported"] == 1
    assert (await post(intake, lines({}))).json()["imported"] == 1


async def test_an_import_that_is_given_up_again_and_again_leaves_no_process() -> None:
    """Whatever ends a request may be cancelled itself: at an intake's end that comes twice."""
    before = set(psutil.Process().children())
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb"):
        importing = asyncio.create_task(import_products._imported(file, "postgresql://", "minor", Author("o", None)))

        async def is_begun() -> bool:
            return set(psutil.Process().children()) > before

        await eventually(is_begun, what="the process to be there")
        while not importing.done():
            importing.cancel()
            await asyncio.sleep(0)
    assert importing.cancelled()
    assert set(psutil.Process().children()) == before


async def test_the_public_role_has_no_import(serve: Serve) -> None:
    public = await serve("public")
    assert (await post(public, lines({}))).status_code == 404


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_line_is_read_or_refused(line: bytes) -> None:
    report = import_process._Report()
    for unit in ("minor", "major"):
        before = report.rejected_count
        row = import_process._row(line, 1, unit, report)
        assert (row is None) == (report.rejected_count == before + 1)
