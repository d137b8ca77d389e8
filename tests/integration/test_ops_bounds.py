"""What ops may not store: whatever is refused leaves nothing behind, and the field at fault is named."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.intake import Intake

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
