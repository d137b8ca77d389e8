"""Connections have a number: silent ones do not shut out whoever has something to say."""

from __future__ import annotations

import asyncio
import resource
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from doorbuster.ports import reserve
from doorbuster.settings import Settings
from intake.server.descriptors import RESERVE, connections_within
from tests.edge.conftest import opened
from tests.edge.healthy import shopping
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.raw import Raw, get
from tests.fixtures.waiting import eventually, wait_until
from tests.integration.intake.server.test_process import COMMAND, alive, environment

pytestmark = pytest.mark.versions


@pytest.mark.parametrize("said", [b"", b"GET / HTT", b"\r\n"])
async def test_silent_connections_make_room(serve: Serve, said: bytes) -> None:
    intake = await opened(await serve(connections_max=40, head_timeout_s=120))  # none is closed for its silence
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(shopping(intake))
        silent = []
        for _ in range(200):
            silent.append(await stack.enter_async_context(Raw(intake.port)))
            await silent[-1].send(said)
            await asyncio.sleep(0.005)  # a shopper's gap between answer and next order is shorter than forty of these
        assert await silent[0].is_closed()
        assert await silent[100].is_closed()
        await eventually(_are_open(intake, range(41)))


def _are_open(intake: Intake, connections: range) -> Callable[[], Awaitable[bool]]:
    async def are_open() -> bool:
        return len(intake.guard.connections.open) in connections

    return are_open


@pytest.mark.parametrize("said", [b"", b"\r\n", b"GET / HTT", get("/healthz")])
async def test_who_goes_without_a_request_leaves_no_error_in_the_log(
    serve: Serve, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    intake = await serve()
    async with Raw(intake.port) as raw:
        await raw.send(said)
        await eventually(_are_open(intake, range(1, 2)))
    await eventually(_are_open(intake, range(1)))
    async with Raw(intake.port) as after:
        await after.send(get("/healthz"))
        assert (await after.answer()).status == 200
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_longest_idle_goes_first(serve: Serve) -> None:
    intake = await serve(connections_max=8)
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(Raw(intake.port))
        used = [await stack.enter_async_context(Raw(intake.port)) for _ in range(7)]
        for raw in used:
            await raw.send(get("/healthz"))
            assert (await raw.answer()).status == 200
        another = await stack.enter_async_context(Raw(intake.port))
        await another.send(get("/healthz"))
        assert (await another.answer()).status == 200
        assert await first.is_closed()
        for raw in used:
            await raw.send(get("/healthz"))
            assert (await raw.answer()).status == 200


async def test_whoever_is_at_work_is_not_closed_for_another(serve: Serve) -> None:
    intake = await serve(connections_max=8, bodies_max=100)
    async with AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(Raw(intake.port)) for _ in range(8)]
        for raw in busy:
            await raw.send(b"POST /sales/sale/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")

        async def at_work() -> bool:
            return intake.guard.bodies.awaited == len(busy)

        await eventually(at_work)
        async with Raw(intake.port) as late:
            answer = await late.answer()
            assert (answer.status, answer.code) == (503, "overloaded")
        for raw in busy:
            await raw.send(b"0123456789")
            assert (await raw.answer()).status == 400


def test_the_number_leaves_descriptors_to_the_stores() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, hard), hard))
        assert connections_within(1_000_000) == min(4_096, hard) - RESERVE
        assert connections_within(100) == 100
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_takes_what_descriptors_it_may_have_and_keeps_some(settings: Settings) -> None:
    bind = f"127.0.0.1:{(port := reserve())}"
    process = subprocess.Popen(
        ["prlimit", "--nofile=128:600", *COMMAND],
        env=environment(settings, INTAKE_BIND=bind), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: alive(f"http://{bind}"), within_s=30, what="the intake to serve")

        async def crowd() -> None:
            async with AsyncExitStack() as stack:
                for _ in range(700):
                    await stack.enter_async_context(Raw(port))
                for _ in range(20):
                    async with Raw(port) as raw:
                        await raw.send(get("/readyz"))
                        assert (await raw.answer()).status == 200

        asyncio.run(crowd())
        assert httpx.get(f"http://{bind}/readyz", trust_env=False).status_code == 200
    finally:
        process.terminate()
        process.wait(20)
