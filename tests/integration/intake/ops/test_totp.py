"""A key's second factor: made by an admin, confirmed by a code, asked for at signing in; each code is good once."""

from __future__ import annotations

import base64
import time
from typing import Any

import httpx
import pyotp
import pytest

from db.connections.pool import Connection
from intake.ops.session import totp as second_factor
from tests.fixtures.intake import Intake
from tests.integration.intake.ops.test_keys import bearer, made, said

STEP_S = second_factor.STEP_S


class Factor:
    """A key with a second factor, and an authenticator whose clock the test turns."""

    def __init__(self, intake: Intake, key: dict[str, Any], shown: dict[str, Any]) -> None:
        self.intake, self.key, self.shown = intake, key, shown
        self.otp = pyotp.TOTP(shown["secret"])
        self.path = f"/ops/keys/{key['key_id']}/totp"

    def code(self, steps: int = 0) -> str:
        return self.otp.at(int(time.time()) + steps * STEP_S)

    async def confirm(self, steps: int = 0) -> httpx.Response:
        return await self.intake.ops.post(f"{self.path}/confirm", json={"code": self.code(steps)})

    async def sign_in(self, code: str | None = None) -> httpx.Response:
        body = {"key": self.key["key"]} | ({} if code is None else {"totp": code})
        return await self.intake.http.post("/ops/session", json=body)


@pytest.fixture
async def factor(intake: Intake) -> Factor:
    key = await made(intake, "night", "operate")
    answer = await intake.ops.post(f"/ops/keys/{key['key_id']}/totp")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    return Factor(intake, key, answer.json())


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time step end while a test is in it."""
    now = int(time.time()) // STEP_S * STEP_S + STEP_S / 2
    monkeypatch.setattr(second_factor.time, "time", lambda: now)


async def state_of(intake: Intake) -> str:
    [key] = (await intake.ops.get("/ops/keys")).json()["items"]
    found: str = key["totp"]
    return found


async def test_a_secret_is_shown_once_as_text_address_and_code(factor: Factor, db: Connection) -> None:
    shown = factor.shown
    assert len(base64.b32decode(shown["secret"])) == 20
    parsed = pyotp.parse_uri(shown["uri"])
    assert (parsed.secret, parsed.issuer, parsed.name) == (shown["secret"], "Doorbuster", "night")
    size = len(shown["qr"])
    assert size >= 21
    assert all(len(row) == size and set(row) <= {"0", "1"} for row in shown["qr"])
    assert shown["qr"][0].startswith("1111111")  # a corner of every such code
    [row] = await db.fetch("select * from ops_keys")
    assert shown["secret"] not in str(dict(row))
    assert base64.b32decode(shown["secret"]) != row["totp_salt"]  # who reads the database alone knows no code


async def test_nothing_is_asked_for_until_a_code_confirmed_it(factor: Factor) -> None:
    assert await state_of(factor.intake) == "unconfirmed"
    assert (await factor.sign_in()).status_code == 201
    wrong = "000000" if factor.code() != "000000" else "000001"
    refused = await factor.intake.ops.post(f"{factor.path}/confirm", json={"code": wrong})
    assert said(refused) == (401, "totp_invalid")
    assert (await factor.confirm()).status_code == 204
    assert await state_of(factor.intake) == "on"
    assert said(await factor.sign_in()) == (401, "totp_required")


async def test_a_code_is_good_once_and_none_before_it_is_afterwards(factor: Factor) -> None:
    await factor.confirm(-1)
    now = factor.code()
    assert said(await factor.sign_in(factor.code(-1))) == (401, "totp_invalid")  # it was shown at the confirmation
    assert (await factor.sign_in(now)).status_code == 201
    replayed = await factor.sign_in(now)
    assert said(replayed) == (401, "totp_invalid")
    assert "used already" in replayed.json()["detail"]
    assert "set-cookie" not in replayed.headers
    assert (await factor.sign_in(factor.code(1))).status_code == 201  # of a clock that is ahead
    assert said(await factor.sign_in(now)) == (401, "totp_invalid")


async def test_codes_of_other_times_are_not_good(factor: Factor) -> None:
    await factor.confirm(-1)
    for steps in (-2, 2, 100):
        assert said(await factor.sign_in(factor.code(steps))) == (401, "totp_invalid")


@pytest.mark.usefixtures("no_try_earned")
async def test_guessing_codes_is_bounded_also_where_the_address_stands_for_many(factor: Factor) -> None:
    await factor.confirm(-1)
    wrong = next(code for code in ("000000", "000001", "000002") if code not in [factor.code(i) for i in (-1, 0, 1)])
    tried = [await factor.sign_in(wrong) for _ in range(second_factor.TRIES_PER_MINUTE + 2)]
    codes = [said(answer)[1] for answer in tried]
    assert codes == ["totp_invalid"] * second_factor.TRIES_PER_MINUTE + ["rate_limited"] * 2
    right = await factor.sign_in(factor.code())
    assert said(right) == (429, "rate_limited")
    assert int(right.headers["retry-after"]) >= 1


async def test_a_wrong_key_is_not_told_whether_it_has_a_second_factor(factor: Factor) -> None:
    await factor.confirm(-1)
    answer = await factor.intake.http.post("/ops/session", json={"key": "dbops_wrong", "totp": factor.code()})
    assert said(answer) == (401, "ops_key_required")


async def test_an_admin_takes_it_off_and_no_other(factor: Factor) -> None:
    await factor.confirm()
    for method in ("POST", "DELETE"):
        refused = await factor.intake.http.request(method, factor.path, headers=bearer(factor.key))
        assert said(refused) == (403, "role_required")
    assert (await factor.intake.ops.delete(factor.path)).status_code == 204
    assert (await factor.intake.ops.delete(factor.path)).status_code == 204
    assert (await factor.sign_in()).status_code == 201
    log = (await factor.intake.ops.get("/ops/audit")).json()["items"]
    assert [one["action"] for one in log] == ["remove_totp", "confirm_totp", "make_totp", "make"]
    assert factor.shown["secret"] not in str(log)


async def test_a_new_one_takes_the_place_of_the_one_before(factor: Factor) -> None:
    await factor.confirm(-1)
    again = Factor(factor.intake, factor.key, (await factor.intake.ops.post(factor.path)).json())
    assert again.shown["secret"] != factor.shown["secret"]
    assert (await again.confirm()).status_code == 204
    assert said(await again.sign_in(factor.code(1))) == (401, "totp_invalid")
    assert (await again.sign_in(again.code(1))).status_code == 201


async def test_calls_with_the_key_itself_take_no_code(factor: Factor) -> None:
    await factor.confirm()
    assert (await factor.intake.http.get("/ops/sales", headers=bearer(factor.key))).status_code == 200


async def test_a_key_that_is_not_there_gets_none(intake: Intake) -> None:
    for key in ("0", "999", "x", "1" * 30):
        assert said(await intake.ops.post(f"/ops/keys/{key}/totp")) == (404, "not_found")
        confirmed = await intake.ops.post(f"/ops/keys/{key}/totp/confirm", json={"code": "123456"})
        assert said(confirmed) == (404, "not_found")


async def test_a_revoked_key_gets_none(factor: Factor) -> None:
    await factor.intake.ops.delete(f"/ops/keys/{factor.key['key_id']}")
    assert said(await factor.intake.ops.post(factor.path)) == (404, "not_found")
