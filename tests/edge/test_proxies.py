"""The proxies' configurations that are shipped: what passes, what does not, what the intake is told of the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from intake.server.connection.http_protocol import IntakeHttpProtocol
from tests.edge.conftest import opened
from tests.edge.oddities import ODDITIES
from tests.edge.test_framing import CANARY, is_canary
from tests.edge.test_upgrades import WISHES
from tests.fixtures.front import FRONTS
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.raw import Answer, Raw, chunked, get, order
from tests.fixtures.waiting import own_time

SLOW = order("slow")[:-10]
CANARY_URL = CANARY.split()[1]


class Fronted(NamedTuple):
    """An intake behind a proxy, and what came to it."""

    intake: Intake
    port: int
    seen: list[tuple[bytes, dict[bytes, bytes]]]


@pytest.fixture(params=FRONTS)
async def fronted(
    serve: Serve, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Fronted]:
    seen: list[tuple[bytes, dict[bytes, bytes]]] = []
    complete = IntakeHttpProtocol.on_message_complete

    def noted(self: Any) -> None:
        if not self._is_upgrading and self.url != b"/healthz":  # which the proxies look at themselves
            seen.append((self.url, dict(self._head)))
        complete(self)

    intake = await opened(await serve(trusted_proxies="127.0.0.1/32"))
    monkeypatch.setattr(IntakeHttpProtocol, "on_message_complete", noted)
    with FRONTS[request.param](intake.port) as port:
        yield Fronted(intake, port, seen)


async def test_orders_pass(fronted: Fronted) -> None:
    async with Raw(fronted.port) as raw:
        for n in range(3):
            await raw.send(order(f"a{n}"))
            assert (await raw.answer()).status == 202
        await raw.send(chunked("b") + get("/products/hot") + order("c"))
        assert [answer.status for answer in await raw.answers(3)] == [202, 200, 202]


async def test_an_upgrade_is_not_passed_on_and_the_order_is(fronted: Fronted) -> None:
    for wish in WISHES.values():
        async with Raw(fronted.port) as raw:
            await raw.send(order("a", *wish) + CANARY)
            taken, canary = await raw.answers(2)
            assert taken.status == 202
            assert is_canary(canary)
    assert not {b"upgrade", b"http2-settings"} & {name for _, head in fronted.seen for name in head}


async def test_the_intake_is_told_of_the_client_by_the_proxy_alone(fronted: Fronted) -> None:
    lies = [
        "Forwarded: for=192.0.2.1",
        "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: other",
    ]  # fmt: skip
    async with Raw(fronted.port) as raw:
        await raw.send(get("/products/hot", *lies))
        assert (await raw.answer()).status == 200
    [(_, told)] = fronted.seen
    assert told[b"x-forwarded-for"] == b"127.0.0.1"
    assert told[b"x-forwarded-proto"] == b"http"
    assert told[b"x-forwarded-host"] == b"shop"
    assert b"forwarded" not in told


async def test_the_inside_stays_inside(fronted: Fronted) -> None:
    key = f"Authorization: {fronted.intake.ops.headers['Authorization']}"
    for path in ("/ops/sales", "/ops", "/ops/", "//ops/sales", "/%6fps/sales", "/metrics", "/readyz", "/%6detrics",
                 "//readyz", "/ops%2fsales", "http://shop/ops/sales"):  # fmt: skip
        async with Raw(fronted.port) as raw:
            await raw.send(get(path, key))
            assert (await raw.answer()).status == 404, path
    assert fronted.seen == []


async def test_events_leave_as_they_come(fronted: Fronted) -> None:
    placed = (await fronted.intake.post("sale")).json()["order_id"]
    async with Raw(fronted.port) as raw, own_time(10):
        await raw.send(get(f"/orders/{placed}/events"))
        await raw.reader.readuntil(b"retry: ")


async def test_slow_bodies_wait_at_the_proxy(fronted: Fronted) -> None:
    async with Raw(fronted.port) as raw:
        await raw.send(SLOW)
        await asyncio.sleep(0.3)
        assert fronted.seen == []
        assert fronted.intake.guard.bodies.awaited == 0
        await raw.send(order("slow")[-10:])
        assert (await raw.answer()).status == 202


async def test_large_bodies_are_refused(fronted: Fronted) -> None:
    async with Raw(fronted.port) as raw:
        await raw.send(order("large", body=b" " * 20_000))
        assert (await raw.answer()).status == 413


async def _all_answers(raw: Raw) -> list[Answer]:
    """Return what comes until the canary is answered or the connection is closed."""
    answers = [await raw.answer()]
    async with own_time(10):
        while not is_canary(answers[-1]):
            try:
                answers.append(await raw.answer())
            except AssertionError:  # closed
                break
    return answers


async def test_the_same_bytes_make_no_other_requests_behind_a_proxy(fronted: Fronted) -> None:
    """What the intake refuses a proxy may mend or refuse; but both see the same number of requests, in one order."""
    for name, oddity in ODDITIES.items():
        if name == "no version":
            continue  # nginx answers in HTTP/0.9, which is no answer to read
        fronted.seen.clear()
        async with Raw(fronted.port) as raw:
            await raw.send(oddity.sent + CANARY)
            answers = await _all_answers(raw)
        seen = [url for url, _ in fronted.seen]
        assert len(answers) in (1, 2), (name, answers)
        assert len(seen) <= len(answers), (name, seen, answers)
        assert seen.count(CANARY_URL) == sum(map(is_canary, answers)), (name, seen, answers)
        assert not seen[:-1].count(CANARY_URL), (name, seen)
        assert not is_canary(answers[0]), (name, answers)
