"""The schedule of a sale by the ops API: what it takes, what it refuses and why, what it shows, and what is noted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fixtures.intake import Intake, Serve
from tests.fixtures.waiting import eventually
from tests.integration.intake.ops.test_change_log import log_of

START, END = "2099-01-01T10:00:00Z", "2099-01-01T12:00:00Z"
ROOM = {"mode": "always", "rate_per_s": 100}
HOUR = 3600.0
"""From now on: so late that nothing comes of it while a test runs, however slow the machine is."""


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def body(**more: Any) -> dict[str, Any]:
    return {"sale_id": "one", "products": [{"product_id": "hot"}], "starts_at": START, "ends_at": END} | more


def at(minute: int, **more: Any) -> dict[str, Any]:
    return {"at": f"2099-01-01T10:{minute:02}:00Z"} | more


async def make(intake: Intake, **more: Any) -> dict[str, Any]:
    await intake.make_product("hot", units=100)
    answer = await intake.ops.post("/ops/sales", json=body(**more))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def planned(intake: Intake, *entries: tuple[float, dict[str, Any]], kept: int | None = None) -> list[str]:
    """Add entries to what is kept of the sale's timeline, each so many seconds from now; return their moments."""

    async def add() -> list[str] | None:
        now = (await intake.ops.get("/ops/sales/one")).json()["timeline"][:kept]
        new = [{"at": soon(seconds)} | entry for seconds, entry in entries]
        answer = await intake.ops.patch("/ops/sales/one", json={"timeline": [*now, *new]})
        return [str(one["at"]) for one in new] if answer.status_code == 200 else None  # a slow machine: again

    return await eventually(add) or []


async def has_phase(intake: Intake, phase: str) -> bool:
    shown = (await intake.ops.get("/ops/sales/one")).json()
    return bool(shown["phase"] == shown["effective_phase"] == phase)


async def errors_of(intake: Intake, answer: Any) -> dict[str, str]:
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    return {one["field"]: one["problem"] for one in answer.json()["errors"]}


async def test_a_plan_is_kept_and_shown_with_its_defaults(intake: Intake) -> None:
    plan = [at(5, room={"rate_per_s": 300}), at(10, phase="hold", room={"message": "a moment"}), at(15, phase="open")]
    made = await make(intake, room=ROOM, timeline=plan, prewarm={"lead_s": 900, "scale": {"workers": 8}})
    assert made["timeline"] == plan
    assert made["prewarm"] == {"lead_s": 900, "scale": {"intake": None, "workers": 8}, "checks_at_s": [600, 120]}
    assert made["prewarm_lead_s"] == 900
    assert (await intake.ops.get("/ops/sales/one")).json()["timeline"] == plan
    changed = await intake.ops.patch("/ops/sales/one", json={"prewarm": {"checks_at_s": [60]}, "timeline": plan[:1]})
    assert changed.json()["prewarm"] == {"lead_s": 900, "scale": {"intake": None, "workers": 8}, "checks_at_s": [60]}
    assert changed.json()["timeline"] == plan[:1]
    again = await intake.ops.patch("/ops/sales/one", json={"prewarm_lead_s": 1800, "prewarm": {"checks_at_s": None}})
    assert again.json()["prewarm"]["checks_at_s"] == [1800, 600, 120]
    none = (await intake.ops.patch("/ops/sales/one", json={"prewarm": None, "timeline": None})).json()
    assert none["prewarm"] == {"lead_s": 1800, "scale": None, "checks_at_s": [1800, 600, 120]}
    assert none["timeline"] == []


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"timeline": [at(10, phase="hold"), at(5, phase="open")]}, "timeline[1].at"),
    ({"timeline": [at(10, phase="hold"), at(10, room={"burst": 5})]}, "timeline[1].at"),
    ({"timeline": [at(10)]}, "timeline[0]"),
    ({"timeline": [at(10, room={})]}, "timeline[0]"),
    ({"timeline": [{"at": "2099-01-01T12:00:00Z", "phase": "hold"}]}, "timeline[0].at"),
    ({"timeline": [{"at": "2099-01-01T12:30:00Z", "room": {"burst": 5}}]}, "timeline[0].at"),
    ({"timeline": [{"at": "2099-01-01T09:59:59Z", "phase": "hold"}]}, "timeline[0].at"),
    ({"timeline": [at(1, phase="hold"), at(2, phase="hold")]}, "timeline[1].phase"),
    ({"timeline": [at(1, phase="drain"), at(2, phase="open")]}, "timeline[1].phase"),
    ({"timeline": [at(1, phase="closed"), at(2, room={"burst": 5})]}, "timeline[1].at"),
    ({"timeline": [at(1, phase="ended")]}, "timeline[0].phase"),
    ({"timeline": [at(1, room={"lobby_opens_at": START})]}, "timeline[0].room.lobby_opens_at"),
    ({"timeline": [at(1, room={"beacon": "x"})]}, "timeline[0].room.beacon"),
    ({"timeline": [at(1, room={"rate_per_s": 0})]}, "timeline[0].room.rate_per_s"),
    ({"timeline": [at(1, room={"speed": 1})]}, "timeline[0].room.speed"),
    ({"timeline": [{"at": "soon", "phase": "hold"}]}, "timeline[0].at"),
    ({"timeline": [at(1, phase="hold", colour="red")]}, "timeline[0].colour"),
    ({"timeline": [at(n % 60, phase="hold") for n in range(101)]}, "timeline"),
    ({"prewarm": {"lead_s": 300, "checks_at_s": [600]}}, "prewarm.checks_at_s[0]"),
    ({"prewarm": {"checks_at_s": [600, 600]}}, "prewarm.checks_at_s[1]"),
    ({"prewarm": {"checks_at_s": [120, 600]}}, "prewarm.checks_at_s[1]"),
    ({"prewarm": {"lead_s": -1}}, "prewarm.lead_s"),
    ({"prewarm": {"scale": {"intake": 0}}}, "prewarm.scale.intake"),
    ({"prewarm": {"lead_s": 5}, "prewarm_lead_s": 6}, "prewarm_lead_s"),
    ({"room": ROOM | {"lobby_opens_at": "2099-01-01T10:00:01Z"}}, "room.lobby_opens_at"),
    ({"ends_at": "2099-01-01T09:00:00Z"}, "ends_at"),
]


async def test_what_cannot_be_is_refused_by_field_and_index(intake: Intake) -> None:
    await intake.make_product("hot")
    for more, field in REFUSED:
        answer = await intake.ops.post("/ops/sales", json=body(**more))
        assert field in await errors_of(intake, answer), answer.text
    assert (await intake.ops.get("/ops/sales/one")).status_code == 404


async def test_orders_stop_and_go_on_by_the_plan_and_every_place_says_so(intake: Intake) -> None:
    """Without a scheduler: none runs here."""
    await make(intake, starts_at=soon(-60))
    assert (await intake.post("one")).status_code == 202
    _, resume = await planned(intake, (1.0, {"phase": "hold"}), (HOUR, {"phase": "open"}))

    async def phases() -> set[str]:
        ops = (await intake.ops.get("/ops/sales/one")).json()
        status = (await intake.ops.get("/ops/status")).json()["sales"]
        shown = (await intake.http.get("/sales/one")).json()
        return {ops["phase"], ops["effective_phase"], shown["phase"], *(one["phase"] for one in status)}

    async def all_say(phase: str) -> bool:
        return await phases() == {phase}

    await eventually(lambda: all_say("hold"))
    refused = (await intake.post("one")).json()
    assert (refused["code"], refused["phase"]) == ("sale_not_open", "hold")
    assert datetime.fromisoformat(refused["resumes_at"]) == datetime.fromisoformat(resume)
    assert "resumes_at" in (await intake.http.get("/sales/one")).json()
    await planned(intake, (0.5, {"phase": "open"}), kept=1)
    await eventually(lambda: all_say("open"))
    assert (await intake.post("one")).status_code == 202
    assert "resumes_at" not in (await intake.http.get("/sales/one")).json()


async def test_an_intake_that_starts_after_the_moment_knows_of_it(intake: Intake, serve: Serve) -> None:
    await make(intake, starts_at=soon(-60), timeline=[{"at": soon(-30), "phase": "hold"}])
    late = await serve("public")
    assert (await late.post("one")).json()["phase"] == "hold"
    assert (await late.http.get("/sales/one")).json()["phase"] == "hold"


async def test_ops_win_until_the_plan_names_a_phase_again(intake: Intake) -> None:
    await make(intake, starts_at=soon(-60))
    await planned(intake, (0.5, {"phase": "hold"}), (HOUR, {"phase": "open"}))
    await eventually(lambda: has_phase(intake, "hold"))
    assert (await intake.ops.post("/ops/sales/one/resume")).json()["phase"] == "open"
    assert (await intake.post("one")).status_code == 202
    assert (await intake.ops.post("/ops/sales/one/hold")).json()["phase"] == "hold"
    assert (await intake.post("one")).json()["phase"] == "hold"
    await planned(intake, (0.5, {"phase": "open"}), kept=1)
    await eventually(lambda: has_phase(intake, "open"))
    assert (await intake.post("one")).status_code == 202
    # A drain is not taken back by the plan.
    (hold,) = await planned(intake, (1.0, {"phase": "hold"}))
    assert (await intake.ops.post("/ops/sales/one/drain")).json()["phase"] == "drain"
    await asyncio.sleep((datetime.fromisoformat(hold) - datetime.now(UTC)).total_seconds() + 0.1)
    assert (await intake.post("one")).json()["phase"] == "drain"


async def test_the_plan_closes_for_good(intake: Intake) -> None:
    await make(intake, starts_at=soon(-60), timeline=[{"at": soon(0.8), "phase": "closed"}])
    await eventually(lambda: has_phase(intake, "closed"))
    assert (await intake.post("one")).json()["phase"] == "closed"
    assert (await intake.ops.post("/ops/sales/one/open")).json()["code"] == "conflict"
    assert (await intake.ops.post("/ops/sales/one/close")).json()["phase"] == "closed"
    # Closed, its products may change their currency.
    renamed = {"name": "hot", "brand": "Acme", "category": "things", "price": 100, "currency": "USD"}
    assert (await intake.ops.put("/ops/products/hot", json=renamed)).status_code == 200


async def test_the_room_changes_by_the_plan_and_a_change_of_ops_stands_on_it(intake: Intake) -> None:
    await make(intake, starts_at=soon(-60), room=ROOM)
    slow, later = {"rate_per_s": 7, "message": "slow"}, {"message": None, "rate_per_s": 9}
    await planned(intake, (0.5, {"room": slow}), (3600, {"room": later}))

    async def is_slow() -> bool:
        return bool((await intake.http.get("/sales/one/room")).json()["message"] == "slow")

    await eventually(is_slow)
    assert (await intake.ops.get("/ops/sales/one")).json()["room"] == ROOM | {"rate_per_s": 7, "message": "slow"}
    changed = await intake.ops.patch("/ops/sales/one", json={"room": {"rate_per_s": 8}})
    assert changed.json()["room"] == ROOM | {"rate_per_s": 8, "message": "slow"}
    assert (await intake.http.get("/sales/one/room")).json()["message"] == "slow"
    assert len(changed.json()["timeline"]) == 2


async def test_the_mode_changes_by_the_plan(intake: Intake) -> None:
    await make(intake, starts_at=soon(-60))
    assert (await intake.post("one")).status_code == 202
    await planned(intake, (0.5, {"room": {"mode": "always"}}))

    async def refused() -> str | None:
        answer = await intake.post("one")
        return None if answer.status_code == 202 else str(answer.json()["code"])

    assert await eventually(refused) == "admission_required"
    assert (await intake.http.get("/sales/one")).json()["room"]["mode"] == "always"


async def test_what_has_applied_stays_as_it_was(intake: Intake) -> None:
    first, later = {"at": soon(-30), "room": {"burst": 5}}, {"at": soon(3600), "room": {"burst": 6}}
    await make(intake, starts_at=soon(-60), timeline=[first, later])

    async def patched(**change: Any) -> dict[str, str]:
        return await errors_of(intake, await intake.ops.patch("/ops/sales/one", json=change))

    assert "timeline" in await patched(timeline=[])
    assert "timeline[0]" in await patched(timeline=[later])
    assert "timeline[0]" in await patched(timeline=[first | {"room": {"burst": 7}}, later])
    assert "timeline[1].at" in await patched(timeline=[first, {"at": soon(-20), "room": {"burst": 7}}])
    assert "timeline[1].at" in await patched(ends_at=soon(1800))
    assert (await intake.ops.patch("/ops/sales/one", json={"timeline": [first]})).status_code == 200
    assert (await intake.ops.patch("/ops/sales/one", json={"starts_at": soon(-50)})).status_code == 200
    assert (await intake.post("one")).status_code == 202
    assert "starts_at" in await patched(starts_at=soon(-40))


async def test_the_log_has_each_changed_field_as_it_was_and_is(intake: Intake) -> None:
    await make(intake, room=ROOM, timeline=[at(5, room={"rate_per_s": 300})], name="One")
    change = {"name": "Two", "room": {"rate_per_s": 50, "burst": 9}, "timeline": []}
    assert (await intake.ops.patch("/ops/sales/one", json=change)).status_code == 200
    noted = (await log_of(intake, target="sale:one"))[0]["change"]
    assert noted == change | {
        "before": {
            "name": "One",
            "room": {"rate_per_s": 100, "burst": None},
            "timeline": [at(5, room={"rate_per_s": 300})],
        }
    }


async def test_a_copy_has_the_terms_and_moves_all_times_with_the_start(intake: Intake) -> None:
    room = ROOM | {"lobby_opens_at": "2099-01-01T09:00:00Z", "beacon": "dice", "burst": 9}
    room |= {"access_codes": [{"code": "friends-of-ours", "quota": 5}]}
    plan = [at(5, room={"rate_per_s": 300}), at(10, phase="hold")]
    offered = {"product_id": "hot", "price": 50, "quantity": 10, "limits": {"customer": 2, "card": 3}}
    made = await make(
        intake, room=room, timeline=plan, prewarm={"lead_s": 900}, payment="none", products=[offered], hold_s=60
    )
    answer = await intake.ops.post("/ops/sales/one/clone", json={"sale_id": "two", "starts_at": "2099-02-01T20:00:00Z"})
    assert (answer.status_code, answer.headers["location"]) == (201, "/ops/sales/two")
    copy = answer.json()
    assert (copy["starts_at"], copy["ends_at"]) == ("2099-02-01T20:00:00Z", "2099-02-01T22:00:00Z")
    assert copy["room"] == ROOM | {"lobby_opens_at": "2099-02-01T19:00:00Z", "burst": 9}
    assert [one["at"] for one in copy["timeline"]] == ["2099-02-01T20:05:00Z", "2099-02-01T20:10:00Z"]
    same = ("products", "prewarm", "payment", "hold_s", "name", "partitions", "standby_max")
    assert {name: copy[name] for name in same} == {name: made[name] for name in same}
    assert copy["effective_phase"] == "scheduled"
    documents = [(await intake.http.get(f"/sales/{one}/room")).json() for one in ("one", "two")]
    assert documents[0]["commitment"] != documents[1]["commitment"]
    noted = (await log_of(intake, target="sale:two"))[0]
    assert (noted["action"], noted["change"]["clone_of"]) == ("create", "one")
    again = await intake.ops.post("/ops/sales/one/clone", json={"sale_id": "two"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await intake.ops.post("/ops/sales/none/clone", json={"sale_id": "x"})).json()["code"] == "sale_not_found"
    wrong = await intake.ops.post("/ops/sales/one/clone", json={"sale_id": "x", "ends_at": "2099-01-01T10:06:00Z"})
    assert "timeline[1].at" in await errors_of(intake, wrong)


async def test_a_copy_of_a_sale_that_began_waits_until_somebody_says_when(intake: Intake) -> None:
    begun = {"starts_at": soon(-60), "ends_at": soon(600)}
    await make(intake, **begun, timeline=[{"at": soon(60), "phase": "hold", "room": {"burst": 5}}])
    copy = (await intake.ops.post("/ops/sales/one/clone", json={"sale_id": "two"})).json()
    assert (copy["phase"], copy["effective_phase"]) == ("hold", "hold")
    assert ["phase" in one for one in copy["timeline"]] == [False]
    assert (await intake.post("two")).json()["phase"] == "hold"
