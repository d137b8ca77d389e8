"""The load generator against a tiny server of its own: counts, retries, coordinated omission, bounds."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from loadtests.traffic.crew import give_way
from loadtests.traffic.generator import run
from loadtests.traffic.plan import Mix, Plan, merged
from loadtests.traffic.samples import Samples

ORDER = UUID("01234567-89ab-8def-8123-456789abcdef")
ACCEPTED = b'{"order_id":"%s"}' % str(ORDER).encode()


def answer(status: int, body: bytes, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%b\r\n%b" % (status, len(body), headers, body)


class Shop(asyncio.Protocol):
    """Answers the n-th request by `reply(n, request)`; None cuts the connection."""

    def __init__(self, reply: Callable[[int, bytes], bytes | None], seen: list[bytes]) -> None:
        self.reply = reply
        self.seen = seen

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.seen.append(data)
        reply = self.reply(len(self.seen), data)
        assert isinstance(self.transport, asyncio.Transport)
        if reply is None:
            self.transport.abort()
        elif reply:
            self.transport.write(reply)


@asynccontextmanager
async def shop(reply: Callable[[int, bytes], bytes | None]) -> AsyncIterator[tuple[str, list[bytes]]]:
    seen: list[bytes] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Shop(reply, seen), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", seen
    finally:
        server.close()


def mix() -> Mix:
    return Mix(products=["a", "b"], weights=[1, 1], path="/sales/s/orders", prefix="t", second_line=0.3)


async def test_a_closed_loop_sends_exactly_the_count_with_keys_of_their_own() -> None:
    async with shop(lambda _n, _r: answer(202, ACCEPTED)) as (base, seen):
        result = await run(Plan(base=base, mix=mix(), connections=4, count=50))
    assert result.outcomes == {"accepted": 50}
    assert result.offered == 50
    assert result.order_ids == ORDER.bytes * 50
    assert 0 < result.processor_s < 10
    keys = {request.split(b"Idempotency-Key: ")[1].split(b"\r\n")[0] for request in seen}
    assert len(seen) == len(keys) == 50


async def test_503_is_sent_again_with_the_same_key_until_it_is_accepted() -> None:
    async with shop(lambda n, _r: answer(503, b'{"code":"overloaded"}') if n < 3 else answer(202, ACCEPTED)) as (
        base,
        seen,
    ):
        result = await run(Plan(base=base, mix=mix(), connections=1, count=1))
    assert result.outcomes == {"accepted": 1}
    assert result.answers == {"202": 1, "503": 2}
    assert result.retries == 2
    assert len(set(seen)) == 1


async def test_a_lost_answer_is_sent_again_on_another_connection() -> None:
    async with shop(lambda n, _r: None if n == 1 else answer(202, ACCEPTED)) as (base, seen):
        result = await run(Plan(base=base, mix=mix(), connections=1, count=1))
    assert result.outcomes == {"accepted": 1}
    assert result.answers == {"lost": 1, "202": 1}
    assert seen[0] == seen[1]


async def test_tries_are_bounded_and_refusals_counted_by_code() -> None:
    async with shop(lambda _n, _r: answer(503, b'{"code":"overloaded"}')) as (base, seen):
        result = await run(Plan(base=base, mix=mix(), connections=1, count=1, tries=3))
    assert result.outcomes == {"overloaded": 1}
    assert len(seen) == 3
    async with shop(lambda _n, _r: answer(409, b'{"code":"sold_out"}')) as (base, _):
        result = await run(Plan(base=base, mix=mix(), connections=2, count=4))
    assert result.outcomes == {"sold_out": 4}
    assert len(Samples.from_bytes(result.answered)) == 4


async def test_an_open_loop_counts_latency_from_the_intended_arrival() -> None:
    """The first answer is held back 200 ms on the only connection: the second order's wait shows it."""

    def slow(number: int, _request: bytes) -> bytes:
        if number == 1:
            loop = asyncio.get_running_loop()
            loop.call_later(0.2, lambda: connections[0].write(answer(202, ACCEPTED)))
            return b""
        return answer(202, ACCEPTED)

    connections: list[asyncio.Transport] = []
    original = Shop.connection_made

    def made(self: Shop, transport: asyncio.BaseTransport) -> None:
        original(self, transport)
        assert isinstance(transport, asyncio.Transport)
        connections.append(transport)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Shop, "connection_made", made)
        async with shop(slow) as (base, _):
            arrivals = array("d", [0.0, 0.01]).tobytes()
            result = await run(Plan(base=base, mix=mix(), connections=1, arrivals=arrivals))
    assert result.outcomes == {"accepted": 2}
    waits = Samples.from_bytes(result.accepted)
    assert waits.percentile(0) >= 0.18
    assert result.late_s >= 0.18


async def test_what_gets_no_answer_in_time_is_counted_unanswered() -> None:
    async with shop(lambda _n, _r: b"") as (base, _):
        plan = Plan(base=base, mix=mix(), connections=2, count=2, seconds=0.1, timeout_s=0.3, tries=1)
        result = await run(plan)
    assert sum(result.outcomes.values()) == 2
    assert result.outcomes == {"unanswered": 2}


async def test_processes_side_by_side_merge_into_one_result() -> None:
    async with shop(lambda _n, _r: answer(202, ACCEPTED)) as (base, _):
        results = [await run(Plan(base=base, mix=mix(), connections=1, count=n)) for n in (2, 3)]
    both = merged(results)
    assert both.outcomes == {"accepted": 5}
    assert len(Samples.from_bytes(both.accepted)) == 5
    assert both.processor_s == sum(one.processor_s for one in results) > 0
    assert both.offered == 5


def test_a_load_that_gives_way_is_as_nice_as_can_be_and_so_is_its_session() -> None:
    told = "import os; input(); print(os.nice(0), os.getsid(0) == os.getpid())"
    process = subprocess.Popen(
        [sys.executable, "-c", told], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    give_way(process.pid)
    group = Path(f"/proc/{process.pid}/autogroup")
    assert not group.exists() or group.read_text().split()[-1] == "19"
    said, _ = process.communicate(b"\n", timeout=30)
    assert said.split() == [b"19", b"True"]
