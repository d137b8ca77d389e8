"""`GET /ops/sales/{sale}/live`: its figures against what was really done."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from redis.asyncio import Redis

from db.connections.pool import Connection
from doorbuster import keys
from doorbuster.settings import Settings
from intake.monitoring.alerts.evaluator import FiringAlert
from intake.monitoring.alerts.watcher import AlertWatcher
from intake.ops.live import desk, samples
from intake.ops.live.looks import Looks
from intake.room import cache as room_cache
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.turns import Watch
from tests.fixtures.visitors import Visitor
from tests.fixtures.waiting import eventually

Shown = dict[str, Any]
SECOND = desk.EVERY_S


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let half a second pass between two looks: still more than the least that a rate is told from."""
    monkeypatch.setattr(desk, "EVERY_S", 0.5)
    monkeypatch.setattr(room_cache, "STALE_S", 1.5)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody look but who asks: the process's own look has a rate, too, that is gone before a slow one asks."""
    monkeypatch.setattr(desk, "SAMPLED_MAX", 0)
    monkeypatch.setattr(samples, "GAP_S", 60.0)


async def look(intake: Intake, sale: str = "sale", **query: Any) -> Shown:
    answer = await intake.ops.get(f"/ops/sales/{sale}/live", params=query)
    assert answer.status_code == 200, answer.text
    said: Shown = answer.json()
    return said


async def rate_seen(intake: Intake, field: str) -> Shown:
    """Look until a rate is above nought; return what is shown then."""

    async def seen() -> Shown | None:
        said = await look(intake)
        return said if said[field] else None

    found = await eventually(seen, what=field)
    assert found is not None
    return found


async def events(intake: Intake, count: int, **query: Any) -> AsyncIterator[Shown]:
    """Yield the first events of a stream."""
    accept = {"Accept": "text/event-stream"}
    async with intake.ops.stream("GET", "/ops/sales/sale/live", params=query, headers=accept) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))
                count -= 1
                if not count:
                    return


@pytest.mark.usefixtures("alone")
async def test_it_says_what_was_accepted_and_waits(intake: Intake) -> None:
    await intake.open_sale("sale", "lamp")
    first = await look(intake)
    assert (first["phase"], first["backlog"], first["backlog_s"]) == ("open", 0, 0)
    assert (first["room"]["why"], first["go"], first["alerts"], first["troubles"]) == ("off", None, [], [])
    assert (first["waiting"], first["called"], first["active"]) == (None, None, None)
    await intake.make_product("lamp", units=5)
    for _ in range(3):
        await intake.post("sale", lines=[{"product_id": "lamp", "quantity": 1}])
    second = await rate_seen(intake, "accepted_per_s")
    assert second["accepted_per_s"] <= 15
    assert second["backlog"] == 3
    assert second["backlog_s"] > 0
    assert second["confirmed_per_s"] == 0
    assert second["stock"] == {"lamp": 5}
    assert second["products"] == [
        {"product_id": "lamp", "name": "lamp", "received": 5, "left": 5, "reserved": 0, "sold": 0}
    ]
    assert second["payments"] == {"due": 0, "failing": 0}


async def test_rates_add_up_to_what_was_done_whichever_process_is_asked(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "EVERY_S", SECOND)  # a look too near the one before tells no rate, and its orders lack
    here, there = await serve(), await serve()
    await here.open_sale("sale", "lamp")
    await asyncio.gather(look(here), look(there))
    for number in range(20):
        await (here, there)[number % 2].post("sale", lines=[{"product_id": "lamp", "quantity": 1}])
    for intake in (here, there):

        async def total(intake: Intake = intake) -> float | None:
            past = (await look(intake, history_s=60))["history"]
            known = [one for one in past if one["accepted_per_s"] is not None]
            ends = [None, *(one["at"] for one in past)]
            spans = {one["at"]: _seconds(ends[place], one["at"]) for place, one in enumerate(past)}
            return sum(one["accepted_per_s"] * spans[one["at"]] for one in known) or None

        async def all_seen() -> bool:
            return (await total() or 0) > 19

        await eventually(all_seen, what="the orders to be in the history")
        assert await total() == pytest.approx(20, rel=0.1)

        async def all_wait(intake: Intake = intake) -> bool:
            return bool((await look(intake))["backlog"] == 20)

        await eventually(all_wait, what="a look of this process")


def _seconds(earlier: str | None, later: str) -> float:
    return 0.0 if earlier is None else (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


@pytest.mark.usefixtures("alone")
async def test_confirmed_orders_and_payments(intake: Intake, db: Connection) -> None:
    await intake.open_sale("sale", "lamp")
    await look(intake)
    await db.execute(_CONFIRMED)
    seen = await rate_seen(intake, "confirmed_per_s")
    assert seen["confirmed_per_s"] <= 3 / 0.2


_CONFIRMED = """
insert into order_events (order_id, seq, status, at)
select (lpad(to_hex(s.sale_number), 6, '0') || '00-0000-8000-8000-00000000000' || n)::uuid, 2, 'confirmed', now()
  from sales s cross join generate_series(1, 3) as n;
"""


async def test_the_room_and_who_is_in_it(intake: Intake) -> None:
    await intake.open_sale("sale", room={"mode": "always", "rate_per_s": 2, "burst": 2})
    visitors = [Visitor(intake, "sale", f"v-{number}") for number in range(5)]
    for visitor in visitors:
        await visitor.join()
    await visitors[0].admitted()

    async def seen() -> Shown | None:
        said = await look(intake)
        return said if said["active"] == 1 else None

    said = await eventually(seen)
    assert said is not None
    assert said["waiting"] + said["called"] == 4
    assert said["room"]["mode"] == "always"
    assert (said["room"]["set_rate_per_s"], said["room"]["why"]) == (2, "set")


async def test_refusals_of_the_last_minute_by_code(intake: Intake) -> None:
    await intake.open_sale("sale", room={"mode": "always"})
    await intake.post("sale")
    await intake.post("sale", lines=[])

    async def seen() -> bool:
        return (await look(intake))["refusals"] == {"admission_required": 1, "invalid": 1}

    await eventually(seen)


async def test_all_who_listen_share_one_look(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    plain = Looks.look

    async def counted(self: Looks, *arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        return await plain(self, *arguments)

    monkeypatch.setattr(Looks, "look", counted)
    await intake.open_sale("sale")
    began = time.monotonic()

    async def listened() -> list[str]:
        heard = [event async for event in events(intake, 4, history_s=900)]
        assert ["history" in one for one in heard] == [True, False, False, False]
        return [one["at"] for one in heard]

    heard = await asyncio.gather(*(listened() for _ in range(10)))
    elapsed_s = time.monotonic() - began
    assert SECOND == 1.0, "an event a second is promised"
    assert looks <= elapsed_s / desk.EVERY_S + 2
    assert len({moment for one in heard for moment in one}) <= looks
    assert elapsed_s >= desk.EVERY_S, "a look that was late is followed by the next in its time"

    async def nobody_listens() -> bool:
        return intake.guard.waiting == 0

    await eventually(nobody_listens)


async def test_the_past_outlives_an_intake_and_a_missing_second_is_a_gap(serve: Serve, jobs_redis: Redis) -> None:
    first = await serve()
    number = (await first.open_sale("sale"))["sale_number"]

    async def a_past() -> list[Shown] | None:
        past: list[Shown] = (await look(first, history_s=900))["history"]
        return past if len(past) >= 3 else None

    before = await eventually(a_past)
    assert before is not None
    first.stop()
    middle: Any = await jobs_redis.lindex(keys.sale_live(number), 1)
    await jobs_redis.lrem(keys.sale_live(number), 1, middle)
    second = await serve()
    past = [one["at"] for one in (await look(second, history_s=900))["history"]]
    assert [one["at"] in past for one in before[:3]] == [True, False, True], (before, past)


async def test_only_one_process_writes_the_past(serve: Serve, jobs_redis: Redis) -> None:
    here, there = await serve(), await serve()
    number = (await here.open_sale("sale"))["sale_number"]
    began = time.monotonic()

    async def both_looked() -> bool:
        await asyncio.gather(look(here), look(there))
        return int(await jobs_redis.llen(keys.sale_live(number))) >= 3

    await eventually(both_looked)
    assert await jobs_redis.llen(keys.sale_live(number)) <= (time.monotonic() - began) / desk.EVERY_S + 2
    assert 0 < await jobs_redis.ttl(keys.sale_live(number)) <= 3_600


async def test_what_cannot_be_shown_is_refused(intake: Intake) -> None:
    for bad in ("0", "901", "-1", "x", "1.5"):
        answer = await intake.ops.get("/ops/sales/sale/live", params={"history_s": bad})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "history_s")
    answer = await intake.ops.get("/ops/sales/none/live")
    assert (answer.status_code, answer.json()["code"]) == (404, "sale_not_found")


STORES = {
    "database_url": ("Postgres does not answer", ["stock", "products", "payments", "payments_failing"]),
    "orders_redis_url": ("the order store does not answer", ["accepted_per_s", "backlog", "backlog_s"]),
    "room_redis_url": ("the room's store does not answer", ["waiting", "called", "active", "refusals"]),
}


@pytest.mark.parametrize("setting", STORES)
async def test_a_store_that_is_away_is_named_and_its_figures_are_unknown(
    serve: Serve, settings: Settings, setting: str
) -> None:
    with Proxy(getattr(settings, setting).get_secret_value()) as network:
        intake = await serve(**{setting: network.url}, store_timeout_s=1)
        await intake.open_sale("sale", room={"mode": "always"})

        async def is_seen() -> bool:
            return not (await look(intake))["troubles"]

        await eventually(is_seen)
        network.cut()
        words, unknown = STORES[setting]

        async def is_told() -> Shown | None:
            watch = Watch()
            said = await look(intake)
            assert watch.elapsed_s() < 8
            return (
                said
                if said["troubles"] == [words] and said["waiting" if "room" in setting else "name"] is None
                else None
            )

        said = await eventually(is_told, within_s=30)
        assert said is not None
        assert {name: said[name] for name in unknown} == dict.fromkeys(unknown)
        known = {name for _, names in STORES.values() for name in names} - set(unknown) - {"accepted_per_s"}
        assert not [name for name in known if said[name] is None]
        network.mend()
        await eventually(is_seen, within_s=30)


async def test_alerts_that_fire_are_told(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"name": "DrainLate", "severity": "page", "summary": "late", "runbook": "docs/runbook.md#x"}
    firing = FiringAlert(since=1_800_000_000.0, **told)
    monkeypatch.setattr(AlertWatcher, "firing", [firing])
    await intake.open_sale("sale")
    said = await look(intake)
    assert said["alerts"] == [told | {"since": "2027-01-15T08:00:00Z"}]
    assert (said["go"], said["go_at"], said["no_go"]) == (None, None, [])


async def test_a_process_that_was_never_asked_knows_the_rates_from_what_another_wrote(serve: Serve) -> None:
    here, there = await serve(), await serve()
    await here.open_sale("sale")
    await rate_known(here)
    assert (await look(there))["accepted_per_s"] == 0


async def rate_known(intake: Intake) -> None:
    async def known() -> bool:
        return (await look(intake))["accepted_per_s"] is not None

    await eventually(known)
