"""`GET /ops/sales/{sale}/live`: its figures against what was really done."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.fixtures.intake import Intake


async def look(intake: Intake, sale: str = "sale", **query: Any) -> dict[str, Any]:
    answer = await intake.ops.get(f"/ops/sales/{sale}/live", params=query)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def test_it_says_what_was_accepted_and_waits(intake: Intake) -> None:
    await intake.open_sale("sale", "lamp")
    first = await look(intake)
    assert (first["phase"], first["backlog"], first["backlog_s"]) == ("open", 0, 0)
    assert (first["room"]["why"], first["go"], first["alerts"], first["troubles"]) == ("off", None, [], [])
    assert (first["waiting"], first["accepted_per_s"]) == (None, None)
    await intake.make_product("lamp", units=5)
    for _ in range(3):
        await intake.post("sale", lines=[{"product_id": "lamp", "quantity": 1}])
    await asyncio.sleep(1)
    second = await look(intake)
    assert second["backlog"] == 3
    assert second["backlog_s"] > 0
    assert 0 < second["accepted_per_s"] <= 3
    assert second["confirmed_per_s"] == 0
    assert second["stock"] == {"lamp": 5}
    assert second["products"] == [
        {"product_id": "lamp", "name": "lamp", "received": 5, "left": 5, "reserved": 0, "sold": 0}
    ]
    assert second["payments"] == {"due": 0, "failing": 0}


async def test_a_sale_that_is_not_there(intake: Intake) -> None:
    answer = await intake.ops.get("/ops/sales/none/live")
    assert (answer.status_code, answer.json()["code"]) == (404, "sale_not_found")
