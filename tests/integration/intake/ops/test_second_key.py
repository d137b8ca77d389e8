"""Verbs that take the key of a second person: another one, that may steer; both are noted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from doorbuster.errors import SettingsError
from doorbuster.settings import Settings, load_settings
from tests.fixtures.intake import Intake, Serve
from tests.integration.intake.ops.test_keys import bearer, made, said


@pytest.fixture
async def guarded(serve: Serve) -> Intake:
    intake = await serve(ops_second_key_for=("close", "drain", "revoke"))
    await intake.open_sale("sale")
    return intake


async def do(intake: Intake, verb: str, second: str | None, **headers: str) -> httpx.Response:
    sent = headers | ({} if second is None else {"Ops-Second-Key": second})
    return await intake.ops.post(f"/ops/sales/sale/{verb}", headers=sent)


async def phase(intake: Intake) -> str:
    found: str = (await intake.ops.get("/ops/sales/sale")).json()["phase"]
    return found


async def test_one_person_alone_cannot(guarded: Intake, settings: Settings) -> None:
    own = settings.ops_key.get_secret_value()
    eyes = await made(guarded, "eyes", "view")
    for verb in ("close", "drain", "room/revoke"):
        for second in (None, "", "wrong", "dbops_wrong", own, eyes["key"]):
            answer = await do(guarded, verb, second)
            assert said(answer) == (403, "second_key_required"), (verb, second)
    assert await phase(guarded) == "open"
    log = (await guarded.ops.get("/ops/audit", params={"target": "sale:sale"})).json()["items"]
    assert [one["action"] for one in log] == ["create"]


async def test_a_plan_that_closes_takes_the_role_that_closing_takes(intake: Intake) -> None:
    await intake.open_sale("sale")
    steers = bearer(await made(intake, "steers", "operate"))
    close, hold = ({"at": f"2050-01-0{day}T00:00:00Z", "phase": phase} for day, phase in ((2, "closed"), (1, "hold")))

    async def plan(*entries: dict[str, str], **headers: str) -> httpx.Response:
        return await intake.ops.patch("/ops/sales/sale", json={"timeline": entries}, headers=headers)

    assert said(await intake.ops.post("/ops/sales/sale/close", headers=steers)) == (403, "role_required")
    assert said(await plan(close, **steers)) == (403, "role_required")
    assert (await intake.ops.get("/ops/sales/sale")).json()["timeline"] == []
    assert (await plan(hold, **steers)).status_code == 200
    assert (await plan(close)).status_code == 200, "an admin's"
    assert (await plan(hold, close, **steers)).status_code == 200, "what stands already may stay"
    assert said(await plan(close | {"at": "2049-01-01T00:00:00Z"}, **steers)) == (403, "role_required")


async def test_two_can_and_both_are_noted(guarded: Intake) -> None:
    second = await made(guarded, "second", "operate")
    assert (await do(guarded, "drain", second["key"])).status_code == 200
    assert await phase(guarded) == "drain"
    [entry, _] = (await guarded.ops.get("/ops/audit", params={"target": "sale:sale"})).json()["items"]
    assert (entry["action"], entry["key_name"]) == ("drain", "OPS_KEY")
    assert entry["change"] == {"phase": "drain", "second_key": "second"}
    assert second["key"] not in str(entry)


async def test_a_plan_or_a_new_end_is_no_way_around_it(guarded: Intake) -> None:
    sent = {"Ops-Second-Key": (await made(guarded, "second", "operate"))["key"]}
    at = "2050-01-01T00:00:00Z"
    for change in (
        {"timeline": [{"at": at, "phase": "closed"}]},
        {"timeline": [{"at": at, "phase": "drain"}]},
        {"ends_at": at},
    ):
        assert said(await guarded.ops.patch("/ops/sales/sale", json=change)) == (403, "second_key_required")
        body = change | {"timeline": []} if "ends_at" in change else change
        answer = await guarded.ops.patch("/ops/sales/sale", json=body, headers=sent)
        assert answer.status_code == 200, answer.text
        entry = (await guarded.ops.get("/ops/audit", params={"target": "sale:sale"})).json()["items"][0]
        assert entry["change"]["second_key"] == "second"


async def test_changes_that_end_nothing_take_none(guarded: Intake) -> None:
    hold = {"timeline": [{"at": "2050-01-01T00:00:00Z", "phase": "hold"}], "ends_at": None, "name": "x"}
    assert (await guarded.ops.patch("/ops/sales/sale", json=hold)).status_code == 200


async def test_the_key_of_the_settings_can_be_the_second(guarded: Intake, settings: Settings) -> None:
    first = await made(guarded, "first", "admin")
    sent = bearer(first) | {"Ops-Second-Key": settings.ops_key.get_secret_value()}
    assert (await guarded.http.post("/ops/sales/sale/close", headers=sent)).status_code == 200
    [entry, _] = (await guarded.ops.get("/ops/audit", params={"target": "sale:sale"})).json()["items"]
    assert (entry["key_name"], entry["change"]["second_key"]) == ("first", "OPS_KEY")


async def test_the_role_of_the_first_counts_all_the_same(guarded: Intake, settings: Settings) -> None:
    first = await made(guarded, "first", "operate")
    sent = bearer(first) | {"Ops-Second-Key": settings.ops_key.get_secret_value()}
    assert said(await guarded.http.post("/ops/sales/sale/close", headers=sent)) == (403, "role_required")


async def test_what_is_not_named_takes_none(guarded: Intake) -> None:
    assert (await do(guarded, "hold", None)).status_code == 200
    assert (await do(guarded, "resume", "nonsense")).status_code == 200


@pytest.mark.usefixtures("no_try_earned")
async def test_guessing_the_second_is_bounded_like_the_first(serve: Serve) -> None:
    intake = await serve(ops_second_key_for=("close",), ops_tries_per_address=2, trusted_proxies=("127.0.0.0/8",))
    await intake.open_sale("sale")
    them = {"X-Forwarded-For": "203.0.113.9"}
    tried = [await do(intake, "close", "wrong", **them) for _ in range(3)]
    assert [answer.status_code for answer in tried] == [403, 403, 429]


async def test_the_page_is_told_what_takes_one(guarded: Intake) -> None:
    shown = (await guarded.ops.get("/ops/session")).json()
    assert shown["second_key_for"] == ["close", "drain", "revoke"]
    assert shown["csrf"] is None


@pytest.mark.parametrize(("value", "wanted"), [("close,drain", ("close", "drain")), ("", ()), (" hold ", ("hold",))])
def test_the_setting_is_a_list_of_verbs(settings: Settings, value: str, wanted: Any) -> None:
    assert load_settings(**(settings.model_dump() | {"ops_second_key_for": value})).ops_second_key_for == wanted


def test_a_verb_that_there_is_not_is_told(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="OPS_SECOND_KEY_FOR: must be of open, hold"):
        load_settings(**(settings.model_dump() | {"ops_second_key_for": "close,shut"}))
