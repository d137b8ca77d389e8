"""Scripts of other origins: who is told what, on every answer of the storefront, and never on ops' calls."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from doorbuster.errors import SettingsError
from doorbuster.settings import load_settings
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.visitors import Visitor, open_room

SHOP, OTHER, STRANGE = "https://shop.example", "http://localhost:5173", "https://evil.example"
EXPOSED = {"location", "retry-after", "etag", "idempotent-replayed", "link"}


@pytest.fixture
async def open_to_shop(serve: Serve) -> Intake:
    return await serve(cors_origins=(SHOP, OTHER))


def is_told(answer: httpx.Response, origin: str) -> bool:
    assert "access-control-allow-credentials" not in answer.headers
    assert "origin" in {one.strip().lower() for one in answer.headers.get("vary", "").split(",")}
    if "access-control-allow-origin" not in answer.headers:
        assert not [name for name in answer.headers if name.startswith("access-control")]
        return False
    assert answer.headers.get_list("access-control-allow-origin") == [origin]
    shown = {one.strip().lower() for one in answer.headers["access-control-expose-headers"].split(",")}
    assert shown >= EXPOSED
    return True


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/products/hot", {}),
    ("GET", "/products/hot", {"headers": {"If-None-Match": "*"}}),
    ("GET", "/products/none", {}),
    ("GET", "/products", {}),
    ("GET", "/products?limit=x", {}),
    ("GET", "/search?q=hot", {}),
    ("GET", "/search/suggest?q=ho", {}),
    ("GET", "/nowhere", {}),
    ("PATCH", "/products/hot", {}),
    ("GET", "/orders/none", {}),
    ("GET", "/orders/00000000-0000-0000-0000-000000000000", {}),
    ("POST", "/orders/none/cancel", {}),
    ("POST", "/sales/sale/orders", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    ("POST", "/sales/sale/orders", {"content": b"x" * 20_000}),
    ("GET", "/sales/sale/room", {}),
    ("GET", "/sales/none/room", {}),
    ("POST", "/sales/sale/room/tickets", {"json": {}}),
    ("POST", "/sales/sale/room/admissions", {"json": {}}),
    ("GET", "/sales/sale/wait", {}),
    ("GET", "/openapi.json", {}),
    ("OPTIONS", "/products/hot", {}),
]


@pytest.mark.parametrize(("method", "path", "how"), CALLS)
async def test_every_answer_of_the_storefront_tells_allowed_origins(
    open_to_shop: Intake, method: str, path: str, how: dict[str, Any]
) -> None:
    await open_to_shop.open_sale()
    for origin, allowed in ((SHOP, True), (OTHER, True), (STRANGE, False), ("null", False), (None, False)):
        named = {"Origin": origin} if origin else {}
        answer = await open_to_shop.http.request(method, path, **(how | {"headers": how.get("headers", {}) | named}))
        assert is_told(answer, str(origin)) == allowed, (origin, answer.status_code)
        if origin == SHOP and answer.status_code == 200 and method == "GET":
            again = await open_to_shop.http.get(path, headers={"Origin": SHOP})
            assert is_told(again, SHOP), "a kept answer"


async def test_orders_on_the_short_way_tell_it_too(open_to_shop: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_to_shop.open_sale()
    assert (await open_to_shop.post("sale")).status_code == 202  # has the sale read

    async def forbidden(*_: object) -> None:
        raise AssertionError("a plain order came to the application")

    monkeypatch.setattr(open_to_shop.guard, "application", forbidden)
    accepted = await open_to_shop.post("sale", key="k", headers={"Origin": SHOP})
    replayed = await open_to_shop.post("sale", key="k", headers={"Origin": OTHER})
    conflict = await open_to_shop.post("sale", key="k", headers={"Origin": SHOP}, customer_id="c", metadata={"a": 1})
    assert [one.status_code for one in (accepted, replayed, conflict)] == [202, 202, 422]
    assert is_told(accepted, SHOP)
    assert is_told(replayed, OTHER)
    assert is_told(conflict, SHOP)
    for origin in (STRANGE, "https://shop.example.evil", "HTTPS://SHOP.EXAMPLE"):
        answer = await open_to_shop.post("sale", headers={"Origin": origin})
        assert answer.status_code == 202
        assert "access-control-allow-origin" not in answer.headers


async def test_a_preflight_asks_no_store_and_waits_for_nothing(serve: Serve) -> None:
    nowhere = SecretStr("redis://127.0.0.1:1/0")
    away = SecretStr("postgresql://nobody@127.0.0.1:1/none")
    cut_off = await serve(cors_origins=(SHOP,), in_flight_max=1, database_url=away, room_redis_url=nowhere)
    cut_off.guard.in_flight = 1
    asks = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "idempotency-key",
    }
    for path in ("/sales/any/orders", "/sales/any/room/tickets", "/orders/x/cancel", "/products"):
        answer = await cut_off.http.options(path, headers=asks)
        assert (answer.status_code, answer.content) == (204, b"")
        assert is_told(answer, SHOP)
        assert {"GET", "POST", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
        named = {one.strip().lower() for one in answer.headers["access-control-allow-headers"].split(",")}
        assert {
            "authorization",
            "content-type",
            "idempotency-key",
            "if-none-match",
            "prefer",
            "x-ticket-secret",
        } <= named
        assert int(answer.headers["access-control-max-age"]) > 0
    refused = await cut_off.http.get("/products", headers={"Origin": SHOP})
    assert refused.json()["code"] == "overloaded"
    assert is_told(refused, SHOP)
    cut_off.guard.in_flight = 0
    stranger = await cut_off.http.options("/products", headers=asks | {"Origin": STRANGE})
    assert not is_told(stranger, STRANGE)


async def test_early_claims_and_slow_bodies_tell_it(serve: Serve) -> None:
    intake = await serve(cors_origins=(SHOP,), body_timeout_s=0.3)
    await open_room(intake, room={"rate_per_s": 0.001, "burst": 1})
    first, second = Visitor(intake, "sale", "first"), Visitor(intake, "sale", "second")
    await first.join()
    await second.join()
    for origin in (SHOP, STRANGE):
        body = {"ticket": second.ticket, "secret": second.secret}
        early = await intake.http.post("/sales/sale/room/admissions", json=body, headers={"Origin": origin})
        assert early.status_code == 202
        assert is_told(early, origin) == (origin == SHOP)
    reader, writer = await asyncio.open_connection("127.0.0.1", intake.port)
    head = f"POST /sales/sale/orders HTTP/1.1\r\nHost: x\r\nOrigin: {SHOP}\r\nContent-Length: 9\r\n\r\n{{"
    writer.write(head.encode())
    said = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert f"access-control-allow-origin: {SHOP}" in said
    writer.close()


async def test_ops_and_the_process_say_nothing(open_to_shop: Intake) -> None:
    await open_to_shop.open_sale()
    asks = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    for path in ("/ops/sales", "/ops/sales/sale", "/ops/products/hot", "/ops/nowhere", "/ops", "/healthz", "/metrics"):
        for method, headers in (("GET", {"Origin": SHOP}), ("OPTIONS", asks)):
            answer = await open_to_shop.ops.request(method, path, headers=headers)
            assert not [name for name in answer.headers if name.startswith("access-control")], path


async def test_without_origins_nobody_is_told_anything(intake: Intake) -> None:
    await intake.open_sale()
    asks = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    for answer in (
        await intake.http.get("/products/hot", headers=asks),
        await intake.http.options("/sales/sale/orders", headers=asks),
        await intake.post("sale", headers=asks),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "Origin" not in answer.headers.get("vary", "")


async def test_who_may_have_the_pages_in_a_frame(serve: Serve) -> None:
    for told, ancestors, options in (
        ((), "'none'", "DENY"),
        (("self",), "'self'", "SAMEORIGIN"),
        ((SHOP, OTHER), f"{SHOP} {OTHER}", None),
        (("self", SHOP), f"'self' {SHOP}", None),
    ):
        intake = await serve(frame_ancestors=told)
        await open_room(intake, sale=f"s{len(told)}{told[0][:4] if told else ''}")
        page = await intake.http.get(f"/sales/s{len(told)}{told[0][:4] if told else ''}/wait")
        assert page.headers["content-security-policy"].endswith(f"frame-ancestors {ancestors}")
        assert page.headers.get("x-frame-options") == options


WRONG = (
    "*", "null", "shop.example", "https://shop.example/", "https://shop.example/path", "https://shop.example:443",
    "http://shop.example:80", "https://Shop.example", "https://*.shop.example", "ftp://shop.example",
    "https://u@shop.example", "https://shop.example:99999", "https://a.example https://b.example",
    "https://bücher.example",
)  # fmt: skip


@pytest.mark.parametrize("origin", WRONG)
@pytest.mark.parametrize("name", ["cors_origins", "frame_ancestors"])
def test_what_no_browser_sends_is_refused(settings: Any, name: str, origin: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name.upper()}: must be origins as browsers send them"):
        load_settings(**(settings.model_dump() | {name: origin}))


def test_origins_are_read_from_a_list(settings: Any) -> None:
    told = {"cors_origins": f"{SHOP}, {OTHER},http://[::1]:8080", "frame_ancestors": f"'self',{SHOP}"}
    read = load_settings(**(settings.model_dump() | told))
    assert read.cors_origins == (SHOP, OTHER, "http://[::1]:8080")
    assert read.frame_ancestors == ("self", SHOP)
