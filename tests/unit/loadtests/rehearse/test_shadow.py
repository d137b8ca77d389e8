"""A rehearsal stops by itself: when a sale that is on is in trouble, opens without leave, or its own lease is over."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from doorbuster.contract.fields import EARLIEST
from doorbuster.contract.night.rehearsal import LiveAccepting, RehearsalView, ShadowNow
from loadtests.rehearse import live_promise
from loadtests.rehearse import shadow as shadows
from loadtests.rehearse.live_promise import GaveWayError
from loadtests.rehearse.shadow import Shadow, StoppedError

NOW = ShadowNow(sale_id="rehearsal-1", products=["p"], has_room=False, partitions=1, backlog=0, drained=0, lag_s=0.0)


class OpsApi:
    """As much of the ops API as a rehearsal calls."""

    def __init__(self) -> None:
        self.beside: list[str] = []
        self.live: dict[str, Any] | None = {"alerts": [], "troubles": []}
        self.over = False
        self.accepting: LiveAccepting | None = None
        self.calls: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        if request.url.path.endswith("/live"):
            return httpx.Response(404) if self.live is None else httpx.Response(200, json=self.live)
        if request.method == "PATCH" and self.over:
            return httpx.Response(409, json={"detail": "rehearsal 1 is over", "code": "conflict"})
        view = RehearsalView(
            rehearsal_id=1, sale_id="friday", state="removed" if request.method == "DELETE" else "running",
            started_at=EARLIEST, lease_expires_at=EARLIEST, finished_at=None, removed_at=None, shadow_id="rehearsal-1",
            set_rate_per_s=10.0, result=None, shadow=NOW, beside=self.beside, live=self.accepting,
        )  # fmt: skip
        return httpx.Response(201 if request.method == "POST" else 200, content=msgspec.json.encode(view))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> OpsApi:
    monkeypatch.setattr(shadows, "LOOK_S", 0.01)
    monkeypatch.setattr(shadows, "WATCH_S", 0.0)
    monkeypatch.setattr(shadows, "BESIDE_LOOK_S", 0.01)
    return OpsApi()


def _shadow(api: OpsApi) -> Shadow:
    return Shadow(httpx.AsyncClient(transport=httpx.MockTransport(api.answer), base_url="http://ops"), "friday")


async def _stopped(shadow: Shadow) -> str:
    while not shadow.stopped:
        await shadow.look()
    return shadow.stopped


async def _given_up(shadow: Shadow) -> None:
    while True:
        await shadow.seen_anew()


@pytest.mark.parametrize(
    ("live", "said"),
    [
        ({"alerts": [{"name": "backlog", "summary": "orders wait too long"}], "troubles": []}, "orders wait too long"),
        ({"alerts": [], "troubles": ["the room does not answer"]}, "the room does not answer"),
    ],
)
async def test_it_stops_when_a_sale_that_is_on_is_in_trouble(api: OpsApi, live: dict[str, Any], said: str) -> None:
    api.beside = ["now"]
    shadow = _shadow(api)
    await shadow.begin(units=1, beside_live=True)
    await shadow.look()
    await shadow.look()
    assert shadow.stopped == ""
    api.live = live
    assert said in await _stopped(shadow)
    with pytest.raises(StoppedError, match=said):
        await shadow.calm(1.0)
    assert await shadow.end() == "removed"
    assert "GET /ops/sales/now/live" in api.calls


async def test_it_stops_when_a_sale_opens_that_nobody_said_it_may_be_beside(api: OpsApi) -> None:
    shadow = _shadow(api)
    await shadow.begin(units=1, beside_live=False)
    api.beside = ["now"]
    assert "opens soon" in await _stopped(shadow)
    assert await shadow.end() == "removed"


async def test_it_stops_when_its_lease_is_over(api: OpsApi) -> None:
    shadow = _shadow(api)
    await shadow.begin(units=1, beside_live=False)
    api.over = True
    assert "rehearsal 1 is over" in await _stopped(shadow)
    assert await shadow.end() == "removed"
    assert api.calls[-1] == "DELETE /ops/sales/friday/rehearsals/1"


async def test_it_gives_way_when_orders_of_a_sale_that_is_on_take_longer_than_before(api: OpsApi) -> None:
    api.beside, api.accepting = ["now"], LiveAccepting(orders=9_000, p99_ms=6.1, p99_ms_20s=6.0)
    shadow = _shadow(api)
    await shadow.begin(units=1, beside_live=True)
    assert shadow.promise.before_ms == 6.0
    with shadow.offering():
        await shadow.seen_anew()
        api.accepting = LiveAccepting(orders=9_000, p99_ms=7.0, p99_ms_20s=6.5)
        with pytest.raises(GaveWayError, match=r"'now'.*from 6.0 to 7.0 ms"):
            await _given_up(shadow)
    assert await shadow.end() == "removed"


async def test_what_an_order_takes_by_itself_is_measured_while_nothing_is_offered(
    api: OpsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_promise, "WINDOW_S", 0.05)
    api.beside, api.accepting = ["now"], LiveAccepting(orders=3, p99_ms=None, p99_ms_20s=None)
    shadow = _shadow(api)
    await shadow.begin(units=1, beside_live=True)
    with shadow.offering():
        api.accepting = LiveAccepting(orders=9_000, p99_ms=9.0, p99_ms_20s=9.0)
        for _ in range(10):
            await shadow.seen_anew()
        assert shadow.promise.before_ms is None, "that is with the load beside"
    api.accepting = LiveAccepting(orders=9_000, p99_ms=6.0, p99_ms_20s=8.0)
    await shadow.calm(5.0)
    assert shadow.promise.before_ms == 8.0
    assert await shadow.end() == "removed"
