"""Accepting when something fails: lost replies, stores away, senders that dawdle, shove or leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from doorbuster import keys
from doorbuster.settings import Settings
from intake.server.connection import http_protocol
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.waiting import eventually, own_time

pytestmark = pytest.mark.versions

BODY = json.dumps({"customer_id": "c", "lines": [{"product_id": "hot", "quantity": 1}]}).encode()


async def test_a_lost_reply_is_unknown_and_the_key_is_safe_to_repeat(
    serve: Serve, settings: Settings, orders_redis: Redis
) -> None:
    with Proxy(settings.orders_redis_url.get_secret_value()) as proxy:
        intake = await serve(orders_redis_url=SecretStr(proxy.url), store_timeout_s=2)
        sale = await intake.open_sale()
        assert (await intake.post("sale")).status_code == 202
        proxy.lose_reply_to(b"EVALSHA")
        answers = await asyncio.gather(*(intake.post("sale", key=f"k{n}") for n in range(10)))
        unknown = [answer for answer in answers if answer.status_code == 503]
        assert unknown
        assert {answer.json()["code"] for answer in unknown} == {"store_unavailable"}
        assert unknown[0].headers["retry-after"]
        again = [await intake.post("sale", key=f"k{n}") for n in range(10)]
        assert [answer.status_code for answer in again] == [202] * 10
        assert any("idempotency-replayed" in answer.headers for answer in again), "the lost one had been accepted"
    assert await orders_redis.xlen(keys.stream(sale["sale_number"], 0)) == 11


async def test_no_store_means_503_in_bounded_time_and_then_again_202(serve: Serve, settings: Settings) -> None:
    with Proxy(settings.orders_redis_url.get_secret_value()) as proxy:
        intake = await serve(orders_redis_url=SecretStr(proxy.url), store_timeout_s=0.3)
        await intake.open_sale()
        proxy.cut()
        async with own_time(3):
            answers = await asyncio.gather(*(intake.post("sale") for _ in range(50)))
        assert {answer.status_code for answer in answers} == {503}
        proxy.mend()

        async def accepted() -> bool:
            return (await intake.post("sale")).status_code == 202

        await eventually(accepted)


async def test_postgres_away_does_not_stop_accepting(serve: Serve, settings: Settings) -> None:
    with Proxy(settings.database_url.get_secret_value()) as proxy:
        intake = await serve(database_url=SecretStr(proxy.url))
        await intake.open_sale()
        assert (await intake.post("sale")).status_code == 202
        proxy.cut()

        async def not_ready() -> bool:
            return (await intake.http.get("/readyz")).status_code == 503

        await eventually(not_ready)
        for _ in range(30):
            assert (await intake.post("sale")).status_code == 202
            await asyncio.sleep(0.05)
        assert (await intake.post("other")).json()["code"] == "store_unavailable"
        proxy.mend()
        await eventually(lambda: _is_ready(intake))


async def _is_ready(intake: Intake) -> bool:
    return (await intake.http.get("/readyz")).status_code == 200


async def test_a_disconnecting_client_disturbs_no_batch(intake: Intake, orders_redis: Redis) -> None:
    sale = await intake.open_sale()
    head = b"POST /sales/sale/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: %b\r\n"
    writers = []
    for n in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", intake.port)
        writer.write(head % b"left-%d" % n + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        writer.transport.abort() if n % 2 else writers.append(writer)
    answers = await asyncio.gather(*(intake.post("sale") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    for writer in writers:
        writer.close()

    async def calm() -> bool:
        return intake.guard.in_flight == 0

    await eventually(calm)
    assert await orders_redis.xlen(keys.stream(sale["sale_number"], 0)) >= 60


async def test_a_body_is_counted_as_it_streams(intake: Intake) -> None:
    async def long() -> AsyncIterator[bytes]:
        yield b'{"customer_id":"'
        for _ in range(1000):
            yield b"c" * 4096

    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = await intake.http.post("/sales/sale/orders", content=long(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.headers["connection"] == "close"


async def test_an_endless_sender_is_cut_off(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "LINGER_BYTES", 100_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", intake.port)
    writer.write(b"POST /sales/sale/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    with pytest.raises(ConnectionError):
        await _send_for_ever(writer)
    assert intake.guard.in_flight == intake.guard.waiting == 0
    del reader


async def _send_for_ever(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"1000\r\n" + b"c" * 4096 + b"\r\n")
        await writer.drain()


@pytest.mark.parametrize("size", [16 * 1024 + 1, 1_000_000])
async def test_a_large_body_is_refused(intake: Intake, size: int) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    answer = await intake.http.post("/sales/sale/orders", content=b"x" * size, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_slow_sender_is_given_up(serve: Serve) -> None:
    intake = await serve(body_timeout_s=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", intake.port)
    writer.write(b"POST /sales/sale/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    async with own_time(3):
        answer = await reader.read()  # to the end: the connection is closed
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"malformed"' in answer
    assert intake.guard.in_flight == 0
    writer.close()


async def test_requests_beyond_the_cap_are_refused(serve: Serve, settings: Settings) -> None:
    with Proxy(settings.orders_redis_url.get_secret_value()) as proxy:
        intake = await serve(in_flight_max=3, orders_redis_url=SecretStr(proxy.url), store_timeout_s=30)
        await intake.open_sale()
        proxy.hold()
        orders = [asyncio.create_task(intake.post("sale")) for _ in range(3)]

        async def full() -> bool:
            return intake.guard.in_flight == 3

        await eventually(full)
        for answer in (await intake.http.get("/products/hot"), await intake.post("sale")):
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
            assert answer.headers["retry-after"] == "1"
        assert (await intake.http.get("/healthz")).status_code == 200  # who watches must see it
        proxy.mend()
        assert {answer.status_code for answer in await asyncio.gather(*orders)} == {202}
        assert intake.guard.in_flight == 0
        assert (await intake.http.get("/products/hot")).status_code == 200


async def test_a_forgotten_script_is_loaded_again(intake: Intake, orders_redis: Redis) -> None:
    await intake.open_sale()
    assert (await intake.post("sale")).status_code == 202
    await orders_redis.script_flush()
    assert (await intake.post("sale")).status_code == 202
