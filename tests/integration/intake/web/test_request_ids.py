"""Every request has an id: its own or one that is made, in the answer, in problems, and in each of its log lines."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from redis.exceptions import RedisError

from doorbuster.log import configure
from tests.fixtures.intake import Intake

INSANE = ["", "x" * 101, "two words", "ümlaut".encode(), 'a"b']


@pytest.fixture
def lines(intake: Intake) -> io.StringIO:
    """What is logged from here on."""
    stream = io.StringIO()
    configure("info", stream)
    return stream


async def test_a_request_is_answered_under_its_id(intake: Intake) -> None:
    await intake.open_sale()
    for path in ("/sales/sale", "/sales/nowhere", "/healthz"):
        answer = await intake.http.get(path, headers={"X-Request-Id": "shop-7.a"})
        assert answer.headers["x-request-id"] == "shop-7.a"
    for media in ("application/json", "application/json; charset=utf-8"):  # the fast and the full path
        headers = {"X-Request-Id": "shop-8", "Content-Type": media}
        assert (await intake.post("sale", headers=headers)).headers["x-request-id"] == "shop-8"
        refused = await intake.post("sale", headers=headers, customer_id="")
        assert refused.headers["x-request-id"] == "shop-8"
        assert refused.json()["instance"] == "urn:doorbuster:request:shop-8"


@pytest.mark.parametrize("insane", INSANE, ids=["empty", "long", "blank", "no ASCII", "quoted"])
async def test_an_id_that_is_not_sane_is_replaced(intake: Intake, insane: str | bytes) -> None:
    await intake.open_sale()
    answers = [await intake.http.get("/sales/none", headers={"X-Request-Id": insane}) for _ in range(2)]
    answers.append(await intake.post("sale", headers={"X-Request-Id": insane}))
    made = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(made)) == 3
    assert all(one.isascii() and "-" in one and len(one) < 30 for one in made)
    assert answers[0].json()["instance"] == f"urn:doorbuster:request:{made[0]}"


async def test_each_log_line_of_a_request_has_its_id_and_what_its_path_names(
    intake: Intake, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise RedisError("away")

    monkeypatch.setattr("intake.sales.cache.Sales.get", fails)
    calls = [intake.http.get(f"/sales/sale-{n}", headers={"X-Request-Id": f"id-{n}"}) for n in range(5)]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {503}
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    told = {(line["request_id"], line["sale_id"]) for line in logged if line["message"].startswith("request failed")}
    assert told == {(f"id-{n}", f"sale-{n}") for n in range(5)}


async def test_what_works_for_many_requests_logs_under_none(
    intake: Intake, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    await intake.open_sale()

    async def fails(*_: object, **__: object) -> None:
        raise RedisError("away")

    monkeypatch.setattr("doorbuster.orderstore.accept.Link.run", fails)
    headers = {"X-Request-Id": "mine", "Content-Type": "application/json; charset=utf-8"}
    assert (await intake.post("sale", headers=headers)).status_code == 503
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    (batch,) = [line for line in logged if line["message"] == "the outcome of a batch is unknown"]
    assert "request_id" not in batch
