"""A payment provider's callbacks: what is believed, what is looked up for them, what is old news."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx
import pytest

from tests.fixtures.callbacks import (
    SIMULATED_SECRET,
    STRIPE_SECRET,
    signed_as_standard,
    signed_as_stripe,
    simulated_event,
    stripe_event,
)
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.waiting import eventually

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop

SIMULATED, STRIPE = "/payments/simulated/events", "/payments/stripe/events"


@pytest.fixture
async def intake(serve: Serve) -> Intake:
    return await serve(payment_webhook_secret=SIMULATED_SECRET)


@pytest.fixture
async def order_id(shop: Shop) -> UUID:
    """An order that is held, whose payment was not asked for yet and is not due for a minute."""
    await shop.stock(lamp=5)
    await shop.open_sale("lamp")
    (order_id,) = await shop.buy("ada", lamp=1)
    await shop.drain()
    await shop.db.execute("update reservations set due_at = clock_timestamp() + interval '60 s', attempts = 1")
    return order_id


async def tell(intake: Intake, body: bytes, path: str = SIMULATED, **headers: str) -> httpx.Response:
    signed = signed_as_standard(body) if path == SIMULATED else signed_as_stripe(body)
    return await intake.http.post(path, content=body, headers=signed | headers)


async def looked_up(db: Connection) -> list[UUID]:
    """Return the orders whose payment is to be looked up, by whoever works that off."""
    rows = await db.fetch("select order_id from payment_operations where kind = 'look_up' and state = 'due'")
    return [row["order_id"] for row in rows]


async def test_a_callback_has_the_payment_looked_up_and_the_hold_settled_now(
    intake: Intake, order_id: UUID, db: Connection
) -> None:
    answer = await tell(intake, simulated_event(order_id))
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert await looked_up(db) == [order_id]
    assert await db.fetchval("select due_at <= clock_timestamp() from reservations")


async def test_said_again_and_again_it_is_looked_up_once(intake: Intake, order_id: UUID, db: Connection) -> None:
    body = simulated_event(order_id)
    answers = await asyncio.gather(*(tell(intake, body) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert await looked_up(db) == [order_id]


async def test_what_was_known_is_no_news(intake: Intake, order_id: UUID, db: Connection) -> None:
    await db.execute("update orders set payment = 'captured'")
    assert (await tell(intake, simulated_event(order_id, "payment.captured"))).status_code == 200
    assert await looked_up(db) == []
    assert (await tell(intake, simulated_event(order_id, "payment.voided"))).status_code == 200
    assert await looked_up(db) == [order_id]


async def test_what_is_unknown_is_taken_and_forgotten(intake: Intake, order_id: UUID, db: Connection) -> None:
    for body in (simulated_event(uuid4()), simulated_event("no-order"), b"{}", b"", b"\xff", b"[" * 9000):
        assert (await tell(intake, body)).status_code == 200
    assert await looked_up(db) == []


async def test_many_at_once_are_written_together(serve: Serve, shop: Shop, db: Connection) -> None:
    intake = await serve(payment_webhook_secret=SIMULATED_SECRET, store_timeout_s=30)
    await shop.stock(lamp=500)
    await shop.open_sale("lamp")
    ids = await shop.buy(*(f"c{n}" for n in range(200)), lamp=1)
    await shop.drain()
    assert (await tell(intake, b"{}")).status_code == 200
    async with db.transaction():  # the first one's is under way until all have come, however slow they are in coming
        await db.execute("lock table payment_operations in access exclusive mode")
        telling = [asyncio.create_task(tell(intake, simulated_event(one))) for one in [*ids, *ids]]

        async def have_come() -> bool:
            return intake.guard.in_flight == len(telling)

        await eventually(have_come, what="all of them to be in work")
    told = await asyncio.gather(*telling)
    assert {answer.status_code: answer.text for answer in told} == {200: '{"received":true}'}
    assert sorted(await looked_up(db)) == sorted(ids)
    transactions = await db.fetchval("select count(distinct xmin::text) from payment_operations")
    assert transactions < 100  # the negative control is a transaction for each: 200


async def test_stripes_own_are_taken_where_stripe_is_chosen(serve: Serve, order_id: UUID, db: Connection) -> None:
    intake = await serve(payment_provider="stripe", stripe_webhook_secret=STRIPE_SECRET)
    assert (await tell(intake, stripe_event(order_id), STRIPE)).status_code == 200
    assert await looked_up(db) == [order_id]
    refused = await tell(intake, simulated_event(order_id), SIMULATED)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("provider", ["stripe", "paypal", "SIMULATED", "%00", "a" * 300])
async def test_another_provider_is_not_found(intake: Intake, provider: str) -> None:
    body = simulated_event(uuid4())
    answer = await tell(intake, body, f"/payments/{provider}/events", **signed_as_standard(body))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_what_is_not_signed_is_refused(intake: Intake, order_id: UUID, db: Connection) -> None:
    body, late = simulated_event(order_id), time.time() - 3600
    for headers in (
        {}, signed_as_standard(body + b" "), signed_as_standard(body, at=late), signed_as_stripe(body),
        signed_as_standard(body, secret="whsec_YW5vdGhlci1zZWNyZXQtb2YtbWluZQ=="),
    ):  # fmt: skip
        answer = await intake.http.post(SIMULATED, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "signature_invalid")
    assert await looked_up(db) == []


async def test_without_a_secret_nothing_is_believed(serve: Serve, order_id: UUID, db: Connection) -> None:
    intake = await serve()
    answer = await tell(intake, simulated_event(order_id))
    assert (answer.status_code, answer.json()["code"]) == (400, "signature_invalid")
    assert await looked_up(db) == []


async def test_no_key_is_asked_for_and_ops_alone_take_none(serve: Serve, order_id: UUID) -> None:
    keyed = await serve("public", payment_webhook_secret=SIMULATED_SECRET, storefront_keys="a-key-of-storefronts")
    assert (await tell(keyed, simulated_event(order_id))).status_code == 200
    ops = await serve("ops", payment_webhook_secret=SIMULATED_SECRET)
    assert (await tell(ops, simulated_event(order_id))).status_code == 404


async def test_while_postgres_is_away_the_provider_is_to_say_it_again(
    serve: Serve, order_id: UUID, db: Connection
) -> None:
    intake = await serve(payment_webhook_secret=SIMULATED_SECRET, store_timeout_s=2)
    body = simulated_event(order_id)
    transaction = db.transaction()
    await transaction.start()
    await db.execute("lock table payment_operations in access exclusive mode")
    answers = await asyncio.gather(*(tell(intake, body) for _ in range(3)))
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "store_unavailable")}
    assert all("safe to repeat" in answer.json()["detail"] for answer in answers)
    assert answers[0].headers["retry-after"]
    await transaction.rollback()
    assert (await tell(intake, body)).status_code == 200
    assert await looked_up(db) == [order_id]


@pytest.mark.parametrize(("told", "status"), [("succeeded", "confirmed"), ("failed", "cancelled:payment_declined")])
async def test_a_callback_of_the_simulated_provider_is_the_shoppers_act(
    intake: Intake, shop: Shop, told: str, status: str
) -> None:
    await shop.stock(lamp=5)
    await shop.open_sale("lamp")
    ids = await shop.buy("ada", lamp=1, token="action")
    await shop.drain()
    await shop.settle()
    assert (await tell(intake, simulated_event(ids[0], f"action.{told}"))).status_code == 200
    await shop.money()
    assert await shop.statuses(ids) == [status]
    for kind in ("action.failed", "action.succeeded", "payment.failed"):
        assert (await tell(intake, simulated_event(ids[0], kind))).status_code == 200
    await shop.money()
    assert await shop.statuses(ids) == [status], "late, and out of order"
