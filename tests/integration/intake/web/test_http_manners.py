"""What HTTP asks of every resource, and what parameters may be: HEAD, blank, repeated, U+0000."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import asyncpg
import pytest
from falcon.asgi import App, Request, Response
from falcon.testing import TestClient

from intake.web.openapi.operations import OPERATIONS
from intake.web.problems import Problems
from tests.fixtures.intake import Intake
from tests.fixtures.waiting import eventually
from tests.integration.intake.ops.test_bounds import fields_of

pytestmark = pytest.mark.versions

NUL_PATHS = [
    ("get", "/ops/products/%00"), ("get", "/ops/products/%00/prices"), ("get", "/ops/sales/%00"),
    ("post", "/ops/sales/%00/open"), ("post", "/ops/sales/a%00b/room/revoke"), ("get", "/ops/orders/%00"),
    ("get", "/products/%00"), ("get", "/orders/%00"), ("get", "/sales/%00/room"), ("post", "/orders/%00/cancel"),
]  # fmt: skip
NUL_QUERIES = [
    "/ops/orders?sale=%00", "/ops/orders?customer=a%00b", "/ops/orders?status=%00", "/ops/orders?cursor=%00",
    "/ops/audit?target=%00", "/ops/sales?cursor=%00", "/ops/sales?limit=%00", "/ops/dead-letters?cursor=%00",
    "/products?category=%00", "/products?cursor=%00", "/search?category=%00", "/search?brand=%00", "/search?cursor=%00",
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), NUL_PATHS)
async def test_a_nul_in_a_path_is_nowhere(intake: Intake, method: str, path: str) -> None:
    assert (await intake.ops.request(method, path)).status_code == 404


@pytest.mark.parametrize("path", NUL_QUERIES)
async def test_a_nul_in_a_parameter_is_refused_by_name(intake: Intake, path: str) -> None:
    [name] = re.findall(r"\?(\w+)=", path)
    assert fields_of(await intake.ops.get(path)) == {name}


async def test_a_nul_in_a_query_of_words_finds_nothing_worse(intake: Intake) -> None:
    for path in ("/search?q=%00", "/search/suggest?q=%00"):
        answer = await intake.http.get(path)
        assert (answer.status_code, answer.json()["items"]) == (200, []), path


class Refuses:
    async def on_get(self, req: Request, resp: Response, kind: str) -> None:
        if kind == "driver":
            raise asyncpg.exceptions._base.DataError("invalid input for query argument $1")
        raise asyncpg.UntranslatableCharacterError("unsupported Unicode escape sequence")


@pytest.mark.parametrize("kind", ["driver", "server"])
def test_what_the_database_cannot_hold_is_the_callers_mistake(kind: str) -> None:
    app: App[Request, Response] = App()
    Problems(7, lambda code: None).install(app)
    app.add_route("/{kind}", Refuses())
    answer = TestClient(app).simulate_get(f"/{kind}")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid")
    assert "retry-after" not in answer.headers


async def test_blank_parameters_are_absent_ones(intake: Intake) -> None:
    await intake.make_product("lamp")
    for path, blank in (
        ("/products", "category=&cursor=&limit="),
        ("/search", "q=&category=&brand=&min_price=&max_price=&sort=&cursor=&limit="),
        ("/search/suggest", "q=&limit="),
        ("/ops/orders", "sale=&customer=&status=&cursor=&limit="),
        ("/ops/sales", "cursor=&limit="),
        ("/ops/audit", "target=&cursor=&limit="),
        ("/ops/dead-letters", "cursor=&limit="),
    ):
        bare, given = await intake.ops.get(path), await intake.ops.get(f"{path}?{blank}")
        assert (given.status_code, given.json()) == (200, bare.json()), path
    assert [one["product_id"] for one in (await intake.http.get("/products?category=")).json()["items"]] == ["lamp"]


@pytest.mark.parametrize(
    "path",
    [
        "/products?limit=1&limit=2", "/products?category=a&category=b", "/search?q=a&q=b",
        "/search?sort=price&sort=newest",
        "/search?min_price=1&min_price=2", "/search/suggest?q=a&q=b", "/ops/orders?status=pending&status=shipped",
        "/ops/sales?limit=1&limit=2", "/ops/audit?target=a&target=b",
    ],
)  # fmt: skip
async def test_a_parameter_given_twice_is_refused_by_name(intake: Intake, path: str) -> None:
    [name] = set(re.findall(r"[?&](\w+)=", path))
    assert fields_of(await intake.ops.get(path)) == {name}


@pytest.mark.parametrize("limit", ["00100999", "00024" + "0" * 5000, "0" * 9 + "700", "101", "501", "0", "-1", "x"])
async def test_a_limit_has_its_bounds_however_it_is_written(intake: Intake, limit: str) -> None:
    for path in ("/products", "/search", "/ops/orders", "/ops/sales") if limit != "101" else ("/products",):
        assert fields_of(await intake.ops.get(f"{path}?limit={limit}")) == {"limit"}


async def test_head_is_wherever_get_is(intake: Intake) -> None:
    await intake.open_sale("x", "x", room={"mode": "always"})
    order = (await intake.open_sale("plain", "x"))["sale_id"]
    order = (await intake.post("plain", lines=[{"product_id": "x", "quantity": 1}])).json()["order_id"]
    for operation in OPERATIONS:
        if operation.method != "get":
            continue
        path = re.sub(r"{\w+}", "x", operation.path.replace("{order}", order))
        head = await intake.ops.head(path)
        if any(media in str(operation.answers) for media in ("text/event-stream", "text/csv")):
            assert head.status_code == 405
            assert "GET" in head.headers["allow"]
            assert "HEAD" not in head.headers["allow"]
            continue
        await eventually(partial(_heads_the_same, intake, path), what=f"HEAD of {path} to say what GET says")


async def _heads_the_same(intake: Intake, path: str) -> bool:
    """Say whether GET has the length that HEAD tells; figures in it may change from one look to the next."""
    head, got = await intake.ops.head(path), await _get(intake, path)
    assert (head.status_code, head.content) == (got.status_code, b""), path
    assert head.headers["content-type"] == got.headers["content-type"], path
    return bool(head.headers["content-length"] == got.headers["content-length"])


async def _get(intake: Intake, path: str) -> Any:
    async with intake.ops.stream("GET", path) as got:
        return got


async def test_the_document_has_the_heads(intake: Intake) -> None:
    options = await intake.http.options("/healthz")
    assert {"GET", "HEAD"} <= set(options.headers["allow"].split(", "))


async def test_validators_in_two_lines_are_one_list(intake: Intake) -> None:
    await intake.make_product("lamp")
    for path in ("/products/lamp", "/products"):
        etag = (await intake.http.get(path)).headers["etag"]
        for lines in (['"x"', etag], [etag, '"x"'], [f'"x", {etag}'], ["*"]):
            headers = [("If-None-Match", line) for line in lines]
            assert (await intake.http.get(path, headers=headers)).status_code == 304, (path, lines)
        assert (await intake.http.get(path, headers=[("If-None-Match", '"x"')] * 2)).status_code == 200


async def test_bytes_that_are_no_text_name_nothing(intake: Intake) -> None:
    body = {"name": "a", "brand": "", "category": "", "price": 1, "currency": "EUR"}
    answer = await intake.ops.put("/ops/products/%ff%fe", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    fine = await intake.ops.put("/ops/products/%ef%bf%bd", json=body)
    assert fine.status_code == 200
