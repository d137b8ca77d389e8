"""Who pipelines without end, or reads no answer, is given little and then nothing; nobody else waits for them."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, suppress

import psutil
import pytest
from pydantic import SecretStr

from doorbuster.settings import Settings
from intake.server.connection.connections import Connection
from intake.server.connection.http_protocol import WAITING_MAX
from intake.server.connection.unread import PIECE
from tests.edge.conftest import opened
from tests.edge.healthy import shopping
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.raw import Raw, get, order
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.versions


async def _push(raw: Raw, sent: bytes) -> None:
    with suppress(ConnectionError):
        while True:
            await raw.send(sent)


async def test_who_pipelines_and_reads_nothing_is_not_read_either(shop: Intake) -> None:
    async with shopping(shop), Raw(shop.port) as raw:
        before = psutil.Process(os.getpid()).memory_info().rss
        pushing = asyncio.create_task(_push(raw, get("/openapi.json") * 2_000))
        connections = shop.guard.connections

        async def stuck() -> bool:
            return bool(connections.stuck)

        await eventually(stuck)
        [one] = connections.stuck
        for _ in range(50):
            assert len(one.pipeline) <= WAITING_MAX
            assert connections.unread <= 512 * 1024
            await asyncio.sleep(0.01)
        pushing.cancel()
        await asyncio.wait([pushing])
        assert psutil.Process(os.getpid()).memory_info().rss - before < 64 * 1024 * 1024
        assert shop.guard.in_flight <= 3  # the shoppers'


async def test_who_pipelines_and_reads_is_served_in_order(shop: Intake) -> None:
    paths = [f"/sales/none-{n}/room" for n in range(300)]
    async with Raw(shop.port) as raw:
        await raw.send(b"".join(map(get, paths)))
        answers = await raw.answers(len(paths))
        assert all(repr(path[7:-5]) in answer.body.decode() for path, answer in zip(paths, answers, strict=True))


async def test_few_requests_wait_behind_one_in_work(serve: Serve, settings: Settings) -> None:
    with Proxy(settings.orders_redis_url.get_secret_value()) as proxy:
        intake = await opened(await serve(orders_redis_url=SecretStr(proxy.url), store_timeout_s=30))
        proxy.hold()
        async with Raw(intake.port) as raw:
            await raw.send(order("first"))

            async def in_work() -> bool:
                return intake.guard.in_flight == 1

            await eventually(in_work)
            [one] = intake.guard.connections.open - set(intake.guard.connections.idle)
            pushing = asyncio.create_task(raw.send(get("/products/hot") * 30_000))

            async def full() -> bool:
                return len(one.pipeline) == WAITING_MAX

            await eventually(full)
            assert intake.guard.connections.unread < 512 * 1024
            proxy.mend()
            answers = await raw.answers(2_000)
            assert [answer.status for answer in answers] == [202] + [200] * 1_999
            pushing.cancel()
            await asyncio.wait([pushing])

    async def forgotten() -> bool:
        return intake.guard.connections.unread == 0

    await eventually(forgotten)


async def test_large_bodies_do_not_pile_up_behind_one_in_work(serve: Serve, settings: Settings) -> None:
    with Proxy(settings.orders_redis_url.get_secret_value()) as proxy:
        intake = await opened(await serve(orders_redis_url=SecretStr(proxy.url), store_timeout_s=30))
        proxy.hold()
        async with Raw(intake.port) as raw:
            await raw.send(order("first"))
            pushing = asyncio.create_task(raw.send(order("large", body=b" " * 60_000) * 50))

            async def full() -> bool:
                return bool(intake.guard.connections.unread)

            await eventually(full)
            [one] = intake.guard.connections.open - set(intake.guard.connections.idle)
            assert sum(len(cycle.body) for cycle, _ in one.pipeline) <= 2 * 65_536 + PIECE
            proxy.mend()
            assert [answer.status for answer in await raw.answers(2)] == [202, 413]
            pushing.cancel()
            await asyncio.wait([pushing])


@pytest.mark.parametrize("behind", [0, 5])
async def test_who_reads_no_answer_holds_no_place_and_is_cut_off(serve: Serve, behind: int) -> None:
    intake = await opened(await serve(in_flight_max=40, write_timeout_s=3.0))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(shopping(intake))
        raws = [await stack.enter_async_context(Raw(intake.port, takes_little=True)) for _ in range(30)]
        sent = get("/openapi.json") * 200 + get("/products/hot") * behind
        pushing = [asyncio.create_task(_push(raw, sent)) for raw in raws]
        seen: set[Connection] = set()  # on a busy machine the first is cut off before the last is stuck

        async def stuck() -> bool:
            seen.update(intake.guard.connections.stuck)
            return len(seen) >= 30

        await eventually(stuck)
        assert intake.guard.in_flight <= 3  # the shoppers'

        async def cut() -> bool:
            return not intake.guard.connections.stuck

        await eventually(cut)
        await asyncio.wait(pushing)


async def test_who_is_slow_to_read_gets_everything(serve: Serve) -> None:
    intake = await opened(await serve(write_timeout_s=5))
    whole = (await intake.http.get("/openapi.json")).content
    async with Raw(intake.port) as raw:
        await raw.send(get("/openapi.json") * 100)

        async def stuck() -> bool:
            return bool(intake.guard.connections.stuck)

        await eventually(stuck)
        answers = await raw.answers(100)
        assert {answer.body for answer in answers} == {whole}


async def test_a_closed_connection_with_unread_answers_is_cut_off(serve: Serve) -> None:
    intake = await opened(await serve(write_timeout_s=2))
    async with Raw(intake.port, takes_little=True) as raw:
        await raw.send(get("/openapi.json") * 300 + get("/healthz", "Connection: close"))

        connections = intake.guard.connections

        async def stuck() -> bool:
            return bool(connections.stuck or connections.closing)

        async def gone() -> bool:
            return not (connections.open - set(connections.idle))

        await eventually(stuck, what="answers that nobody reads")
        await eventually(gone, what="their connection to be cut off")
