"""Accepting: new, replay, conflict and refusals, decided in the order store and told as the contract says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from doorbuster import keys
from doorbuster.orderstore import entry
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.versions


async def entries(redis: Redis, number: int, partition: int = 0) -> list[entry.OrderEntry]:
    found = await redis.xrange(keys.stream(number, partition))
    return [entry.decode(fields[entry.FIELD]) for _, fields in found]


async def test_a_new_order_is_in_the_stream_when_the_202_comes(intake: Intake, orders_redis: Redis) -> None:
    sale = await intake.open_sale()
    answer = await intake.post("sale", payment={"token": "tok"}, metadata={"note": "hallo"})
    assert answer.status_code == 202
    body = answer.json()
    assert list(body) == ["order_id", "sale_id", "status", "accepted_at", "links"]
    assert body["sale_id"] == "sale"
    assert body["status"] == "accepted"
    assert answer.headers["location"] == body["links"]["self"] == f"/orders/{body['order_id']}"
    assert body["links"]["events"] == f"/orders/{body['order_id']}/events"
    (order,) = await entries(orders_redis, sale["sale_number"])
    assert order.order_id.hex() == body["order_id"].replace("-", "")
    assert (order.customer_id, order.payment_token, order.metadata) == ("c", "tok", b'{"note":"hallo"}')


async def test_a_replay_gives_the_same_bytes(intake: Intake, orders_redis: Redis) -> None:
    sale = await intake.open_sale()
    first = await intake.post("sale", key="k", metadata={"a": 1, "b": 2})
    again = await intake.post("sale", key="k", metadata={"b": 2, "a": 1})
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(await entries(orders_redis, sale["sale_number"])) == 1


async def test_another_body_under_the_same_key_is_a_conflict(intake: Intake) -> None:
    await intake.open_sale()
    await intake.post("sale", key="k")
    other = await intake.post("sale", key="k", lines=[{"product_id": "hot", "quantity": 2}])
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")


async def test_the_same_key_of_another_customer_is_another_order(intake: Intake) -> None:
    await intake.open_sale()
    one, other = await intake.post("sale", key="k"), await intake.post("sale", key="k", customer_id="d")
    assert one.status_code == other.status_code == 202
    assert one.json()["order_id"] != other.json()["order_id"]


async def test_one_batch_tells_new_replay_and_conflict_apart(intake: Intake, orders_redis: Redis) -> None:
    sale = await intake.open_sale()
    two = [{"product_id": "hot", "quantity": 2}]
    answers = await asyncio.gather(
        *(intake.post("sale", key="same") for _ in range(20)),
        *(intake.post("sale", key="same", lines=two) for _ in range(20)),
        *(intake.post("sale", customer_id=f"c{n}") for n in range(20)),
    )
    codes = [answer.status_code for answer in answers]
    assert sorted(set(codes[:40])) == [202, 422], "of one key one body wins"
    assert len({answer.content for answer in answers[:40] if answer.status_code == 202}) == 1
    assert codes[40:] == [202] * 20
    assert len(await entries(orders_redis, sale["sale_number"])) == 21


async def test_partitions_keep_a_customer_together(intake: Intake, orders_redis: Redis) -> None:
    sale = await intake.open_sale(partitions=4)
    await asyncio.gather(*(intake.post("sale", customer_id=f"c{n % 8}") for n in range(64)))
    streams = [await entries(orders_redis, sale["sale_number"], partition) for partition in range(4)]
    assert sum(map(len, streams)) == 64
    where = [{order.customer_id for order in stream} for stream in streams]
    assert sum(map(len, where)) == 8, "no customer is in two partitions"


@pytest.mark.parametrize("key", [None, "", "a" * 256, "mit ü", "tab\there"])
async def test_a_key_must_be_printable_ascii(intake: Intake, key: str | None) -> None:
    await intake.open_sale()
    headers = {} if key is None else {"Idempotency-Key": key.encode("latin-1")}
    body = {"customer_id": "c", "lines": [{"product_id": "hot", "quantity": 1}]}
    answer = await intake.http.post("/sales/sale/orders", json=body, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed" if key else "idempotency_key_required")
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


async def test_every_wrong_field_is_named(intake: Intake) -> None:
    await intake.open_sale()
    lines = [{"product_id": "hot", "quantity": 0}, {"product_id": "hot"}, {"quantity": 1, "colour": "red"}]
    answer = await intake.post("sale", customer_id="", lines=lines, coupon="x")
    assert answer.status_code == 422
    named = {error["field"] for error in answer.json()["errors"]}
    wanted = {
        "customer_id",
        "lines[0].quantity",
        "lines[1].quantity",
        "lines[2].product_id",
        "lines[2].colour",
        "coupon",
    }
    assert named == wanted


async def test_a_product_that_is_not_in_the_sale_is_named(intake: Intake) -> None:
    await intake.open_sale()
    lines = [{"product_id": "hot", "quantity": 1}, {"product_id": "cold", "quantity": 1}]
    answer = await intake.post("sale", lines=lines)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["lines[1].product_id"]


@pytest.mark.parametrize("metadata", [{"a": "\x00"}, {"a": [{"b\x00": 1}]}])
async def test_what_postgres_cannot_store_is_refused(intake: Intake, metadata: object) -> None:
    await intake.open_sale()
    answer = await intake.post("sale", metadata=metadata)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "metadata")


async def test_the_window_is_the_order_stores(intake: Intake, orders_redis: Redis) -> None:
    now = datetime.fromtimestamp((await orders_redis.time())[0], UTC)
    await intake.open_sale("early", starts_at=(now + timedelta(hours=1)).isoformat())
    await intake.open_sale("late", starts_at=(now - timedelta(hours=2)).isoformat(), ends_at=now.isoformat())
    for sale, detail in (("early", "has not begun"), ("late", "has ended")):
        answer = await intake.post(sale)
        assert (answer.status_code, answer.json()["code"]) == (409, "sale_not_open")
        assert detail in answer.json()["detail"]


async def test_a_sale_opens_and_ends_to_the_millisecond(intake: Intake, orders_redis: Redis) -> None:
    opens = datetime.now(UTC) + timedelta(seconds=0.4)
    sale = await intake.open_sale(starts_at=opens.isoformat(), ends_at=(opens + timedelta(hours=1)).isoformat())
    accepted: list[str] = []

    async def is_taken() -> bool:
        answer = await intake.post("sale")
        if answer.status_code == 202:
            accepted.append(answer.json()["accepted_at"])
        return answer.status_code == 202

    async def is_over() -> bool:
        return not await is_taken()

    await eventually(is_taken)
    ends = datetime.now(UTC) + timedelta(seconds=1)
    (await intake.ops.patch("/ops/sales/sale", json={"ends_at": ends.isoformat()})).raise_for_status()
    await eventually(is_over)
    at = [datetime.fromisoformat(moment) for moment in accepted]
    assert opens - timedelta(milliseconds=1) <= min(at)
    assert max(at) < ends
    assert ends <= datetime.now(UTC), "not before its end, either"
    assert len(await entries(orders_redis, sale["sale_number"])) == len(accepted)


async def test_phases_take_effect_at_once_and_replays_always_answer(intake: Intake) -> None:
    await intake.open_sale()
    first = await intake.post("sale", key="k")
    for verb, status in (("hold", 409), ("resume", 202), ("drain", 409), ("open", 202), ("close", 409)):
        assert (await intake.ops.post(f"/ops/sales/sale/{verb}")).status_code == 200, verb
        assert (await intake.post("sale")).status_code == status, verb
        assert (await intake.post("sale", key="k")).content == first.content, verb


async def test_two_processes_see_a_change_at_once(serve: Serve) -> None:
    one, other = await serve(), await serve()
    assert (await other.post("sale")).status_code == 404
    await one.open_sale()
    await eventually(lambda: _accepts(other), within_s=2)
    await one.ops.post("/ops/sales/sale/close")
    assert (await other.post("sale")).status_code == 409


async def _accepts(intake: Intake) -> bool:
    return (await intake.post("sale")).status_code == 202


async def test_the_backlog_is_capped(serve: Serve, orders_redis: Redis) -> None:
    intake = await serve(backlog_max=5)
    sale = await intake.open_sale()
    first = await intake.post("sale", key="first")
    answers = [await intake.post("sale") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [202] * 4 + [503] * 3
    assert answers[-1].json()["code"] == "overloaded"
    assert answers[-1].headers["retry-after"] == "1"
    assert (await intake.post("sale", key="first")).content == first.content
    await orders_redis.hset(keys.gate(sale["sale_number"], 0), "drained", 3)
    assert [(await intake.post("sale")).status_code for _ in range(4)] == [202] * 3 + [503]


async def test_sold_out_is_refused_but_an_accepted_order_replays(intake: Intake, orders_redis: Redis) -> None:
    sale = await intake.open_sale()
    first = await intake.post("sale", key="k")
    await orders_redis.sadd(keys.sold_out(sale["sale_number"], 0), "hot")

    async def refused() -> bool:
        return (await intake.post("sale")).status_code == 409

    await eventually(refused)
    assert (await intake.post("sale")).json()["code"] == "sold_out"
    assert (await intake.post("sale", key="k")).content == first.content
    await intake.ops.post("/ops/products/hot/stock", json={"receive": 1})
    assert (await intake.post("sale")).status_code == 202


async def test_a_lost_gate_is_published_again(intake: Intake, orders_redis: Redis) -> None:
    await intake.open_sale()
    await orders_redis.flushall()
    assert (await intake.post("sale")).status_code == 202


async def test_the_count_begins_at_the_drains_when_the_store_lost_it(serve: Serve, orders_redis: Redis) -> None:
    intake = await serve(backlog_max=2)
    sale = await intake.open_sale()
    gate = keys.gate(sale["sale_number"], 0)
    await orders_redis.hset(gate, "drained", 100)
    assert [(await intake.post("sale")).status_code for _ in range(3)] == [202, 202, 503]
    assert await orders_redis.hget(gate, "accepted") == b"102"


async def test_a_storefront_key_is_asked_for_when_keys_are_set(serve: Serve) -> None:
    intake = await serve(storefront_keys="first-storefront, second-storefront")
    await intake.open_sale()
    refused = await intake.post("sale")
    assert (refused.status_code, refused.json()["code"]) == (401, "admission_required")
    assert (await intake.post("sale", headers={"X-Storefront-Key": "second"})).status_code == 401
    for key in ("first-storefront", "second-storefront"):
        assert (await intake.post("sale", headers={"X-Storefront-Key": key})).status_code == 202
