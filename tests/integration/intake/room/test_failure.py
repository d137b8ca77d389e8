"""The room without its store: closed or open as its sale says, and back by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from intake.room import cache as room_cache
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.visitors import Browser, Visitor, heading, open_room
from tests.fixtures.waiting import eventually

WAIT = "/sales/sale/wait"


@pytest.fixture
def line(room_redis_url: str) -> Iterator[Proxy]:
    """What lies between the intake and the room's store."""
    with Proxy(room_redis_url) as proxy:
        yield proxy


async def down(intake: Intake, sale: str = "sale") -> None:
    """Wait until the intake has understood that the store is away."""

    async def degraded() -> bool:
        answer = await intake.http.get(f"/sales/{sale}/room")
        return answer.status_code == 503 or bool(answer.json()["degraded"])

    await eventually(degraded)


async def up(intake: Intake) -> None:
    """Wait until the store is back."""

    async def well() -> bool:
        answer = await intake.http.get("/sales/sale/room")
        return answer.status_code == 200 and not answer.json()["degraded"]

    await eventually(well)


async def test_closed_until_the_store_is_back(serve: Serve, line: Proxy) -> None:
    intake = await serve(room_redis_url=line.url, store_timeout_s=2)
    await open_room(intake, room={"max_active": 1})
    ann, bob = Visitor(intake, "sale", "ann"), Visitor(intake, "sale", "bob")
    await ann.join()
    admission = await ann.admitted()
    await bob.join()
    line.cut()
    await down(intake)
    for refused in (await bob.claim(), await Visitor(intake, "sale", "eve").join()):
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert int(refused.headers["Retry-After"]) >= 1
    async with Browser(intake) as browser:
        page = await browser.open(WAIT)
        assert (page.status_code, heading(page)) == (503, "We will be right back")
    assert (await ann.order(admission, "k")).status_code == 202  # who is in goes on
    line.mend()
    await up(intake)
    assert await bob.admitted()  # kept its place, and got the slot of the order meanwhile
    assert (await bob.join()).json()["number"] == 2


async def test_open_for_one_order_each_and_not_for_ever(
    serve: Serve, line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed_s = [0.0]
    clock = SimpleNamespace(time=time.time, monotonic=lambda: time.monotonic() + sum(passed_s))
    monkeypatch.setattr(room_cache, "time", clock)
    intake = await serve(room_redis_url=line.url, store_timeout_s=2, room_emergency_s=600)
    await open_room(intake, room={"on_store_failure": "open", "rate_per_s": 100, "burst": 100, "max_active": 1})
    first, ann = Visitor(intake, "sale", "first"), Visitor(intake, "sale", "ann")
    await first.join()
    await first.admitted()
    await ann.join()
    assert (await ann.claim()).status_code == 202
    line.cut()
    await down(intake)
    eve = Visitor(intake, "sale", "eve")
    assert (await eve.join()).json()["number"] == 0
    for one in (ann, eve):
        admission = await one.admitted()
        assert (await one.order(admission, f"{one.name}-1")).status_code == 202
        again = await one.order(await one.admitted(), f"{one.name}-2")
        assert (again.status_code, again.json()["code"]) == (409, "admission_spent")

    passed_s.append(600.0)
    assert (await eve.claim()).status_code == 503
    line.mend()
    await up(intake)
    gone = await eve.claim()
    assert (gone.status_code, gone.json()["code"]) == (410, "place_unknown")
    assert (await eve.join()).json()["number"] == 3


async def test_nobody_is_let_into_a_sale_that_is_over(serve: Serve, line: Proxy) -> None:
    intake = await serve(room_redis_url=line.url, store_timeout_s=2, room_emergency_s=60)
    await open_room(intake, room={"on_store_failure": "open"})
    ann = Visitor(intake, "sale", "ann")
    await ann.join()
    line.cut()
    await down(intake)
    assert (await ann.claim()).status_code in (200, 202)
    (await intake.ops.post("/ops/sales/sale/close")).raise_for_status()
    gone = await ann.claim()
    assert (gone.status_code, gone.json()["code"]) == (410, "room_over")


async def test_a_net_that_cannot_be_asked_is_as_its_sale_says(serve: Serve, line: Proxy) -> None:
    intake = await serve(room_redis_url=line.url, store_timeout_s=2)
    line.cut()
    await open_room(intake, "shut", room={"mode": "safety_net"})
    await open_room(intake, "free", room={"mode": "safety_net", "on_store_failure": "open"})
    assert (await intake.post("shut")).status_code == 503
    assert (await intake.post("free")).status_code == 202
