"""A body whose sender goes before its end is nobody's wish, however whole what came of it looks."""

from __future__ import annotations

import json

import pytest

from db.connections.pool import Connection
from intake.web.json_lines import MEDIA
from tests.fixtures.fulfilment import Fulfilment
from tests.fixtures.intake import Intake
from tests.fixtures.raw import Raw, get
from tests.fixtures.waiting import eventually

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


async def break_off(intake: Intake, method: str, path: str, body: bytes, *, is_chunked: bool) -> None:
    """Send the body without its end, go as soon as it is in work, and wait until it is no more."""
    told = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body) + 1}"
    kind = f"Content-Type: {MEDIA if LINE_END in body else 'application/json'}"
    head = get(path, told, kind, f"Authorization: {intake.ops.headers['authorization']}", method=method)
    before = intake.guard.in_flight
    async with Raw(intake.port) as raw:
        await raw.send(head, b"%x\r\n%b\r\n" % (len(body), body) if is_chunked else body)

        async def is_in_work() -> bool:
            return intake.guard.in_flight > before

        await eventually(is_in_work, what="the request to be in work")

    async def is_done() -> bool:
        return intake.guard.in_flight == before

    await eventually(is_done, what="the request to be given up")


@pytest.mark.parametrize("is_chunked", [True, False])
@pytest.mark.parametrize(("method", "path", "body"), WHOLE_SO_FAR)
async def test_nothing_comes_of_it(
    intake: Intake, db: Connection, method: str, path: str, body: bytes, is_chunked: bool
) -> None:
    await break_off(intake, method, path, body, is_chunked=is_chunked)
    assert await db.fetch("select * from ops_log") == []
    headers = {"Content-Type": MEDIA if LINE_END in body else "application/json"}
    whole = await intake.ops.request(method, path, content=body, headers=headers, timeout=60)
    assert whole.is_success, whole.text
    assert await db.fetchval("select count(*) from ops_log") > 0


@pytest.mark.parametrize("is_chunked", [True, False])
async def test_no_order_is_moved(fulfilment: Fulfilment, is_chunked: bool) -> None:
    order = await fulfilment.place(1, 1, to="processing")
    lines = json.dumps({"order_id": order, "to": "shipped"}).encode() + LINE_END
    for path, body in (("/ops/orders:transition", lines), (f"/ops/orders/{order}/shipments", b"{}")):
        before = await fulfilment.held()
        await break_off(fulfilment.intake, "POST", path, body, is_chunked=is_chunked)
        assert (await fulfilment.intake.http.get(f"/orders/{order}")).json()["status"] == "processing"
        assert await fulfilment.held() == before
