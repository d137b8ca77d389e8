"""A request's head and trailer have a size, a number of lines and a time; whoever exceeds one harms nobody else."""

from __future__ import annotations

import asyncio

import pytest

from tests.edge.healthy import shopping
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.raw import Raw, chunked, get, order
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.versions

LARGE = {
    "many lines": b"a:b\r\n" * 400_000,
    "one endless value": b"a: " + b"x" * 2_000_000 + b"\r\n",
    "one endless name": b"x" * 2_000_000 + b": b\r\n",
    "cookies": b"Cookie: " + b"a=b; " * 300_000 + b"\r\n",
    "cookie lines": b"Cookie: a=b\r\n" * 150_000,
    "spaces": b"a:" + b" " * 2_000_000 + b"b\r\n",
}


@pytest.mark.parametrize("start", [b"GET /healthz", b"POST /sales/sale/orders"])
async def test_a_large_head_is_refused_while_others_shop(shop: Intake, start: bytes) -> None:
    async with shopping(shop):
        for kind, lines in LARGE.items():
            async with Raw(shop.port) as raw:
                sending = asyncio.create_task(raw.send(start + b" HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n"))
                answer = await raw.answer()
                assert (answer.status, answer.code) == (431, "head_too_large"), kind
                assert answer.headers["connection"] == "close"
                assert await raw.rest() == []
                await asyncio.wait([sending])
                sending.exception()


async def test_an_endless_address_is_refused(shop: Intake) -> None:
    async with Raw(shop.port) as raw:
        await raw.send(b"GET /" + b"x" * 100_000)
        assert (await raw.answer()).status == 431


@pytest.mark.parametrize("lines", [1, 99])
async def test_as_many_lines_as_may_be(shop: Intake, lines: int) -> None:
    more = [f"a{n}: b" for n in range(lines)]
    async with Raw(shop.port) as raw:
        await raw.send(get("/healthz", *more) + get("/healthz", *more, "b: c"))
        answers = await raw.answers(2)
    assert [answer.status for answer in answers] == [200, 200 if lines < 99 else 431]


@pytest.mark.parametrize(("size", "status"), [(32_000, 200), (33_000, 431)])
@pytest.mark.parametrize("pieces", [1, 5])
async def test_as_many_bytes_as_may_be(shop: Intake, size: int, status: int, pieces: int) -> None:
    sent = get("/healthz", "a: " + "x" * (size - 60))
    cut = len(sent) // pieces + 1
    async with Raw(shop.port) as raw:
        await raw.send(*(sent[at : at + cut] for at in range(0, len(sent), cut)))
        assert (await raw.answer()).status == status


async def test_the_bounds_are_settings(serve: Serve) -> None:
    intake = await serve(head_bytes_max=1_024, head_lines_max=10)
    for more in (["a: " + "x" * 1_100], [f"a{n}: b" for n in range(10)]):
        async with Raw(intake.port) as raw:
            await raw.send(get("/healthz", *more))
            assert (await raw.answer()).code == "head_too_large"


@pytest.mark.parametrize("trailer", ["a: b\r\n" * 400_000, "a: " + "x" * 2_000_000, "a: b\r\n" * 101])
async def test_a_large_trailer_is_refused(shop: Intake, trailer: str) -> None:
    async with shopping(shop), Raw(shop.port) as raw:
        sending = asyncio.create_task(raw.send(chunked("k", trailer=trailer)))
        answer = await raw.answer()
        assert (answer.status, answer.code) == (431, "head_too_large")
        assert await raw.rest() == []
        await asyncio.wait([sending])
        sending.exception()


async def test_a_trailer_is_no_head(shop: Intake) -> None:
    sent = chunked("k", trailer="Idempotency-Key: other\r\nX-Some: thing\r\n")
    without = sent.replace(b"Idempotency-Key: k\r\n", b"", 1)
    async with Raw(shop.port) as raw:
        await raw.send(sent + order("k") + without)
        first, again, none = await raw.answers(3)
    assert (first.status, again.status, again.body) == (202, 202, first.body)
    assert (none.status, none.code) == (400, "idempotency_key_required")


HALVES = [b"G", b"GET /heal", get("/healthz")[:-2], order("k")[:60], b"GET / HTTP/1.1\r\nConnection: Upgr"]


async def test_half_a_head_has_its_time(serve: Serve) -> None:
    intake = await serve(head_timeout_s=0.4)
    for half in HALVES:
        async with Raw(intake.port) as fresh, Raw(intake.port) as used:
            await used.send(get("/healthz"))
            assert (await used.answer()).status == 200
            await asyncio.gather(fresh.send(half), used.send(half))
            for raw in (fresh, used):
                told = [(answer.status, answer.code) for answer in await raw.rest(5)]
                assert told == [(408, "request_timeout")], half


async def test_a_blank_line_is_no_half_of_a_head(serve: Serve) -> None:
    # An intake each: who is still to send something is not closed for being silent, however late the process is.
    beginning = await serve(head_timeout_s=0.4, first_request_timeout_s=0.5)
    between = await serve(head_timeout_s=0.4, idle_timeout_s=0.6)
    async with Raw(beginning.port) as fresh, Raw(between.port) as used:
        await used.send(get("/healthz"))
        assert (await used.answer()).status == 200
        for raw in (fresh, used):
            await raw.send(b"\r\n")
            assert await raw.is_closed(5)


async def test_the_time_of_a_head_is_not_counted_by_the_byte(serve: Serve) -> None:
    intake = await serve(head_timeout_s=0.6)

    async def trickle(raw: Raw, forever: bytes) -> None:
        while True:
            await raw.send(forever)
            await asyncio.sleep(0.05)

    for begin, forever in ((b"GET / HTTP/1.1\r\na: ", b"x"), (b"GET / HTTP/1.1\r\n", b"a: b\r\n"), (b"GET /", b"x")):
        async with Raw(intake.port) as raw:
            await raw.send(begin)
            trickling = asyncio.create_task(trickle(raw, forever))
            assert (await raw.answer(5)).code == "request_timeout"
            trickling.cancel()
            await asyncio.wait([trickling])


async def test_silence_has_its_time(serve: Serve) -> None:
    beginning, between = await serve(first_request_timeout_s=0.3), await serve(idle_timeout_s=0.3)
    async with Raw(beginning.port) as silent, Raw(beginning.port) as blank, Raw(between.port) as used:
        await used.send(get("/healthz"))
        await used.answer()
        await blank.send(b"\r\n")
        assert await silent.is_closed(5)
        assert await blank.is_closed(5)
        assert await used.is_closed(5)

    async def gone() -> bool:
        return not (beginning.guard.connections.open or between.guard.connections.open)

    await eventually(gone)
