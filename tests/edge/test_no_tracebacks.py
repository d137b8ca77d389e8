"""Whatever a client does, no traceback is logged for it: those are for defects, and fill disks."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct

import pytest

from tests.fixtures.intake import Intake
from tests.fixtures.visitors import open_room
from tests.fixtures.waiting import eventually, own_time

ORDER = b'{"customer_id":"c","lines":[{"product_id":"hot","quantity":1}]}'
JSON = "Content-Type: application/json\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


def head(line: str, more: str = "", length: int | None = None) -> bytes:
    sized = "" if length is None else f"Content-Length: {length}\r\n"
    return f"{line} HTTP/1.1\r\nHost: shop\r\n{more}{sized}\r\n".encode("latin-1")


def order(more: str = "", *, length: int | None = None, body: bytes = ORDER) -> bytes:
    keyed = f"{JSON}Idempotency-Key: k\r\n{more}"
    return head("POST /sales/open/orders", keyed, len(body) if length is None else length) + body


async def rude(port: int, sent: bytes, *, wait_s: float = 0.05) -> None:
    """Send, perhaps read a little, and be gone: by a reset, as a client that crashed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        async with asyncio.timeout(wait_s):
            await reader.read(200)
    except TimeoutError:
        pass
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_clients_who_go_or_send_nonsense_leave_no_traceback(
    roomy: Intake, caplog: pytest.LogCaptureFixture
) -> None:
    await open_room(roomy)
    await roomy.open_sale("open")
    path = (await roomy.post("open")).headers["Location"]
    key = f"Authorization: {roomy.ops.headers['Authorization']}\r\n"
    product = b'{"product_id":"x","name":"x","brand":"","category":"","price":1,"currency":"EUR"}\n'
    gone = [
        order(length=5000), order("Prefer: wait=1\r\n"), order() * 30, order(body=b"{"), order(body=b"\xff\xfe"),
        order(body=b"[" * 9000), head(f"GET {path}/events"),
        head(f"POST {path}/cancel", "", 0), head("GET /products") * 50, head("GET /openapi.json") * 50,
        head("POST /sales/sale/room/tickets", JSON, 900) + b"{",
        head("POST /sales/sale/room/tickets", FORM, 210) + b"&".join(b"f%d=x" % n for n in range(42))[:210],
        head("POST /sales/sale/wait", FORM, 3) + b"%ff", head("POST /shop/sale", FORM, 900) + b"key=",
        head("PUT /ops/products/x", key + JSON, 900) + b"{",
        head("POST /ops/products:import", key + "Content-Type: application/x-ndjson\r\n", 100_000) + product * 20,
        head("POST /ops/products:import", key + "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n")
        + b"%x\r\n%b\r\n" % (len(product), product),
    ]  # fmt: skip
    odd = [
        head("GET /products/%ff%fe"), head("GET /products/%"), head("GET /search?q=%ff&limit=%f0"),
        head("GET /products?cursor=%00"), head("GET //"), head("GET /sales/%2e%2e/room"), head("OPTIONS *"),
        head("GET /sales/sale/wait", "Accept-Language: \xff;q=nan,de;q=1e999\r\nAccept: text/html\r\n"),
        head("GET /sales/sale/wait", "X-Forwarded-Host: [\r\nX-Forwarded-Proto: \xff\r\nAccept: text/html\r\n"),
        head("GET /sales/sale/wait", 'Forwarded: for="[;;;by=,host="\r\nAccept: text/html\r\n'),
        head("GET /sales/sale/wait", "Cookie: =;;;\x80=\xff; doorbuster_place_1=~; doorbuster_visitor\r\n"),
        head("GET /shop/sale", "Cookie: doorbuster_visitor=abcdefgh; doorbuster_admission_1=a1.x.y.z\r\n"),
        head("GET /products", "If-None-Match: \xff\r\nRange: bytes=9-1\r\nIf-Modified-Since: never\r\n"),
        head("GET /sales/sale/room", "If-None-Match: W/\r\n"), head(f"GET {path}/events", "Last-Event-ID: \xff\r\n"),
        order("Prefer: wait=1e99, wait=-9\r\n"), order("Authorization: Bearer \xff\r\n"),
        order("Authorization: \xff\r\n"),
        order("X-Storefront-Key: \xff\r\n"), head("GET /ops/sales", "Authorization: \xff \xff\r\n"),
        head("POST /sales/sale/wait", FORM + "Origin: http://[\r\n", 0),
        head("DELETE /sales/sale/room/tickets/\xff", "X-Ticket-Secret: \xff\r\n"),
    ]  # fmt: skip
    with caplog.at_level(logging.INFO):
        for sent in gone:
            await rude(roomy.port, sent)
        for sent in odd:
            reader, writer = await asyncio.open_connection("127.0.0.1", roomy.port)
            writer.write(sent)
            async with own_time(10):
                answered = await reader.readuntil(b"\r\n")
            assert not answered.startswith(b"HTTP/1.1 500"), (sent, answered)
            writer.transport.abort()

        async def at_rest() -> bool:  # what is logged late is logged too
            return roomy.guard.in_flight + roomy.guard.waiting == 0

        await eventually(at_rest, within_s=30)
        assert (await roomy.http.get("/healthz")).status_code == 200
    told = [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert [(one.name, one.getMessage(), str(one.exc_info)) for one in told] == []
