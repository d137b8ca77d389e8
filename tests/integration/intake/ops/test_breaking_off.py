"""A body whose sender goes before its end is nobody's wish, however whole what came of it looks."""

from __future__ import annotations

import json

import pytest

from db.connections.pool import Connection
from intake.web.json_lines import MEDIA
from tests.fixtures.breaking_off import break_off
from tests.fixtures.fulfilment import Fulfilment
from tests.fixtures.intake import Intake

LINE_END = b"\n"
TERMS = {"name": "Lamp", "brand": "L", "category": "C", "price": 100, "currency": "EUR"}
LINE = json.dumps(TERMS | {"product_id": "p"}).encode() + LINE_END
WHOLE_SO_FAR = [
    ("POST", "/ops/products:import", LINE),
    ("POST", "/ops/products:import", LINE * 2 + LINE[:20]),
    ("PUT", "/ops/products/p", json.dumps(TERMS).encode()),
    ("POST", "/ops/keys", json.dumps({"name": "night", "role": "operate"}).encode()),
    ("POST", "/ops/webhooks", json.dumps({"url": "https://shop.example/hook"}).encode()),
]


def _headers(intake: Intake, body: bytes) -> dict[str, str]:
    kind = MEDIA if LINE_END in body else "application/json"
    return {"Content-Type": kind, "Authorization": intake.ops.headers["authorization"]}


@pytest.mark.parametrize("is_chunked", [True, False])
@pytest.mark.parametrize(("method", "path", "body"), WHOLE_SO_FAR)
async def test_nothing_comes_of_it(
    intake: Intake, db: Connection, method: str, path: str, body: bytes, is_chunked: bool
) -> None:
    await break_off(intake, method, path, body, headers=_headers(intake, body), is_chunked=is_chunked)
    assert await db.fetch("select * from ops_log") == []
    whole = await intake.ops.request(method, path, content=body, headers=_headers(intake, body), timeout=60)
    assert whole.is_success, whole.text
    assert await db.fetchval("select count(*) from ops_log") > 0


@pytest.mark.parametrize("is_chunked", [True, False])
async def test_no_order_is_moved(fulfilment: Fulfilment, is_chunked: bool) -> None:
    order = await fulfilment.place(1, 1, to="processing")
    lines = json.dumps({"order_id": order, "to": "shipped"}).encode() + LINE_END
    for path, body in (("/ops/orders:transition", lines), (f"/ops/orders/{order}/shipments", b"{}")):
        before = await fulfilment.held()
        headers = _headers(fulfilment.intake, body)
        await break_off(fulfilment.intake, "POST", path, body, headers=headers, is_chunked=is_chunked)
        assert (await fulfilment.intake.http.get(f"/orders/{order}")).json()["status"] == "processing"
        assert await fulfilment.held() == before
