"""Who asks for another protocol is answered in this one, body and all: in one piece or in many, on every method."""

from __future__ import annotations

import json

import pytest

from tests.fixtures.intake import Intake
from tests.fixtures.raw import ORDER_BODY, Raw, chunked, get, order

pytestmark = pytest.mark.versions

WISHES = {
    "h2c, as the JDK": [
        "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAA",
    ],
    "alone": ["Connection: Upgrade", "Upgrade: h2c"],
    "websocket": ["Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"],
    "several": ["Connection: upgrade", "Upgrade: h2c, TLS/1.0", "Upgrade: foo"],
    "two lines": ["Connection: keep-alive", "Connection: UPGRADE", "Upgrade: h2c"],
}  # fmt: skip
CANARY = get("/products/canary")


def ways(sent: bytes) -> dict[str, list[bytes]]:
    head = sent.index(b"\r\n\r\n") + 4
    return {
        "one piece": [sent],
        "head and rest": [sent[:head], sent[head:]],
        "within the head": [sent[: head - 10], sent[head - 10 :]],
        "within the end of the head": [sent[: head - 1], sent[head - 1 :]],
        "within the body": [sent[: head + 5], sent[head + 5 :]],
        "three": [sent[:30], sent[30 : head + 9], sent[head + 9 :]],
    }


@pytest.mark.parametrize("wish", WISHES)
async def test_the_order_is_taken(shop: Intake, wish: str) -> None:
    for make in (order, chunked):
        sent = make("upgrading", *WISHES[wish])
        for way, pieces in ways(sent).items():
            async with Raw(shop.port) as raw:
                await raw.send(*pieces[:-1], pieces[-1] + CANARY)
                taken, canary = await raw.answers(2)
                assert (taken.status, canary.status, canary.code) == (202, 404, "product_not_found"), way
                await raw.send(*pieces[:-1], pieces[-1] + CANARY)
                again, _ = await raw.answers(2)
                assert (again.status, again.body) == (202, taken.body), way


async def test_a_body_is_never_a_request(shop: Intake) -> None:
    inner = get("/products/hot")
    head = order("k", *WISHES["alone"], body=b"x" * len(inner))
    sent = head[: -len(inner)]
    async with Raw(shop.port) as raw:
        await raw.send(sent, inner)
        assert (await raw.answer()).code == "malformed"
        await raw.send(CANARY)
        assert (await raw.answer()).code == "product_not_found"


async def test_upgrades_in_a_pipeline(shop: Intake) -> None:
    sent = b"".join(order(f"u{n}", *WISHES["alone"]) + order(f"v{n}") for n in range(30))
    async with Raw(shop.port) as raw:
        await raw.send(sent)
        answers = await raw.answers(60)
        assert {answer.status for answer in answers} == {202}
        assert len({json.loads(answer.body)["order_id"] for answer in answers}) == 60


@pytest.mark.parametrize("body", [b"", ORDER_BODY])
async def test_every_method(shop: Intake, body: bytes) -> None:
    length = f"Content-Length: {len(body)}"
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "POST", "PROPFIND", "PURGE"):
        with_wish = get("/products/hot", *WISHES["alone"], length, method=method) + body
        async with Raw(shop.port) as raw, Raw(shop.port) as plain:
            await plain.send(get("/products/hot", length, method=method) + body)
            await raw.send(with_wish[:-1], with_wish[-1:] + CANARY)
            answer, canary = await raw.answers(2)
            assert answer.status == (await plain.answer()).status
            assert canary.code == "product_not_found"


@pytest.mark.parametrize("target", ["shop:443", "/sales/sale/orders", "http://shop/"])
@pytest.mark.parametrize("cut", [0, 12])
async def test_connect_is_no_method_here(shop: Intake, target: str, cut: int) -> None:
    sent = get(target, f"Content-Length: {len(ORDER_BODY)}", method="CONNECT") + ORDER_BODY
    async with Raw(shop.port) as raw:
        await raw.send(order("before") + sent[:cut], sent[cut:] + CANARY)
        before, answer = await raw.answers(2)
        assert (before.status, answer.status, answer.code) == (202, 501, "method_unknown")
        assert await raw.rest() == []
