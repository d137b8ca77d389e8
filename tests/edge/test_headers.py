"""What answers say of themselves: JSON is JSON, pages ask for nothing, problems are kept by nobody."""

from __future__ import annotations

import httpx
import pytest

from tests.fixtures.intake import Intake
from tests.fixtures.visitors import Browser, Visitor, open_room

TICKETS = "/sales/sale/room/tickets"


def headers_of(answer: httpx.Response) -> tuple[str | None, str | None]:
    return answer.headers.get("X-Content-Type-Options"), answer.headers.get("Cache-Control")


async def test_every_problem_is_kept_by_nobody(roomy: Intake) -> None:
    await open_room(roomy)
    http, ops = roomy.http, roomy.ops
    problems = [
        await http.get("/nowhere"), await http.delete("/products"), await http.get("/products/none"),
        await http.get("/products?limit=0"), await http.get("/search?sort=none"), await http.get("/orders/none"),
        await http.get("/sales/none/room"), await http.get("/ops/orders"), await ops.get("/ops/sales/none"),
        await roomy.post("sale"), await roomy.post("sale", lines=[]), await roomy.post("none"),
        await http.post("/sales/sale/orders", content=b"x" * 20_000),
        await http.post("/sales/sale/orders", content=b"{", headers={"Content-Type": "application/json",
                                                                   "Idempotency-Key": "k"}),
        await http.post(TICKETS, json={}), await http.post(TICKETS, content=b"x", headers={"Content-Type": "a/b"}),
    ]  # fmt: skip
    for answer in problems:
        assert answer.status_code >= 400
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert headers_of(answer) == ("nosniff", "no-store"), (answer.request.url, answer.headers)


async def test_every_answer_in_json_is_no_page(roomy: Intake) -> None:
    await open_room(roomy)
    await roomy.open_sale("open", "lamp")
    ann = Visitor(roomy, "sale", "ann")
    joined = await ann.join()
    await ann.admitted()
    first = await roomy.post("open", key="k", lines=[{"product_id": "lamp", "quantity": 1}])
    assert first.status_code == 202
    answers = [
        joined, await ann.claim(), first, await roomy.http.get(first.headers["Location"]),
        await roomy.post("open", headers={"Prefer": "wait=0"}, lines=[{"product_id": "lamp", "quantity": 1}]),
        await roomy.http.get("/products/lamp"), await roomy.http.get("/products/lamp"),
        await roomy.http.get("/products"), await roomy.http.get("/search?q=lamp"), await roomy.http.get("/healthz"),
        await roomy.http.get("/readyz"), await roomy.http.get("/metrics"), await roomy.http.get("/openapi.json"),
        await roomy.http.get("/docs"), await roomy.ops.get("/ops/sales"), await roomy.http.get("/sales/sale/room"),
    ]  # fmt: skip
    for answer in answers:
        assert answer.status_code < 300, answer.text
        assert headers_of(answer)[0] == "nosniff", (answer.request.url, answer.headers)
        assert len(answer.headers.get_list("X-Content-Type-Options")) == 1


async def test_pages_ask_for_nothing_of_the_device(roomy: Intake) -> None:
    await open_room(roomy)
    async with Browser(roomy) as browser:
        for path in ("/sales/sale/wait", "/shop/sale", "/sales/none/wait"):
            page = await browser.open(path)
            assert "camera=()" in page.headers["Permissions-Policy"]
            assert "geolocation=()" in page.headers["Permissions-Policy"]
            assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"}, {"Origin": "null", "Sec-Fetch-Site": "none"}, {"Origin": "http://["},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, {"Origin": ""}, {"Origin": "evil.example"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)  # fmt: skip
async def test_forms_from_elsewhere_are_refused(roomy: Intake, headers: dict[str, str]) -> None:
    await open_room(roomy)
    async with Browser(roomy) as browser:
        await browser.open("/sales/sale/wait")
        for path in (TICKETS, "/sales/sale/wait", "/shop/sale"):
            refused = await browser.send(path, headers | {"Accept": "application/json"}, do="leave")
            assert (refused.status_code, refused.json()["code"]) == (403, "ticket_invalid"), path


async def test_our_own_forms_are_taken(roomy: Intake) -> None:
    await open_room(roomy, room={"rate_per_s": 0.001})
    host = str(roomy.http.base_url)
    async with Browser(roomy) as browser:
        await browser.open("/sales/sale/wait")
        for headers in ({}, {"Origin": host}, {"Origin": host, "Sec-Fetch-Site": "same-origin"}):
            assert (await browser.send("/sales/sale/wait", headers, do="join")).status_code == 303


async def test_a_form_of_many_fields_is_refused(roomy: Intake) -> None:
    await open_room(roomy)
    async with Browser(roomy) as browser:
        await browser.open("/sales/sale/wait")
        refused = await browser.send(
            "/sales/sale/wait", {"Accept": "application/json"}, **{f"field{n}": "x" for n in range(21)}
        )
        assert (refused.status_code, refused.json()["code"]) == (400, "malformed")


async def test_a_problem_is_short_whatever_was_wrong(intake: Intake) -> None:
    many = "&".join(f"unknown-{n}=1" for n in range(1_500))
    for path in (f"/products?{many}", f"/search?{many}", f"/ops/orders?{many}", f"/search?{'x' * 20_000}=1"):
        refused = await intake.ops.get(path)
        assert refused.status_code == 422, refused.text[:200]
        assert len(refused.content) < 8_000
        assert 0 < len(refused.json()["errors"]) <= 20
