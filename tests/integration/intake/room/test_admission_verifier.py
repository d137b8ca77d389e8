"""At the door: until when an admission is good, who hears what of the sale, and what a retry gets after its end."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from doorbuster import keys
from intake.room.cache import CachedRoom
from tests.fixtures.intake import Intake
from tests.fixtures.visitors import Visitor, open_room
from tests.fixtures.waiting import eventually


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("code", ""))


async def let_in(intake: Intake, name: str = "ann", **more: Any) -> tuple[Visitor, str, float]:
    """Return a visitor just admitted, its admission, and the Unix time at which that ends."""
    one = Visitor(intake, "sale", name, more)
    await one.join()

    async def claimed() -> dict[str, Any]:
        answer = await one.claim()
        return dict(answer.json()) if answer.status_code == 200 else {}

    found = await eventually(claimed)
    return one, found["admission"], datetime.fromisoformat(found["expires_at"]).timestamp()


async def until(moment: float) -> None:
    async def reached() -> bool:
        return time.time() >= moment

    await eventually(reached)


async def calls(redis: Redis) -> Counter[str]:
    raw: dict[str, Any] = await redis.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): stat["calls"] for name, stat in raw.items()})


async def test_an_admission_and_its_slot_end_together(roomy: Intake) -> None:
    await open_room(roomy, room={"admission_s": 1, "max_active": 1})
    ann, admission, ends = await let_in(roomy)
    bob = Visitor(roomy, "sale", "bob")
    await bob.join()
    await until(ends)
    refused = await ann.order(admission, "late")
    assert code_of(refused) == (401, "admission_expired")
    assert refused.json()["room"] == "/sales/sale/wait"
    assert code_of(await ann.claim()) == (410, "admission_finished")
    assert await bob.admitted()
    assert code_of(await ann.order(admission, "later")) == (401, "admission_expired")


async def test_a_clock_that_is_behind_makes_it_no_longer(roomy: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_room(roomy, room={"admission_s": 1})
    ann, admission, ends = await let_in(roomy)
    monkeypatch.setattr(CachedRoom, "now_s", property(lambda _room: ends - 600))
    await until(ends)
    refused = await ann.order(admission, "late")
    assert code_of(refused) == (401, "admission_expired")
    assert refused.json()["room"] == "/sales/sale/wait"


async def test_a_retry_replays_after_the_admission_has_ended(roomy: Intake, orders_redis: Redis) -> None:
    sale = await open_room(roomy, room={"admission_s": 3})
    ann, admission, ends = await let_in(roomy)
    accepted = await ann.order(admission, "one")
    assert accepted.status_code == 202
    await until(ends)
    replayed = await ann.order(admission, "one")
    assert (replayed.status_code, replayed.content) == (202, accepted.content)
    assert replayed.headers["Idempotency-Replayed"] == "true"
    other = await ann.order(admission, "one", metadata={"another": "body"})
    assert code_of(other) == (422, "idempotency_conflict")
    assert code_of(await ann.order(admission, "two")) == (401, "admission_expired")
    elsewhere = await ann.order(admission, "one", lines=[{"product_id": "none", "quantity": 1}])
    assert code_of(elsewhere) == (401, "admission_expired")
    assert await orders_redis.xlen(keys.stream(sale["sale_number"], 0)) == 1


async def test_only_what_is_authentic_and_run_out_asks_the_order_store(roomy: Intake, orders_redis: Redis) -> None:
    await open_room(roomy, "other", room={"admission_s": 1})
    await open_room(roomy, room={"admission_s": 1}, partitions=2)
    ann, admission, ends = await let_in(roomy, customer_id="ann")
    await until(ends)
    altered = admission[:-3] + ("AAA" if admission[-3:] != "AAA" else "BBB")
    ann.sale = "sale"
    before = await calls(orders_redis)
    assert code_of(await ann.order(altered, "k", customer_id="ann")) == (403, "admission_invalid")
    assert code_of(await ann.order(admission, "k", customer_id="bob")) == (403, "admission_invalid")
    foreign = await roomy.post("other", headers={"Authorization": f"Bearer {admission}"})
    assert code_of(foreign) == (403, "admission_invalid")
    assert (await calls(orders_redis) - before)["evalsha"] == 0
    for key in "abc":
        assert code_of(await ann.order(admission, key, customer_id="ann")) == (401, "admission_expired")
    spent = await calls(orders_redis) - before
    assert (spent["evalsha"], spent["xadd"], spent["set"]) == (3, 0, 0)


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize(
    ("terms", "verb", "code"),
    [
        ({}, None, (401, "admission_required")),
        ({}, "hold", (409, "sale_not_open")),
        ({}, "drain", (409, "sale_not_open")),
        ({}, "close", (409, "sale_not_open")),
        ({"starts_at": at(3600)}, None, (409, "sale_not_open")),
        ({"starts_at": at(-7200), "ends_at": at(-3600)}, None, (409, "sale_not_open")),
        ({"starts_at": at(-7200), "ends_at": at(3600)}, None, (401, "admission_required")),
    ],
)
async def test_who_has_no_admission_hears_how_the_sale_stands(
    roomy: Intake, orders_redis: Redis, terms: dict[str, Any], verb: str | None, code: tuple[int, str]
) -> None:
    await open_room(roomy, **terms)
    if verb is not None:
        (await roomy.ops.post(f"/ops/sales/sale/{verb}")).raise_for_status()
    before = await calls(orders_redis)
    refused = await roomy.post("sale")
    assert code_of(refused) == code
    waits = code[0] == 401 or verb == "hold" or (verb is None and "ends_at" not in terms)
    assert ("Link" in refused.headers) == waits, "who may join is shown where"
    assert (await calls(orders_redis) - before)["evalsha"] == 0


async def test_who_has_no_admission_hears_what_is_sold_out(roomy: Intake, orders_redis: Redis) -> None:
    sale = await roomy.open_sale("sale", "hot", "cold", room={"mode": "always"})
    assert code_of(await roomy.post("sale")) == (401, "admission_required")
    await orders_redis.sadd(keys.sold_out(sale["sale_number"], 0), "hot")

    async def told() -> bool:
        return code_of(await roomy.post("sale")) == (409, "sold_out")

    await eventually(told)
    cold = await roomy.post("sale", lines=[{"product_id": "cold", "quantity": 1}])
    assert code_of(cold) == (401, "admission_required")
