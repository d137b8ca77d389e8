"""Values that JSON allows and no store takes: refused by name, never an error of ours, nothing left behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fixtures.intake import Intake
from tests.integration.intake.ops.test_bounds import fields_of
from tests.integration.intake.ops.test_ops import PRODUCT


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


HOSTILE: list[Any] = [10**30, -(10**30), nested(70), nested(900), {"a\x00": 1}, ["\x00"]]


@pytest.mark.parametrize("value", [one for one in HOSTILE if one != nested(70)], ids=lambda value: repr(value)[:12])
async def test_metadata_that_cannot_be_kept_is_refused(intake: Intake, value: Any) -> None:
    await intake.open_sale("one")
    answer = await intake.post("one", metadata={"a": value})
    assert fields_of(answer) == {"metadata"}
    at_another_price = await intake.post("one", metadata={"a": value}, expected_total=1)
    assert fields_of(at_another_price) == {"metadata"}


async def test_other_metadata_comes_back_as_sent(intake: Intake) -> None:
    await intake.open_sale("one")
    sent = {"a": 2**64 - 1, "b": -(2**63), "c": nested(50), "d": 1.5, "e": "\u2028", "f": None, "g": {}}
    order = (await intake.post("one", metadata=sent)).json()["order_id"]
    assert (await intake.http.get(f"/orders/{order}")).json()["metadata"] == sent


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:12])
async def test_attributes_that_cannot_be_kept_are_refused(intake: Intake, value: Any) -> None:
    answer = await intake.ops.put("/ops/products/lamp", json=PRODUCT | {"attributes": {"a": value}})
    assert fields_of(answer) == {"attributes"}
    assert (await intake.ops.get("/ops/products/lamp")).status_code == 404


async def test_an_import_refuses_their_lines_alone(intake: Intake) -> None:
    bad = [PRODUCT | {"product_id": f"bad{n}", "attributes": {"a": value}} for n, value in enumerate(HOSTILE)]
    good = [PRODUCT | {"product_id": f"good{n}", "attributes": {"a": 2**64 - 1}} for n in range(3)]
    lines = "\n".join(map(json.dumps, [good[0], *bad, *good[1:]]))
    report = (await intake.ops.post("/ops/products:import", content=lines)).json()
    assert (report["imported"], [line["line"] for line in report["rejected"]]) == (3, [2, 3, 4, 5, 6, 7])
    assert all("attributes" in line["problem"] for line in report["rejected"])
    shown = await intake.http.get("/products/good0")
    assert shown.json()["attributes"] == {"a": 2**64 - 1}
