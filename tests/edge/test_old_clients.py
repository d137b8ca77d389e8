"""HTTP/1.0 knows no chunks: what has no length ends with its connection, and what breaks off ends in a reset."""

from __future__ import annotations

import asyncio
import csv

import pytest
from redis.asyncio import Redis

from db.connections.pool import Connection
from intake.ops.export import resource as export
from tests.edge.test_event_streams import happens, placed
from tests.fixtures.intake import Intake
from tests.fixtures.raw import Raw, get

pytestmark = pytest.mark.versions

HEAD_END = b"\r\n\r\n"
FEW = 25


def old(path: str, *more: str, method: str = "GET") -> bytes:
    """Return a request of HTTP/1.0."""
    return get(path, *more, method=method).replace(b"HTTP/1.1", b"HTTP/1.0")


async def head_of(raw: Raw) -> str:
    """Return an answer's head, in small letters."""
    head = (await raw.reader.readuntil(HEAD_END)).decode().lower()
    assert "transfer-encoding" not in head
    assert "connection: close" in head
    return head


def _key(intake: Intake) -> str:
    return f"Authorization: {intake.ops.headers['authorization']}"


async def test_a_file_ends_with_its_connection(intake: Intake, db: Connection) -> None:
    orders = await placed(intake, db, FEW)
    async with Raw(intake.port) as raw:
        await raw.send(old("/ops/orders:export", _key(intake)))
        assert (await head_of(raw)).startswith("http/1.1 200 ")
        rows = list(csv.DictReader((await raw.reader.read()).decode().splitlines()))
    assert [row["order_id"] for row in rows] == orders


async def test_a_file_that_breaks_off_ends_in_a_reset(
    intake: Intake, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await placed(intake, db, FEW)
    monkeypatch.setattr(export, "PAGE", 10)
    reads = 0
    kept = export.ExportOrders._read

    async def breaks(self: export.ExportOrders, read: object) -> object:
        nonlocal reads
        reads += 1
        if reads > 3:
            raise OSError("the database is gone")
        return await kept(self, read)  # type: ignore[arg-type]

    monkeypatch.setattr(export.ExportOrders, "_read", breaks)
    async with Raw(intake.port) as raw:
        await raw.send(old("/ops/orders:export", _key(intake)))
        await head_of(raw)
        with pytest.raises(ConnectionResetError):
            await raw.reader.read()


async def test_a_stream_of_events_ends_with_its_connection(intake: Intake, db: Connection, orders_redis: Redis) -> None:
    [order] = await placed(intake, db, 1)
    async with Raw(intake.port) as raw:
        await raw.send(old(f"/orders/{order}/events"))
        assert (await head_of(raw)).startswith("http/1.1 200 ")
        first = await raw.reader.readuntil(b'"status":"pending"')
        assert first.startswith(b"retry: 1000\n\n"), "no size of a chunk before it"
        await raw.reader.readuntil(b"\n\n")
        assert intake.guard.waiting == 1, "without a task, as others are"
        await happens(db, orders_redis, "cancelled")
        async with asyncio.timeout(10):
            told = (await raw.reader.read()).decode()
    fields = [line.split(": ", 1)[0] for line in told.splitlines() if line and not line.startswith(":")]
    assert set(fields) <= {"id", "event", "data", "retry"}, told
    assert '"status":"cancelled"' in told


@pytest.mark.parametrize("path", ["/healthz", "/products/hot", "/nothing", "/openapi.json", "/ops/sales", "/metrics"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_whatever_else_is_answered_as_ever(intake: Intake, path: str, method: str) -> None:
    async with Raw(intake.port) as raw:
        await raw.send(old(path, _key(intake), method=method))
        head = await head_of(raw)
        body = await raw.reader.read()
    length = [line.split(": ")[1] for line in head.splitlines() if line.startswith("content-length: ")]
    assert method == "HEAD" or length == [str(len(body))] or "content-length" not in head
    assert method == "GET" or body == b""
