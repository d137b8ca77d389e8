"""A body declared longer than it may be is refused before any of it is waited for."""

from __future__ import annotations

import asyncio

import pytest

from tests.fixtures.intake import Intake, Serve

pytestmark = pytest.mark.versions

WITHIN_S = 15.0
BODY_S = 60
"""Much longer: an answer that waited for some of the body does not come."""


async def first_answer(intake: Intake, path: str, length: str, *more: str) -> bytes:
    """Send a head alone, and return what comes back first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", intake.port)
    key = intake.ops.headers["Authorization"]
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: {key}", "Content-Type: application/json", *more]
    writer.write("\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode())
    try:
        return await asyncio.wait_for(reader.readline(), WITHIN_S)
    finally:
        writer.close()


@pytest.mark.parametrize("more", [(), ("Expect: 100-continue",)])
@pytest.mark.parametrize(
    ("path", "length"),
    [
        ("/sales/sale/orders", "16385"),
        ("/sales/sale/orders", "9" * 18),
        ("/ops/sales", str(2 * 1024 * 1024 + 1)),
        ("/ops/products:import", str(512 * 1024 * 1024 + 1)),
    ],
)
async def test_it_is_refused_at_once(serve: Serve, path: str, length: str, more: tuple[str, ...]) -> None:
    intake = await serve(body_timeout_s=BODY_S)
    assert await first_answer(intake, path, length, *more) == b"HTTP/1.1 413 Request Entity Too Large\r\n"
