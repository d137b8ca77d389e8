"""Streams of events: thousands of them have no task and no look of their own, and who does not read holds nothing."""

from __future__ import annotations

import asyncio
import resource
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import psutil
import pytest
from redis.asyncio import Redis
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from db.connections.pool import Connection
from doorbuster.orderstore import changes
from intake.orders import event_hub
from intake.orders.event_hub import TICKS, EventHub
from tests.fixtures import intake as intakes
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.raw import Raw, get
from tests.fixtures.turns import Watch
from tests.fixtures.waiting import eventually, own_time
from tests.integration.intake.ops.test_order_filters import fill

pytestmark = pytest.mark.versions

STREAMS = 40
LISTENERS = 5_000
TOLD_WITHIN_S = 10.0
"""From the message to the last of all listeners: both ends, and the store, share this machine."""
BYTES_MAX = 16 * 1024
"""Of a listener, in the process that serves it."""


@pytest.fixture(autouse=True)
def hubs(monkeypatch: pytest.MonkeyPatch) -> list[EventHub]:
    """Every hub that is made."""
    made: list[EventHub] = []
    kept = EventHub.run

    async def noted(self: EventHub) -> None:
        made.append(self)
        await kept(self)

    monkeypatch.setattr(EventHub, "run", noted)
    return made


async def placed(intake: Intake, db: Connection, orders: int) -> list[str]:
    """Put orders into a sale, pending; return their ids."""
    await fill(db, (await intake.open_sale())["sale_number"], orders)
    await db.execute("update orders set status = 'pending', reason = null, version = 1")
    await db.execute("delete from order_events where seq > 1")
    return [str(row[0]) for row in await db.fetch("select order_id from orders order by entry_seq")]


async def happens(db: Connection, redis: Redis, status: str, kind: str | None = None) -> None:
    """Let something happen to every order, and say so as the shifts do."""
    rows = await db.fetch(
        "with moved as (update orders set status = $1::order_status, version = version + 1 returning order_id, version)"
        " insert into order_events (order_id, seq, status, at, kind)"
        " select order_id, version, $1::order_status, now(), $2 from moved returning order_id",
        status, kind,
    )  # fmt: skip
    await changes.publish_orders(redis, [row[0].bytes for row in rows])


async def begun(raw: Raw, order: str, *more: str) -> str:
    """Ask for a stream; return its head."""
    await raw.send(get(f"/orders/{order}/events", *more))
    head = await raw.reader.readuntil(b"\r\n\r\n")
    await raw.reader.readuntil(b"retry: 1000\n\n\r\n")
    return head.decode()


async def events(raw: Raw, count: int) -> list[dict[str, str]]:
    """Return so many events of a stream, field by field; comments are none."""
    found: list[dict[str, str]] = []
    async with own_time(15):
        while len(found) < count:
            size = int(await raw.reader.readline(), 16)
            chunk = (await raw.reader.readexactly(size + 2)).decode()
            for block in chunk.strip().split("\n\n"):
                if not block.startswith(":"):
                    found.append(dict(line.split(": ", 1) for line in block.splitlines()))
    return found


def few_tasks(before: int) -> Callable[[], Awaitable[bool]]:
    """Look whether there are few more tasks than before; what the process does by itself has some for a moment."""

    async def are_few() -> bool:
        return len(asyncio.all_tasks()) - before < STREAMS / 4

    return are_few


def ticks_of(hub: EventHub, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return what every tick of the hub from now on is put into."""
    seen: list[float] = []
    tick = hub._tick

    def noted(now: float) -> None:
        seen.append(now)
        tick(now)

    monkeypatch.setattr(hub, "_tick", noted)
    return seen


async def test_streams_ask_postgres_together_and_have_no_task(
    intake: Intake, db: Connection, orders_redis: Redis, hubs: list[EventHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = await placed(intake, db, STREAMS)
    before = len(asyncio.all_tasks())
    async with AsyncExitStack() as stack:
        raws = [await stack.enter_async_context(Raw(intake.port)) for _ in orders]
        for raw, order in zip(raws, orders, strict=True):
            assert (await begun(raw, order)).startswith("HTTP/1.1 200 ")
            [first] = await events(raw, 1)
            assert first["event"] == "transition"
        [hub] = hubs
        assert len(hub) == intake.guard.waiting == STREAMS
        assert intake.guard.in_flight == 0
        await eventually(few_tasks(before))
        ticks = ticks_of(hub, monkeypatch)
        looks = hub.looks

        async def ticked() -> bool:
            return len(ticks) >= 2 * TICKS

        await eventually(ticked)
        assert hub.looks - looks <= len(ticks) + 2  # however many listen
        looks, before = hub.looks, len(ticks)
        await happens(db, orders_redis, "confirmed")
        assert {one["id"] for raw in raws for one in await events(raw, 1)} == {"2"}
        assert hub.looks - looks <= len(ticks) - before + 2

    async def nobody() -> bool:
        return len(hub) == intake.guard.waiting == 0 and not hub.by_order

    await eventually(nobody)


def test_every_order_has_its_tick() -> None:
    numbers = {order[-1] % TICKS for order in (bytes([*range(15), last]) for last in range(256))}
    assert numbers == set(range(TICKS))


async def test_what_is_no_transition_is_told_by_its_kind(intake: Intake, db: Connection, orders_redis: Redis) -> None:
    [order] = await placed(intake, db, 1)
    async with Raw(intake.port) as raw:
        await begun(raw, order)
        await events(raw, 1)
        for status, kind in (("confirmed", None), ("confirmed", "shipment"), ("cancelled", None)):
            await happens(db, orders_redis, status, kind)
        told = await events(raw, 3)
        assert [(one["id"], one["event"]) for one in told] == [
            ("2", "transition"),
            ("3", "shipment"),
            ("4", "transition"),
        ]
        assert await raw.reader.readexactly(5) == b"0\r\n\r\n"
        # The connection goes on, and so does a stream behind what was told.
        await happens(db, orders_redis, "cancelled", "refund")
        for after, seen in (("3", ["4", "5"]), ("4", ["5"])):
            await begun(raw, order, f"Last-Event-ID: {after}")
            assert [one["id"] for one in await events(raw, len(seen))] == seen
            assert await raw.reader.readexactly(5) == b"0\r\n\r\n"
    # All is told by the number of events, not of transitions.
    answer = await intake.http.get(f"/orders/{order}/events", headers={"Last-Event-ID": "5"})
    assert answer.status_code == 204


async def test_what_is_pipelined_waits_behind_a_stream(intake: Intake, db: Connection, orders_redis: Redis) -> None:
    [order] = await placed(intake, db, 1)
    async with Raw(intake.port) as raw:
        await begun(raw, order)
        await raw.send(get("/healthz") + get("/healthz", "Connection: close"))
        await events(raw, 1)
        await happens(db, orders_redis, "cancelled")
        await events(raw, 1)
        assert await raw.reader.readexactly(5) == b"0\r\n\r\n"
        assert [answer.status for answer in await raw.rest()] == [200, 200]


async def test_streams_end_when_the_process_does(intake: Intake, db: Connection) -> None:
    [order] = await placed(intake, db, 1)
    async with Raw(intake.port) as raw:
        await begun(raw, order)
        await events(raw, 1)
        intake.stop()
        async with own_time(10):
            assert (await raw.reader.read()).endswith(b"0\r\n\r\n")
    assert intake.guard.waiting == 0


async def test_a_stream_lives_its_time_and_says_so(
    intake: Intake, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_hub, "HEARTBEAT_S", 0.3)
    monkeypatch.setattr(event_hub, "STREAM_S", 3.0)
    [order] = await placed(intake, db, 1)
    async with Raw(intake.port) as raw:
        await begun(raw, order)
        async with own_time(10):
            rest = await raw.reader.readuntil(b"\r\n0\r\n\r\n")
    assert rest.count(event_hub.HEARTBEAT) >= 2


async def test_listeners_are_bounded(serve: Serve, db: Connection) -> None:
    intake = await serve(event_streams_max=1)
    first, second = await placed(intake, db, 2)
    async with Raw(intake.port) as raw:
        await begun(raw, first)
        refused = await intake.http.get(f"/orders/{second}/events")
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert int(refused.headers["Retry-After"]) >= 1
        assert "doorbuster_event_streams 1.0" in (await intake.http.get("/metrics")).text


async def test_who_does_not_read_is_dropped(intake: Intake, db: Connection, hubs: list[EventHub]) -> None:
    [order] = await placed(intake, db, 1)
    await db.execute(
        "insert into order_events (order_id, seq, status, at, reason)"
        " select order_id, seq, 'pending', now(), repeat('x', 200) from orders, generate_series(2, 32000) seq"
    )
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", intake.port))
    raw.sendall(get(f"/orders/{order}/events"))

    async def opened() -> bool:
        return bool(hubs[0].looks)

    async def dropped() -> bool:
        return len(hubs[0]) == intake.guard.waiting == 0

    await eventually(opened)
    await eventually(dropped)
    raw.close()


async def test_under_uvicorns_own_protocol_streams_have_a_task_each(
    serve: Serve, db: Connection, orders_redis: Redis, hubs: list[EventHub], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def own(_app: object) -> type[asyncio.Protocol]:
        return HttpToolsProtocol

    monkeypatch.setattr(intakes, "protocol_for", own)
    intake = await serve()
    first, second = await placed(intake, db, 2)
    async with Raw(intake.port) as raw, Raw(intake.port) as left:
        await begun(raw, first)
        await begun(left, second)
        await events(raw, 1)
        assert intake.guard.waiting == len(hubs[0]) == 2
        left.writer.transport.abort()
        await happens(db, orders_redis, "confirmed", "shipment")
        await happens(db, orders_redis, "cancelled")
        assert [one["event"] for one in await events(raw, 2)] == ["shipment", "transition"]
        assert await raw.reader.readexactly(5) == b"0\r\n\r\n"

    async def nobody() -> bool:
        return intake.guard.waiting == len(hubs[0]) == 0

    await eventually(nobody)


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= LISTENERS + 1_000, "the hard limit on descriptors is too low for this test"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, LISTENERS + 1_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
async def test_thousands_listen_to_one_process(
    intake: Intake, db: Connection, orders_redis: Redis, hubs: list[EventHub]
) -> None:
    orders = await placed(intake, db, LISTENERS)
    process = psutil.Process()
    tasks, before = len(asyncio.all_tasks()), process.memory_info().rss
    listening = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loadtests.traffic.listening",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert listening.stdin is not None
    assert listening.stdout is not None
    try:
        paths = " ".join(f"/orders/{order}/events" for order in orders)
        listening.stdin.write(f"{intake.port} confirmed {paths}\n".encode())
        async with asyncio.timeout(240):
            assert await listening.stdout.readline() == b"open %d\n" % LISTENERS
        held = (process.memory_info().rss - before) / LISTENERS
        assert len(hubs[0]) == LISTENERS
        assert len(asyncio.all_tasks()) - tasks < 50
        watch = Watch()
        await happens(db, orders_redis, "confirmed")
        async with asyncio.timeout(60):
            told = await listening.stdout.readline()
        took = watch.elapsed_s()
        assert told.startswith(b"heard %d " % LISTENERS)
        print(f"{held:,.0f} bytes a listener; all {LISTENERS:,} told in {took:.2f} s")
        assert took < TOLD_WITHIN_S
        assert held < BYTES_MAX
    finally:
        listening.stdin.close()
        await listening.wait()
