"""A body declared longer than it may be is refused before any of it is waited for."""

from __future__ import annotations

import asyncio

import pytest

from tests.fixtures.intake import Intake

pytestmark = pytest.mark.versions


async def first_answer(intake: Intake, path: str, length: str, *more: str) -> bytes:
    """Send a head alone, and return what comes back first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", intake.port)
    key = intake.ops.headers["Authorization"]
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: {key}", "Content-Type: application/json", *more]
    writer.write("\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode())
    try:
        return await asyncio.wait_for(reader.readline(), 2.0)
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
async def test_it_is_refused_at_once(intake: Intake, path: str, length: str, more: tuple[str, ...]) -> None:
    assert await first_answer(intake, path, length, *more) == b"HTTP/1.1 413 Request Entity Too Large\r\n"
