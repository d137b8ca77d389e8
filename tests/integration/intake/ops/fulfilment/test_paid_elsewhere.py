"""Confirming by hand over HTTP, one order or by file: an open payment is refused until somebody says how it is paid."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.fixtures.fulfilment import Fulfilment

PATH = "/ops/orders:transition"


async def test_an_open_payment_needs_a_word(fulfilment: Fulfilment) -> None:
    order = await fulfilment.place(1, 0, to="pending")
    await fulfilment.shop.db.execute("update orders set payment = 'requires_action'")
    ops = fulfilment.intake.ops

    async def ask(**body: Any) -> tuple[int, dict[str, Any]]:
        answer = await ops.post(f"/ops/orders/{order}/transitions", json=body)
        return answer.status_code, answer.json()

    async def by_file(**line: Any) -> dict[str, Any]:
        content = json.dumps({"order_id": order, **line})
        answer = await ops.post(PATH, content=content, headers={"Content-Type": "application/jsonl"})
        found: dict[str, Any] = json.loads(answer.raise_for_status().text)
        return found

    assert "paid_elsewhere" not in (await fulfilment.intake.http.get(f"/orders/{order}")).json()["payment"]
    status, problem = await ask(to="confirmed", reason="please")
    assert (status, problem["code"], problem["payment"]) == (409, "payment_open", "requires_action")
    assert (await by_file(to="confirmed"))["code"] == "payment_open"
    for wrong in ({"to": "confirmed"}, {"to": "cancelled", "reason": "cash"}):
        status, problem = await ask(**wrong, paid_elsewhere=True)
        assert (status, problem["code"]) == (422, "invalid")
        assert (await by_file(**wrong, paid_elsewhere=True))["code"] == "invalid"
    done = await by_file(to="confirmed", reason="paid in cash", paid_elsewhere=True)
    assert (done["status"], done["changed"]) == ("confirmed", True)
    assert await fulfilment.shop.db.fetchval("select paid_elsewhere from orders")
    for shown in (await fulfilment.intake.http.get(f"/orders/{order}"), await ops.get(f"/ops/orders/{order}")):
        assert shown.json()["payment"] == {"status": "requires_action", "paid_elsewhere": True}
    exported = (await ops.get("/ops/orders:export", params={"format": "jsonl"})).json()
    assert exported["payment"]["paid_elsewhere"] is True
    assert await fulfilment.shop.db.fetchval("select kind from payment_operations where state = 'due'") == "void"
