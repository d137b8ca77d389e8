"""Nobody sees a rehearsal who does not ask for it: every call that reads is made while a shadow sells."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from db.audit.questions import audit
from db.prewarm.measures import measure
from db.work import due_work
from doorbuster import keys
from intake.web.openapi.operations import OPERATIONS
from tests.fixtures.rehearsing import SALE

if TYPE_CHECKING:
    import httpx

    from tests.fixtures.rehearsing import Stage

_TOLD = {
    "/ops/sales/{sale}/rehearsals": "asked for",
    "/ops/sales/{sale}/rehearsals/{rehearsal}": "asked for",
}
_STREAMS = {"/orders/{order}/events"}
_QUERIES = {
    "/search": ["?q=lamp", "?q=shadow", "?q=", ""],
    "/search/suggest": ["?q=la", "?q=sha", "?q=thi"],
    "/products": ["", "?category=things"],
    "/ops/orders": ["", "?status=confirmed", "?customer=shopper-0", "?reason=payment_declined"],
    "/ops/orders:export": ["?format=jsonl", "?format=csv"],
    "/ops/dead-letters": ["", "?kind=payment", "?kind=delivery", "?customer=shopper-0"],
}
SIGN = re.compile(r"rehearsal-\d|shadow~|shopper-\d")


async def _asked(stage: Stage) -> dict[str, httpx.Response]:
    values = {
        "sale": SALE,
        "product": "lamp",
        "order": str(await stage.shop.db.fetchval("select min(order_id::text) from orders")),
        "webhook": "1",
        "letter": "999",
    }
    found = {}
    for operation in OPERATIONS:
        if operation.method != "get" or operation.path in _TOLD or operation.path in _STREAMS:
            continue
        path = re.sub(r"{(\w+)}", lambda m: values.get(m[1], "1"), operation.path)
        for query in _QUERIES.get(operation.path, [""]):
            found[path + query] = await stage.intake.ops.get(path + query, timeout=20)
    for path in ("/", "/metrics", "/readyz", "/openapi.json", f"/shop/{SALE}"):
        found[path] = await stage.intake.ops.get(path, headers={"Accept": "text/html,*/*"})
    return found


async def test_no_call_shows_a_shadow(stage: Stage) -> None:
    before = await _asked(stage)
    told = await _told(stage)
    rehearsal = await stage.begin()
    shadow, number = rehearsal["shadow_id"], int(rehearsal["shadow_id"].split("-")[1])
    for customer, token in (("shopper-0", "ok"), ("shopper-1", "decline")):
        await stage.order(rehearsal, customer, payment={"token": token})
    await stage.work(number)
    await stage.shop.db.execute(
        "insert into dead_letters (sale_number, partition, entry_id, payload, reason, detail, customer_id)"
        " values ($1, 0, '1-1', '', 'unreadable', '', 'shopper-0')", number,
    )  # fmt: skip
    await stage.shop.db.execute(
        "insert into payment_operations (order_id, kind, state, finished_at)"
        " select order_id, 'void', 'failed', now() from orders where sale_number = $1", number,
    )  # fmt: skip

    after = await _asked(stage)

    assert {path: SIGN.findall(answer.text) for path, answer in after.items() if SIGN.search(answer.text)} == {}
    assert {path: answer.status_code for path, answer in after.items()} == {
        path: answer.status_code for path, answer in before.items()
    }
    same = (
        "/search?q=lamp",
        "/products",
        "/ops/sales",
        "/ops/orders",
        "/ops/orders:export?format=csv",
        "/ops/dead-letters",
    )
    for path in same:
        assert _shown(after[path]) == _shown(before[path]), path
    assert await _told(stage) == told
    # Who asks for it sees it, marked as what it is.
    listed = (await stage.intake.ops.get("/ops/sales?shadows=true")).json()["items"]
    assert [(one["sale_id"], one["shadow_of"]) for one in listed] == [(shadow, 2)]
    assert (await stage.intake.ops.get(f"/ops/sales/{SALE}")).json()["shadow_of"] is None
    assert len((await stage.intake.ops.get(f"/ops/orders?sale={shadow}")).json()["items"]) == 2
    products = rehearsal["shadow"]["products"]
    assert (await stage.intake.http.get(f"/products/{products[0]}")).status_code == 404


def _shown(answer: httpx.Response) -> Any:
    try:
        return {name: value for name, value in answer.json().items() if name != "took_ms"}
    except json.JSONDecodeError:
        return answer.text


async def _told(stage: Stage) -> dict[str, Any]:
    """Return what other systems are told, and what the audit and the scheduler's look at sales are made of."""
    db, orders = stage.shop.db, stage.shop.orders
    findings = await audit(db)
    return {
        "stream": await orders.xlen(keys.EVENTS),
        "world": await db.fetchval("select count(*) from world_events"),
        "deliveries": await db.fetchval("select count(*) from webhook_deliveries"),
        "changes": await db.fetchval("select count(*) from product_changes"),
        "cursors": [tuple(row) for row in await db.fetch("select * from relay_cursors order by relay")],
        "audit": [(figure.what, figure.value, figure.breaches) for figure in findings.figures],
        "states": findings.states,
        "partitions": await due_work.partitions(db),
    }


async def test_one_at_a_time_and_beside_a_sale_only_when_that_is_said(stage: Stage) -> None:
    path = f"/ops/sales/{SALE}/rehearsals"
    await stage.intake.ops.post(f"/ops/sales/{SALE}/open")
    refused = await stage.intake.ops.post(path, json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert SALE in refused.json()["detail"]
    begun = await stage.begin(beside_live=True)
    assert begun["beside"] == [SALE]
    assert begun["live"] == {"orders": 0, "p99_ms": None, "p99_ms_20s": None}
    assert begun["set_rate_per_s"] == 80
    again = await stage.intake.ops.post(path, json={"beside_live": True})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    of_shadow = await stage.intake.ops.post(f"/ops/sales/{begun['shadow_id']}/rehearsals", json={})
    assert of_shadow.json()["code"] == "sale_not_found"
    assert (await stage.intake.ops.get(f"{path}/x")).json()["code"] == "not_found"
    unknown = await stage.intake.ops.post(path, json={"unit": 1})
    assert unknown.status_code == 422
    await _its_result_is_no_knee_where_a_live_sale_set_the_limit(stage, begun)


async def _its_result_is_no_knee_where_a_live_sale_set_the_limit(stage: Stage, begun: dict[str, Any]) -> None:
    """Go or no-go does not go by what a live sale left for a rehearsal."""
    result = {
        "knee_per_s": 40.0, "broke_at_per_s": None, "proposed_rate_per_s": None, "margin": 0.2, "set_rate_per_s": 80.0,
        "criteria": {"p99_ms": 250.0, "backlog_s": 2.0, "refused_share": 0.001}, "steps": [],
    }  # fmt: skip
    limits = {"limited_by": "live sale", "limit_reason": "p99 of an acceptance rose there"}
    path = f"/ops/sales/{SALE}/rehearsals/{begun['rehearsal_id']}"
    left = await stage.intake.ops.patch(path, json={"result": result | limits})
    assert left.json()["result"]["limited_by"] == "live sale"
    number = await stage.shop.db.fetchval("select sale_number from sales where sale_id = $1", SALE)
    assert (await measure(stage.shop.db, number)).knee_per_s is None
    for name in limits:
        await stage.shop.db.execute("update rehearsals set result = result - $1::text", name)
    assert (await measure(stage.shop.db, number)).knee_per_s == 40.0
