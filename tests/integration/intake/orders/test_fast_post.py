"""The fast path of plain orders gives the answers of the full one, and is one on the wire."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from doorbuster import keys
from doorbuster.settings import Settings
from intake.server.connection.ending import BETWEEN, BODY, HEAD
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.visitors import Visitor, open_room
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.versions

SHORT, LONG = "application/json", "application/json; charset=utf-8"
LINE = [{"product_id": "hot", "quantity": 1}]


async def post(intake: Intake, media: str, key: str, *, token: str = "", **body: Any) -> httpx.Response:
    sent = json.dumps({"customer_id": "c", "lines": LINE} | body).encode()
    headers = {"Content-Type": media, "Idempotency-Key": key, "X-Request-Id": "one-of-both"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    return await intake.http.post("/sales/sale/orders", content=sent, headers=headers)


async def both(
    intake: Intake, keys_of: tuple[str, str], *, token: str = "", is_fast: bool = True, **body: Any
) -> httpx.Response:
    """Post by both ways; they must agree. Return the short one's answer.

    `is_fast`: the first is one for the short way, and takes it; else nothing would be compared.
    """
    before = intake.fast_orders()
    short = await post(intake, SHORT, keys_of[0], token=token, **body)
    assert intake.fast_orders() - before == is_fast
    long = await post(intake, LONG, keys_of[1], token=token, **body)
    assert intake.fast_orders() - before == is_fast
    assert short.status_code == long.status_code, (short.text, long.text)
    assert set(short.headers) == set(long.headers)
    for name in set(short.headers) - {"content-length", "date", "location"}:
        assert short.headers[name] == long.headers[name]
    if short.is_error:
        assert short.json() == long.json()
    return short


@pytest.fixture
def only_short(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> Intake:
    async def forbidden(*_: object) -> None:
        raise AssertionError("a plain order came to the application")

    monkeypatch.setattr(intake.guard, "application", forbidden)
    return intake


async def test_plain_orders_do_not_come_to_the_application(
    intake: Intake, request: pytest.FixtureRequest, orders_redis: Redis
) -> None:
    sale = await intake.open_sale()
    assert (await intake.post("sale")).status_code == 202  # has the sale read
    request.getfixturevalue("only_short")
    first = await post(intake, SHORT, "k")
    again = await post(intake, SHORT, "k")
    assert (first.status_code, again.status_code, again.content) == (202, 202, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert (await post(intake, SHORT, "k", metadata={})).json()["code"] == "idempotency_conflict"
    assert (await post(intake, SHORT, "k2", lines=[{"product_id": "x", "quantity": 1}])).status_code == 422
    assert await orders_redis.xlen(keys.stream(sale["sale_number"], 0)) == 2


async def test_both_ways_accept_and_replay_alike(intake: Intake) -> None:
    await intake.open_sale()
    first = await both(intake, ("a", "b"), metadata={"note": "ü"}, payment={"token": "tok"})
    assert first.status_code == 202
    assert first.headers["location"] == first.json()["links"]["self"]
    again = await both(intake, ("a", "a"), metadata={"note": "ü"}, payment={"token": "tok"})
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")


async def test_both_ways_refuse_alike(intake: Intake, orders_redis: Redis) -> None:
    sale = await intake.open_sale()
    await both(intake, ("a", "b"))
    assert (await both(intake, ("a", "a"), customer_id="c", lines=LINE * 2)).json()["code"] == "idempotency_conflict"
    assert (await both(intake, ("c", "d"), lines=[{"product_id": "x", "quantity": 1}])).json()["code"] == "invalid"
    assert (await both(intake, ("c", "d"), metadata={"a": "\x00"})).json()["code"] == "invalid"
    assert (await both(intake, ("c", "d"), coupon="x")).json()["code"] == "invalid"
    assert (await both(intake, ("", ""), is_fast=False)).json()["code"] == "idempotency_key_required"
    assert (await both(intake, ("c", "d"), is_fast=False, metadata={"a": "x" * 17_000})).json()["code"] == "too_large"
    (await intake.ops.post("/ops/sales/sale/hold")).raise_for_status()
    assert (await both(intake, ("c", "d"))).json()["code"] == "sale_not_open"
    (await intake.ops.post("/ops/sales/sale/resume")).raise_for_status()
    await orders_redis.sadd(keys.sold_out(sale["sale_number"], 0), "hot")

    async def sold_out() -> bool:
        return (await intake.post("sale")).status_code == 409

    await eventually(sold_out)
    assert (await both(intake, ("c", "d"))).json()["code"] == "sold_out"


async def test_both_ways_say_alike_that_there_is_too_much_to_do(serve: Serve) -> None:
    intake = await serve(backlog_max=1)
    await intake.open_sale()
    await intake.post("sale")
    answer = await both(intake, ("a", "b"))
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")


async def test_both_ways_ask_for_admissions_alike(roomy: Intake) -> None:
    await open_room(roomy)
    ann = Visitor(roomy, "sale", "ann")
    await ann.join()
    token = await ann.admitted()
    without = await both(roomy, ("a", "b"), is_fast=False)
    assert without.headers["link"] == '</sales/sale/wait>; rel="waiting-room"'
    assert (without.status_code, without.json()["code"]) == (401, "admission_required")
    assert (await both(roomy, ("a", "b"), token=token[:-3] + "xyz")).json()["code"] == "admission_invalid"
    assert (await post(roomy, SHORT, "a", token=token)).status_code == 202
    assert (await both(roomy, ("b", "c"), token=token)).json()["code"] == "admission_spent"
    assert (await both(roomy, ("a", "a"), token=token)).headers["idempotency-replayed"] == "true"
    (await roomy.ops.post("/ops/sales/sale/room/revoke")).raise_for_status()
    assert (await both(roomy, ("b", "c"), token=token)).json()["code"] == "admission_invalid"


async def test_a_storefront_key_is_asked_for_on_either_way(serve: Serve) -> None:
    intake = await serve(storefront_keys="first-storefront")
    await intake.open_sale()
    assert (await both(intake, ("a", "b"), is_fast=False)).json()["code"] == "admission_required"


def raw(key: str, *, close: bool = False, version: str = "1.1", more: str = "") -> bytes:
    body = json.dumps({"customer_id": "c", "lines": LINE}).encode()
    head = f"POST /sales/sale/orders HTTP/{version}\r\nHost: x\r\nContent-Type: {SHORT}\r\nIdempotency-Key: {key}\r\n"
    head += ("Connection: close\r\n" if close else "") + more
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def answers(reader: asyncio.StreamReader, count: int) -> list[tuple[bytes, bytes]]:
    """Read so many answers; return status line and body of each."""
    found = []
    for _ in range(count):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: "))
        found.append((head, await reader.readexactly(int(length.split(b": ")[1]))))
    return found


async def test_pieces_and_pipelines_are_answered_in_order(intake: Intake) -> None:
    await intake.open_sale()
    await intake.post("sale")
    reader, writer = await asyncio.open_connection("127.0.0.1", intake.port)
    whole = raw("one") + raw("two") + raw("one") + raw("three")
    for cut in (0, 40, len(raw("one")) - 5, len(raw("one")) + 9, len(whole)):
        first, second = whole[:cut], whole[cut:]
        writer.write(first)
        begun = {0: BETWEEN, 40: HEAD, len(raw("one")) - 5: BODY, len(raw("one")) + 9: HEAD, len(whole): BETWEEN}[cut]
        await eventually(partial(_has_come_to, intake, writer, begun), what="the first piece to come alone")
        writer.write(second)
        found = await answers(reader, 4)
        assert [head.split(b"\r\n")[0] for head, _ in found] == [b"HTTP/1.1 202 Accepted"] * 4
        assert found[0][1] == found[2][1]
        assert len({body for _, body in found}) == 3
        assert [b"idempotency-replayed" in head for head, _ in found][2]
    writer.close()
    await eventually(lambda: _is_calm(intake))


async def _has_come_to(intake: Intake, writer: asyncio.StreamWriter, phase: int) -> bool:
    """Say whether the intake has read what was sent on a connection, as far as this phase of a message."""
    own = writer.get_extra_info("sockname")
    states = [one for one in intake._server.server_state.connections if one.transport.get_extra_info("peername") == own]
    return [one._phase for one in states] == [phase]


async def _is_calm(intake: Intake) -> bool:
    return intake.guard.in_flight == intake.guard.waiting == 0


@pytest.mark.parametrize("request_", [raw("k", close=True), raw("k", version="1.0")])
async def test_a_connection_that_is_to_close_is_closed(intake: Intake, request_: bytes) -> None:
    await intake.open_sale()
    await intake.post("sale")
    reader, writer = await asyncio.open_connection("127.0.0.1", intake.port)
    writer.write(request_)
    ((head, _),) = await answers(reader, 1)
    assert head.startswith(b"HTTP/1.1 202")
    assert await reader.read() == b""
    writer.close()


async def test_who_leaves_before_the_verdict_leaves_nothing_behind(serve: Serve, settings: Settings) -> None:
    with Proxy(settings.orders_redis_url.get_secret_value()) as proxy:
        intake = await serve(orders_redis_url=SecretStr(proxy.url), store_timeout_s=30)
        await intake.open_sale()
        await intake.post("sale")
        proxy.hold()
        _, writer = await asyncio.open_connection("127.0.0.1", intake.port)
        writer.write(raw("left"))

        async def in_work() -> bool:
            return intake.guard.in_flight == 1

        await eventually(in_work)
        writer.transport.abort()
        await writer.wait_closed()
        proxy.mend()
        await eventually(lambda: _is_calm(intake))
        assert (await post(intake, SHORT, "left")).headers["idempotency-replayed"] == "true"


async def test_an_order_in_work_is_answered_before_the_end(serve: Serve, settings: Settings) -> None:
    with Proxy(settings.orders_redis_url.get_secret_value()) as proxy:
        intake = await serve(orders_redis_url=SecretStr(proxy.url), store_timeout_s=30)
        await intake.open_sale()
        await intake.post("sale")
        proxy.hold()
        reader, writer = await asyncio.open_connection("127.0.0.1", intake.port)
        writer.write(raw("last"))

        async def in_work() -> bool:
            return intake.guard.in_flight == 1

        async def is_ending() -> bool:
            return not intake._server.servers[0].is_serving()

        await eventually(in_work)
        intake.stop()
        await eventually(is_ending)
        proxy.mend()
        ((head, _),) = await answers(reader, 1)
        assert head.startswith(b"HTTP/1.1 202")
        assert b"connection: close" in head
        assert await reader.read() == b""
        writer.close()


async def test_metrics_tell_orders_by_their_path(intake: Intake) -> None:
    await intake.open_sale()
    before = await _by_path(intake)
    for number in range(3):
        assert (await post(intake, SHORT, f"short-{number}")).status_code == 202
    for number in range(2):
        assert (await post(intake, LONG, f"long-{number}")).status_code == 202

    async def told() -> bool:
        now = await _by_path(intake)
        return (now["fast"] - before["fast"], now["full"] - before["full"]) == (3, 2)

    await eventually(told, what="the metrics to tell both paths")


async def _by_path(intake: Intake) -> dict[str, float]:
    lines = [line.split() for line in (await intake.http.get("/metrics")).text.splitlines()]
    found = {name: float(value) for name, *_, value in lines if name.startswith("doorbuster_orders_by_path_total{")}
    return {path: found.get(f'doorbuster_orders_by_path_total{{path="{path}"}}', 0.0) for path in ("fast", "full")}
