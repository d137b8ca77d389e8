"""The contract over HTTP: every problem's form, the document that describes it, the page, the metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from falcon.asgi import App, Request, Response
from falcon.testing import TestClient

from doorbuster.contract.problems import FAULTS
from doorbuster.settings import Settings
from intake.app import create_app
from intake.web.falcon_app import Routes
from intake.web.openapi.document import CSP, document
from intake.web.openapi.examples import EXAMPLES
from intake.web.openapi.operations import OPERATIONS
from intake.web.openapi.words import DESCRIPTIONS
from intake.web.problems import RETRY_AFTER, Problems, RefusedError
from tests.fixtures.intake import Intake


class Raises:
    async def on_get(self, req: Request, resp: Response, code: str) -> None:
        if code == "bug":
            raise ZeroDivisionError("a secret")
        raise RefusedError(code, "why", [("lines[0]", "is wrong")] if code == "invalid" else None)


class Silent:
    async def on_put(self, req: Request, resp: Response) -> None:
        raise TimeoutError

    on_post = on_put


@pytest.fixture(scope="module")
def client() -> TestClient:
    app: App[Request, Response] = App()
    Problems(7, lambda code: None).install(app)
    app.add_route("/{code}", Raises())
    order = ("/orders/one/cancel", "/ops/orders/one/shipments", "/ops/orders/one/refunds")
    for path in ("/ops/products/lamp/stock", "/ops/products/lamp", "/sales/one/orders", *order):
        app.add_route(path, Silent())
    return TestClient(app)


@pytest.mark.parametrize("code", FAULTS)
def test_every_code_is_told_as_a_problem(client: TestClient, code: str) -> None:
    answer = client.simulate_get(f"/{code}")
    status, title = FAULTS[code]
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["code"] == code
    assert (answer.json["status"], answer.json["title"], answer.json["detail"]) == (status, title, "why")
    assert answer.json["type"].endswith(code)
    assert answer.headers.get("retry-after") == ("7" if code in RETRY_AFTER else None)
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert answer.json.get("errors") == ([{"field": "lines[0]", "problem": "is wrong"}] if code == "invalid" else None)


def test_a_defect_shows_no_cause(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.simulate_get("/bug")
    assert (answer.status_code, answer.json["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "a secret" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "safe"),
    [
        ("POST", "/ops/products/lamp/stock", False),  # would receive the units twice
        ("POST", "/orders/one/cancel", False),
        ("POST", "/ops/orders/one/shipments", False),
        ("POST", "/ops/orders/one/refunds", True),  # by its idempotency key
        ("PUT", "/ops/products/lamp", True),
        ("POST", "/sales/one/orders", True),  # as well
    ],
)
def test_a_store_that_is_silent_does_not_make_every_call_safe_to_repeat(
    client: TestClient, method: str, path: str, safe: bool
) -> None:
    answer = client.simulate_request(method, path)
    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")
    assert ("is safe to repeat" in answer.json["detail"]) is safe
    assert ("read before you repeat" in answer.json["detail"]) is not safe


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("PUT", "/orders/x", 405, "method_not_allowed"),
        ("GET", "/sales/sale/orders", 405, "method_not_allowed"),
        ("PROPFIND", "/orders/x", 405, "method_not_allowed"),
    ],
)
async def test_unknown_places_and_methods_are_problems(
    intake: Intake, method: str, path: str, status: int, code: str
) -> None:
    answer = await intake.http.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("body", "media", "status", "code"),
    [
        (b"", "application/json", 400, "malformed"),
        (b"{", "application/json", 400, "malformed"),
        (b'{"a":"\xff"}', "application/json", 400, "malformed"),
        (b"[" * 9000, "application/json", 400, "malformed"),
        (b'{"customer_id":5,', "application/json", 400, "malformed"),
        (b"[]", "application/json", 422, "invalid"),
        (b"null", "application/json; charset=utf-8", 422, "invalid"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
    ],
)
async def test_unreadable_and_wrong_bodies_are_told_apart(
    intake: Intake, body: bytes, media: str, status: int, code: str
) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": media}
    answer = await intake.http.post("/sales/sale/orders", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def _refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from _refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _refs(inner)


def test_the_document_is_whole() -> None:
    said = document()
    assert said["openapi"].startswith("3.1")
    schemas = said["components"]["schemas"]
    for ref in _refs(said):
        assert ref.removeprefix("#/components/schemas/") in schemas, ref
    ids = [operation["operationId"] for methods in said["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids)) == len(OPERATIONS)
    for path, methods in said["paths"].items():
        for operation in methods.values():
            inside = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert inside == set(re.findall(r"{(\w+)}", path))
            assert all("description" in answer for answer in operation["responses"].values())
    order = schemas["OrderRequest"]
    assert order["additionalProperties"] is False
    assert (order["properties"]["lines"]["minItems"], order["properties"]["lines"]["maxItems"]) == (1, 20)
    assert schemas["Line"]["properties"]["quantity"]["maximum"] == 1000


def test_every_code_is_described_somewhere() -> None:
    described = {code for operation in OPERATIONS for code in operation.problems}
    assert described | {"method_not_allowed", "method_unknown"} >= FAULTS.keys() - {"not_found"}


async def test_every_operation_is_routed(intake: Intake) -> None:
    served = await intake.http.get("/openapi.json")
    assert served.json() == document()
    assert len(OPERATIONS) > 40
    for operation in OPERATIONS:
        path = re.sub(r"{\w+}", "x", operation.path.replace("{provider}", "simulated"))
        answer = await intake.ops.request(operation.method.upper(), path)
        assert answer.status_code != 405, path
        may_be_missing = "not_found" in operation.problems  # what is asked for, not its route
        assert answer.status_code != 404 or may_be_missing or answer.json()["code"] != "not_found", path
        assert answer.status_code < 500, (path, answer.text)


VERBS = ("get", "post", "put", "patch", "delete")
PAGES = {
    "/",
    "/docs",
    "/docs/style.css",
    "/ops",
    "/ops/",
    "/ops/static/report/{version}/{name}",
    "/ops/static/{version}/{name:path}",
    "/room/static/{version}/{name}",
    "/sales/{sale}/wait",
    "/shop/{sale}",
    "/shop/{sale}/orders/{order}",
}
"""Routes for people: no calls of the contract."""


async def test_every_route_is_an_operation_or_a_page(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    routed: set[tuple[str, str]] = set()
    add_route = Routes.add_route

    def noting(self: Routes, template: str, resource: Any, **options: Any) -> None:
        routed.update((verb, template) for verb in VERBS if hasattr(resource, f"on_{verb}"))
        add_route(self, template, resource, **options)

    monkeypatch.setattr(Routes, "add_route", noting)
    create_app(settings)
    assert len(routed) > 40
    described = [(operation.method, operation.path) for operation in OPERATIONS]

    def is_described(verb: str, template: str) -> bool:
        segments = re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))
        return any(verb == method and segments.fullmatch(path) for method, path in described)

    assert {route for route in routed if route[1] not in PAGES and not is_described(*route)} == set()
    assert {template for _, template in routed} >= PAGES


async def test_the_document_says_what_may_be_asked_and_answered(intake: Intake) -> None:
    await intake.make_product("lamp")
    paths = document()["paths"]
    for path in ("/products/{product}", "/products", "/search", "/search/suggest"):
        operation, at = paths[path]["get"], path.replace("{product}", "lamp")
        etag = (await intake.http.get(at)).headers["etag"]
        assert (await intake.http.get(at, headers={"If-None-Match": etag})).status_code == 304
        assert "304" in operation["responses"], path
        assert "If-None-Match" in {one["name"] for one in operation["parameters"]}, path
    schemas = {one["name"]: one["schema"] for one in paths["/search"]["get"]["parameters"]}
    assert schemas["limit"]["type"] == schemas["min_price"]["type"] == "integer"
    assert schemas["brand"] == {"type": "array", "items": {"type": "string"}}
    assert "-price" in schemas["sort"]["enum"]
    for operation in OPERATIONS:
        if operation.path.startswith("/ops/") and operation.method != "get":
            assert "422" in paths[operation.path][operation.method]["responses"], operation  # `X-Operator`


def test_the_document_is_one_that_a_newcomer_can_use() -> None:
    said = document()
    tags = {tag["name"] for tag in said["tags"] if tag["description"]}
    operations = {f"{m} {path}": one for path, methods in said["paths"].items() for m, one in methods.items()}
    for name, one in operations.items():
        assert set(one["tags"]) <= tags, name
        assert one["description"], name
        assert all(parameter.get("description") for parameter in one["parameters"]), name
    assert tags == {tag for one in operations.values() for tag in one["tags"]}
    post = operations["post /sales/{sale}/orders"]
    schemes = said["components"]["securitySchemes"]
    assert {name for one in post["security"] for name in one} == {"admission", "admission_cookie", "storefront_key"}
    assert schemes["admission"]["scheme"] == "bearer"
    assert all(one["description"] for one in schemes.values())
    assert {"Location", "Idempotency-Replayed", "Preference-Applied"} <= post["responses"]["202"]["headers"].keys()
    assert "Link" in post["responses"]["401"]["headers"]
    assert "Retry-After" in operations["post /sales/{sale}/room/admissions"]["responses"]["202"]["headers"]
    assert "example" in post["requestBody"]["content"]["application/json"]


@pytest.mark.parametrize("kind", EXAMPLES, ids=lambda kind: kind.__name__)
def test_an_example_is_one_of_its_type(kind: Any) -> None:
    read = msgspec.json.decode(msgspec.json.encode(EXAMPLES[kind]), type=kind)
    shown = msgspec.to_builtins(read)
    assert EXAMPLES[kind].keys() <= shown.keys()


def test_words_are_of_operations_that_are_there() -> None:
    assert DESCRIPTIONS.keys() <= {f"{one.method} {one.path}" for one in OPERATIONS}


async def test_the_page_can_be_found_one_s_way_in(intake: Intake) -> None:
    page = (await intake.http.get("/docs")).text
    anchors = set(re.findall(r"href=\"/docs#([^\"]+)\"", page))
    assert anchors <= set(re.findall(r" id=\"([^\"]+)\"", page))
    for methods in document()["paths"].values():
        assert all(operation["operationId"] in anchors for operation in methods.values())
    assert "&quot;customer_id&quot;: &quot;c-17&quot;" in page
    assert "<script" not in page


async def test_the_page_asks_nobody_else(intake: Intake) -> None:
    page = await intake.http.get("/docs")
    assert page.headers["content-security-policy"] == CSP
    assert all(operation.path in page.text for operation in OPERATIONS)
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page.text)
    for link in re.findall(r"href=\"([^\"]+)\"", page.text):
        assert (await intake.http.get(link)).status_code == 200


async def test_metrics_count_what_happened(intake: Intake) -> None:
    await intake.open_sale()
    await intake.post("sale", key="k")
    await intake.post("sale", key="k")
    await intake.post("none")
    text = (await intake.http.get("/metrics")).text
    assert 'doorbuster_orders_total{verdict="accepted"} 1.0' in text
    assert 'doorbuster_orders_total{verdict="replayed"} 1.0' in text
    assert 'doorbuster_refusals_total{code="sale_not_found"} 1.0' in text
    assert 'doorbuster_backlog_orders{partition="0",sale="sale"} 1.0' in text
    assert re.search(r'doorbuster_oldest_seconds{partition="0",sale="sale",shift="drain"} [0-9.]+\n', text)
    assert 'doorbuster_oldest_seconds{partition="0",sale="sale",shift="settle"} 0.0' in text
    assert 'doorbuster_oldest_seconds{partition="",sale="",shift="relay"} 0.0' in text
    assert "doorbuster_accept_batch_orders_count 2.0" in text
    assert "doorbuster_in_flight 1.0" in text


async def test_health_says_what_is_so(intake: Intake) -> None:
    assert (await intake.http.get("/healthz")).json() == {"status": "alive"}
    ready = (await intake.http.get("/readyz")).json()
    assert ready["status"] == "ready"
    assert ready["checks"].keys() == {"postgres", "orders_store", "durability"}
    assert ready["progress"]["late"] == []
    assert ready["progress"]["oldest_pending_payment_s"] == 0
    head = await intake.http.head("/healthz")
    assert (head.status_code, head.content) == (200, b"")
