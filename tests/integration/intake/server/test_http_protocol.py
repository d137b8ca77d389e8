"""What the parser of HTTP refuses before any application sees it is a problem too."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.fixtures.intake import Intake

pytestmark = pytest.mark.versions


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", 501, "method_unknown"),
        (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 501, "method_unknown"),
        (b"GET / HTTP/1.1\r\nHost x\r\n\r\n", 400, "malformed"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400, "malformed"),
    ],
)
async def test_what_is_no_request_is_told_as_a_problem(intake: Intake, sent: bytes, status: int, code: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", intake.port)
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(), 5)  # it closes the connection
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/problem+json" in head.lower()
    assert b"content-length: %d" % len(body) in head.lower()
    assert json.loads(body)["code"] == code
