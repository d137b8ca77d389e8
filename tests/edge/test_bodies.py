"""Slow bodies take no place among the requests in work; they have a number of their own, and fewer from one address."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.edge.conftest import opened
from tests.edge.healthy import shopping
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.raw import Raw, get, order
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.versions

SLOW = order("slow")[:-10]


async def _slow(stack: AsyncExitStack, intake: Intake, count: int, *more: str) -> list[Raw]:
    slow = []
    for n in range(count):
        slow.append(await stack.enter_async_context(Raw(intake.port)))
        await slow[-1].send(order(f"slow-{n}", *more)[:-10])
    return slow


async def _awaited(intake: Intake, bodies: int) -> None:
    async def are() -> bool:
        return intake.guard.bodies.awaited == bodies

    await eventually(are, what=f"{bodies} bodies to be awaited")


async def test_slow_bodies_hold_up_nobody(serve: Serve) -> None:
    intake = await opened(await serve(in_flight_max=10, body_timeout_s=30))
    async with AsyncExitStack() as stack:
        await _slow(stack, intake, 100)
        await _awaited(intake, 100)
        assert intake.guard.in_flight == 0
        async with shopping(intake):
            for path in ("/healthz", "/readyz", "/metrics", "/products/hot"):
                assert (await intake.http.get(path)).status_code == 200
            await asyncio.sleep(0.5)  # the shoppers go on meanwhile, and are looked at at the end


async def test_past_their_number_the_oldest_is_given_up(serve: Serve) -> None:
    intake = await opened(await serve(bodies_max=5, body_timeout_s=30))
    async with AsyncExitStack() as stack:
        slow = await _slow(stack, intake, 5)
        await _awaited(intake, 5)
        honest = await stack.enter_async_context(Raw(intake.port))
        await honest.send(order("honest")[:-10], order("honest")[-10:])
        assert (await honest.answer()).status == 202
        answer = await slow[0].answer()
        assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "overloaded", "1")
        for n, raw in enumerate(slow[1:], 1):
            await raw.send(order(f"slow-{n}")[-10:])
            assert (await raw.answer()).status == 202
    assert intake.guard.bodies.awaited == 0


async def test_one_address_has_fewer(serve: Serve) -> None:
    intake = await opened(await serve(bodies_per_address=3, body_timeout_s=30, trusted_proxies="127.0.0.0/8"))
    async with AsyncExitStack() as stack:
        others = await _slow(stack, intake, 3, "X-Forwarded-For: 192.0.2.1")
        unnamed = await _slow(stack, intake, 10)
        await _awaited(intake, 13)
        mine = await _slow(stack, intake, 5, "X-Forwarded-For: 192.0.2.2")
        for raw in mine[:2]:
            assert (await raw.answer()).code == "overloaded"
        assert intake.guard.bodies.awaited == 16
        for raw in (*others, *unnamed[5:], *mine[2:]):
            raw.writer.transport.abort()

        async def gone() -> bool:
            return intake.guard.bodies.awaited == 5

        await eventually(gone)
        assert len(intake.guard.bodies._by_address) == 0


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_monitoring_is_answered_when_no_place_is_left(serve: Serve, path: str) -> None:
    intake = await serve(in_flight_max=1)
    intake.guard.in_flight = 1
    try:
        assert (await intake.http.get("/products/x")).status_code == 503
        assert (await intake.http.get(path)).status_code == 200
    finally:
        intake.guard.in_flight = 0


async def test_a_slow_body_of_any_method_takes_no_place(serve: Serve) -> None:
    intake = await opened(await serve(body_timeout_s=3))
    methods = ("GET", "HEAD", "OPTIONS", "DELETE", "PROPFIND")
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(Raw(intake.port)) for _ in methods]
        for raw, method in zip(slow, methods, strict=True):
            await raw.send(get("/products/hot", "Content-Length: 100", method=method))
        await _awaited(intake, len(methods))
        assert intake.guard.in_flight == 0
        for raw in slow:
            assert (await raw.reader.readline()).startswith(b"HTTP/1.1 400 ")


async def test_the_rest_of_a_body_behind_its_answer_has_its_time(serve: Serve) -> None:
    intake = await serve(in_flight_max=1, body_timeout_s=0.4)
    intake.guard.in_flight = 1
    try:
        async with Raw(intake.port) as raw:
            await raw.send(SLOW)
            assert (await raw.answer()).status == 503
            assert await raw.is_closed(5)
    finally:
        intake.guard.in_flight = 0
