"""Orders as a file: whole, in the order of acceptance, in bounded memory, and recognisably broken when it breaks."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import socket
from typing import Any

import httpx
import psutil
import pytest

from db.connections.pool import Connection
from db.orders.exporting import ExportFilter, Exporting
from intake.ops.export.rows import FORMULA, guarded
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.raw import Raw, get
from tests.fixtures.waiting import eventually
from tests.integration.intake.ops.test_order_filters import fill, moment

MIB = 2**20


async def exported(intake: Intake, **params: str) -> httpx.Response:
    answer = await intake.ops.get("/ops/orders:export", params=params)
    assert answer.status_code == 200, answer.text
    return answer


async def rows_of(intake: Intake, **params: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await exported(intake, format="jsonl", **params)).text.splitlines()]


@pytest.mark.parametrize("partitions", [1, 3, 64])
async def test_every_order_is_a_line_in_the_order_of_acceptance(
    intake: Intake, db: Connection, partitions: int
) -> None:
    number = (await intake.open_sale(partitions=partitions))["sale_number"]
    other = (await intake.open_sale("other"))["sale_number"]
    await fill(db, number, 1_300, partitions=partitions)
    await fill(db, other, 700)
    rows = await rows_of(intake, sale="sale")
    assert [row["accepted_at"] for row in rows] == sorted(row["accepted_at"] for row in rows)
    assert len({row["order_id"] for row in rows}) == 1_300
    one = rows[700]
    assert one == (await intake.ops.get(f"/ops/orders/{one['order_id']}")).json()
    both = [row["accepted_at"] for row in await rows_of(intake)]
    assert (len(both), both) == (2_000, sorted(both))
    assert len(await rows_of(intake, sale="sale", status="cancelled")) == 434
    assert len(await rows_of(intake, reason="payment_declined", **{"from": moment(600), "to": moment(700)})) == 68


async def test_what_fails_on_the_way_is_asked_again_and_nothing_is_passed_over(intake: Intake, db: Connection) -> None:
    number = (await intake.open_sale(partitions=3))["sale_number"]
    await fill(db, number, 500, partitions=3)

    class Failing:
        """Fails at every other statement, as a replica that is slow."""

        calls = 0

        async def fetch(self, *statement: Any) -> Any:
            self.calls += 1
            if self.calls % 2:
                raise TimeoutError
            return await db.fetch(*statement)

    failing: Any = Failing()
    exporting = Exporting(ExportFilter(), page=40)
    found: list[Any] = []

    async def again(read: Any) -> Any:
        while True:
            try:
                return await read(failing)
            except TimeoutError:
                continue

    assert await again(exporting.begin)
    while (page := await again(exporting.next_page)) is not None:
        found += page
    moments = [order.accepted_at for order in found]
    assert (len({order.order_id for order in found}), moments) == (500, sorted(moments))


async def test_csv_is_what_spreadsheets_read(intake: Intake, db: Connection) -> None:
    number = (await intake.open_sale())["sale_number"]
    await fill(db, number, 3)
    await db.execute("update orders set customer_id = '=cmd|x', metadata = '{\"a\": \"b,c\"}' where entry_seq = 1")
    await db.execute("update order_lines set product_id = '@sum', quantity = 2")
    answer = await exported(intake, sale="sale")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="orders.csv"'
    assert answer.text.count("\r\n") == 4
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["status"] for row in rows] == ["cancelled", "confirmed", "confirmed"]
    assert rows[1] == {
        "order_id": rows[1]["order_id"], "sale_id": "sale", "customer_id": "'=cmd|x", "status": "confirmed",
        "reason": "", "accepted_at": "2026-03-01T00:00:01.000Z", "units": "2", "lines": "2 x @sum @ 100",
        "total": "100", "currency": "EUR", "payment": "none", "authorised": "", "captured": "", "refunded": "",
        "tracking": "",
        "metadata": '{"a":"b,c"}',
    }  # fmt: skip
    assert rows[0]["reason"] == "payment_declined"


@pytest.mark.parametrize("start", FORMULA)
def test_no_cell_is_a_formula(start: str) -> None:
    assert guarded(f"{start}1+1") == f"'{start}1+1"
    assert guarded("1+1") == "1+1"
    assert guarded(-1) == -1


async def test_what_there_is_not_is_not_exported(intake: Intake) -> None:
    answer = await intake.ops.get("/ops/orders:export", params={"sale": "none"})
    assert (answer.status_code, answer.json()["code"]) == (404, "sale_not_found")
    answer = await intake.ops.get("/ops/orders:export", params={"format": "xlsx"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "format")
    await intake.open_sale()
    assert (await exported(intake, sale="sale", format="jsonl")).content == b""
    assert (await exported(intake, sale="sale")).text.startswith("order_id,sale_id,")


async def test_a_large_export_takes_little_memory(intake: Intake, db: Connection) -> None:
    orders = 100_000  # more bytes than may be held
    number = (await intake.open_sale())["sale_number"]
    await fill(db, number, orders)
    await exported(intake, sale="sale", to=moment(2_000))  # whatever is made once
    process, lines, most = psutil.Process(), 0, 0
    before = process.memory_info().rss
    async with intake.ops.stream("GET", "/ops/orders:export", params={"sale": "sale"}, timeout=120) as answer:
        async for part in answer.aiter_bytes():
            lines += part.count(b"\r\n")
            most = max(most, process.memory_info().rss - before)
    assert lines == orders + 1
    assert most < 8 * MIB


async def test_who_stops_reading_is_cut_off_and_holds_nothing(serve: Serve, db: Connection) -> None:
    intake = await serve(write_timeout_s=1)
    number = (await intake.open_sale())["sale_number"]
    await fill(db, number, 20_000)
    key = intake.ops.headers["Authorization"]
    ask = f"GET /ops/orders:export HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", intake.port, limit=1024)
    writer.transport.pause_reading()
    raw: socket.socket = writer.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    writer.write(ask.encode())

    async def begun() -> bool:
        return intake.guard.in_flight == 1

    await eventually(begun)
    held = await db.fetchval(
        "select count(*) from pg_stat_activity where state <> 'idle' and application_name = 'doorbuster-ops'"
    )
    assert held <= 1

    async def over() -> bool:
        return intake.guard.in_flight == 0

    await eventually(over)
    writer.transport.abort()
    assert reader is not None


async def test_a_broken_file_does_not_end_as_a_whole_one(serve: Serve, database_url: str, db: Connection) -> None:
    with Proxy(database_url) as proxy:
        intake = await serve(database_url=proxy.url)
        number = (await intake.open_sale())["sale_number"]
        await fill(db, number, 50_000)

        async def taken() -> None:
            async with intake.ops.stream("GET", "/ops/orders:export", params={"format": "jsonl"}) as answer:
                async for _ in answer.aiter_bytes():
                    proxy.cut()

        with pytest.raises(httpx.RemoteProtocolError):
            await taken()

        async def over() -> bool:
            return intake.guard.in_flight == 0

        await eventually(over)


async def test_a_reader_whose_own_body_does_not_end_gets_no_file_that_looks_whole(
    serve: Serve, db: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    intake = await serve(body_timeout_s=0.3)
    await fill(db, (await intake.open_sale())["sale_number"], 50_000)

    async def is_given_up() -> bool:
        return "export given up" in caplog.messages

    async with Raw(intake.port, takes_little=True) as raw:
        key = f"Authorization: {intake.ops.headers['authorization']}"
        await raw.send(get("/ops/orders:export", key, "Content-Length: 10") + b"half")
        await eventually(is_given_up, what="the export to be given up")
        assert await raw.rest(30) == []


async def test_exports_are_few_at_a_time(intake: Intake, db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intake.ops.export.resource.EXPORTS_MAX", 1)
    number = (await intake.open_sale())["sale_number"]
    await fill(db, number, 50_000)
    async with intake.ops.stream("GET", "/ops/orders:export") as answer:
        await anext(answer.aiter_bytes())
        refused = await intake.ops.get("/ops/orders:export")
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")

    async def freed() -> bool:
        return (await intake.ops.get("/ops/orders:export", params={"to": moment(1)})).status_code == 200

    await eventually(freed, within_s=15)
