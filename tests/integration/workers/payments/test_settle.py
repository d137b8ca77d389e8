"""The settle shift: approved, declined, late, flaky and expired payments, and orders cancelled while they are asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import pytest
from redis.asyncio import Redis

from db.orders import reservations, transitions
from db.orders.states import Status
from db.work import shifts
from db.work.due_work import Partition
from doorbuster import keys
from tests.fixtures.turns import Watch
from tests.fixtures.waiting import eventually
from workers.payments.gateway import GatewayError, PaymentRequest, ProviderPayment
from workers.payments.settle import Settle
from workers.payments.simulated import SimulatedGateway
from workers.runtime import shift
from workers.runtime.job_queue import QUEUE_KEY
from workers.runtime.shift import EndReason

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop


class RecordingGateway(SimulatedGateway):
    """Remembers who was asked and voided."""

    def __init__(self, *, everything: bool = False) -> None:
        super().__init__(everything=everything)
        self.asked: list[UUID] = []
        self.voided: list[UUID] = []
        self.looked_up: list[UUID] = []

    async def look_up(self, payment: PaymentRequest) -> ProviderPayment:
        self.looked_up.append(payment.order_id)
        return await super().look_up(payment)

    async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
        self.asked.append(payment.order_id)
        return await super().authorise(payment)

    async def void(self, payment: PaymentRequest, *, key: str) -> ProviderPayment:
        self.voided.append(payment.order_id)
        return await super().void(payment, key=key)


class HeldGateway(RecordingGateway):
    """Answers no payment of token `held` before it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    def answers_at_once(self, payment: PaymentRequest) -> bool:
        return payment.token != "held" and super().answers_at_once(payment)

    async def authorise(self, payment: PaymentRequest) -> ProviderPayment:
        answer = await super().authorise(payment)
        if payment.token == "held":
            await self.go_on.wait()
        return answer

    async def was_asked(self, payments: int = 1) -> None:
        async def asked() -> bool:
            return len(self.asked) >= payments

        await eventually(asked)


@pytest.fixture
async def lamp_sale(shop: Shop) -> Shop:
    await shop.stock(lamp=5000)
    await shop.open_sale("lamp")
    return shop


async def test_approved_orders_are_confirmed_and_told(lamp_sale: Shop, db: Connection) -> None:
    ids = await lamp_sale.buy(*(f"c{n}" for n in range(2500)), lamp=1)
    await lamp_sale.drain()
    async with lamp_sale.orders.pubsub() as channel:
        await channel.subscribe(keys.OUTCOMES)
        assert await lamp_sale.settle() == EndReason.IDLE
        told = b""

        async def all_told() -> bool:
            nonlocal told
            message = await channel.get_message(ignore_subscribe_messages=True, timeout=0.1)
            told += message["data"] if message else b""
            return len(told) == 16 * len(ids)

        await eventually(all_told)
    assert {told[at : at + 16] for at in range(0, len(told), 16)} == {one.bytes for one in ids}
    assert set(await lamp_sale.statuses(ids)) == {"confirmed"}
    assert await lamp_sale.ledger("lamp") == (2500, 2500, 0)
    assert await db.fetchval("select count(*) from reservations") == 0


async def test_a_decline_cancels_and_gives_back(lamp_sale: Shop) -> None:
    ids = await lamp_sale.buy("ada", lamp=3, token="decline") + await lamp_sale.buy("bob", lamp=2)
    await lamp_sale.drain()
    await lamp_sale.settle()
    assert await lamp_sale.statuses(ids) == ["cancelled:payment_declined", "confirmed"]
    assert await lamp_sale.ledger("lamp") == (4998, 2, 0)


@pytest.mark.usefixtures("patient_shifts")
async def test_slow_and_flaky_payments_hold_nobody_up_and_end_well(lamp_sale: Shop) -> None:
    slow = await lamp_sale.buy("ada", "bob", lamp=1, token="held")
    flaky = await lamp_sale.buy("cyd", lamp=1, token="flaky:2")
    fast = await lamp_sale.buy("dan", lamp=1)
    await lamp_sale.drain()
    gateway = HeldGateway()
    settling = asyncio.create_task(lamp_sale.settle(gateway, payment_retry_s=0.05, payment_timeout_s=60))
    await eventually(lambda: _is(lamp_sale, fast, "confirmed"))
    assert await lamp_sale.statuses(slow) == ["pending", "pending"]
    gateway.go_on.set()
    assert await settling == EndReason.IDLE
    assert await lamp_sale.statuses(slow + flaky) == ["confirmed"] * 3


async def _is(shop: Shop, ids: list[UUID], status: str) -> bool:
    return set(await shop.statuses(ids)) == {status}


async def test_payments_wait_side_by_side_up_to_the_limit(lamp_sale: Shop) -> None:
    ids = await lamp_sale.buy(*(f"c{n}" for n in range(90)), lamp=1, token="slow:200")
    await lamp_sale.drain()
    began, watch = time.monotonic(), Watch()
    await lamp_sale.settle(settle_concurrency=30)
    assert await _is(lamp_sale, ids, "confirmed")
    assert time.monotonic() - began >= 0.6
    assert watch.elapsed_s() < 90 * 0.2


async def test_a_shift_whose_payments_are_slow_is_not_idle(lamp_sale: Shop, jobs_redis: Redis) -> None:
    """It gives way to others, and has a successor enqueued: the scheduler does not have to find what remains."""
    ids = await lamp_sale.buy(*(f"c{n}" for n in range(6)), lamp=1, token="slow:600")
    await lamp_sale.drain()
    await jobs_redis.rpush(QUEUE_KEY, "a job that waits")
    told = lamp_sale.settings.model_copy(update={"settle_concurrency": 1})
    place = Partition(lamp_sale.sale_number, 0)
    name = f"settle:{place.sale_number}:{place.number}"
    ended = await shift.run(name, told, asyncio.Event(), lambda mine: Settle(mine, place, SimulatedGateway()))
    assert ended is EndReason.OTHERS_WAIT
    assert "pending" in await lamp_sale.statuses(ids)


async def test_an_answer_that_never_comes_is_retried_until_the_hold_ends(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=5)
    await shop.open_sale("lamp", hold_s=3)
    ids = await shop.buy("ada", lamp=1, token="timeout")
    await shop.drain()
    gateway = RecordingGateway()

    async def settled() -> bool:
        await shop.settle(gateway, payment_timeout_s=0.1, payment_retry_s=0.1)
        return not await db.fetchval("select count(*) from reservations")

    await eventually(settled)
    assert gateway.asked.count(ids[0]) > 1
    assert gateway.looked_up.count(ids[0]) == gateway.asked.count(ids[0]) - 1, "looked up before it is asked again"
    assert await shop.statuses(ids) == ["pending"], "nobody knows whether the money was held"
    assert await shop.ledger("lamp") == (5, 0, 0), "its units are free already"
    await shop.money(gateway)
    assert gateway.voided == ids
    assert await shop.statuses(ids) == ["cancelled:hold_expired"]
    assert await shop.ledger("lamp") == (5, 0, 0)


async def test_an_order_cancelled_while_the_gateway_is_asked_is_voided(lamp_sale: Shop, db: Connection) -> None:
    ids = await lamp_sale.buy("ada", "bob", lamp=1, token="held")
    await lamp_sale.drain()
    gateway = HeldGateway()
    settling = asyncio.create_task(lamp_sale.settle(gateway, payment_timeout_s=60))
    await gateway.was_asked(2)
    await transitions.transition(db, ids[0], Status.CANCELLED, reason="customer")
    gateway.go_on.set()
    await settling
    assert await lamp_sale.statuses(ids) == ["cancelled:customer", "confirmed"]
    given_back = "select captured, refunded from orders where order_id = $1"
    assert tuple(await db.fetchrow(given_back, ids[0])) == (100, None), "queued, so that it is not forgotten"
    await lamp_sale.money(gateway, now=False)
    assert tuple(await db.fetchrow(given_back, ids[0])) == (100, 100), "at once: nothing is under way any more"
    assert await db.fetchval("select status from refunds where order_id = $1", ids[0]) == "succeeded"
    await lamp_sale.money(gateway)
    assert gateway.voided == ids[:1], "what the cancellation had queued finds that all is done"
    assert tuple(await db.fetchrow(given_back, ids[0])) == (100, 100)
    assert await lamp_sale.ledger("lamp") == (4999, 1, 0)


async def test_an_order_confirmed_by_ops_meanwhile_keeps_its_money(lamp_sale: Shop, db: Connection) -> None:
    ids = await lamp_sale.buy("ada", lamp=1, token="held")
    await lamp_sale.drain()
    gateway = HeldGateway()
    settling = asyncio.create_task(lamp_sale.settle(gateway, payment_timeout_s=60))
    await gateway.was_asked()
    await transitions.transition(db, ids[0], Status.CONFIRMED)
    gateway.go_on.set()
    await settling
    assert gateway.voided == []


async def test_whoever_lost_the_lease_confirms_nothing(lamp_sale: Shop, db: Connection) -> None:
    name = f"settle:{lamp_sale.sale_number}:0"
    ids = await lamp_sale.buy("ada", lamp=1, token="held")
    await lamp_sale.drain()
    gateway = HeldGateway()
    zombie = asyncio.create_task(lamp_sale.settle(gateway, payment_timeout_s=60, lease_s=60))
    await gateway.was_asked()
    await db.execute("update shifts set lease_expires_at = now() - interval '1 second' where name = $1", name)
    assert await shifts.acquire(db, name, holder="the next", lease_s=60) == 2
    gateway.go_on.set()
    assert await zombie == EndReason.LEASE_LOST
    assert await lamp_sale.statuses(ids) == ["pending"]
    assert gateway.voided == [], "the next holder may be confirming it"


async def test_a_gateway_that_will_not_void_is_asked_again_until_it_does(lamp_sale: Shop, db: Connection) -> None:
    class Stubborn(RecordingGateway):
        refuses = 2

        async def void(self, payment: PaymentRequest, *, key: str) -> ProviderPayment:
            self.voided.append(payment.order_id)
            if self.voided.count(payment.order_id) <= self.refuses:
                raise GatewayError("no")
            return await SimulatedGateway.void(self, payment, key=key)

    ids = await lamp_sale.buy("ada", "bob", lamp=1, token="timeout")
    await lamp_sale.drain()
    await db.execute("update reservations set expires_at = now(), due_at = now()")
    gateway = Stubborn()
    assert await lamp_sale.settle(gateway, payment_timeout_s=0.1) == EndReason.IDLE
    assert await lamp_sale.ledger("lamp") == (5000, 0, 0)
    for _ in range(Stubborn.refuses):
        await lamp_sale.money(gateway)
        assert await _is(lamp_sale, ids, "pending")
    await lamp_sale.money(gateway)
    assert await _is(lamp_sale, ids, "cancelled:hold_expired")
    assert await db.fetchval("select count(*) from payment_operations where state <> 'done'") == 0


@pytest.mark.parametrize(("attempts", "token"), [(0, None), (0, "slow:50"), (3, None), (3, "slow:50")])
async def test_a_hold_does_not_run_out_because_settling_is_late(
    lamp_sale: Shop, db: Connection, attempts: int, token: str | None
) -> None:
    """Not asked for yet, or asked for and nobody knows what became of the answer: it is asked for before it ends."""
    ids = await lamp_sale.buy("ada", "bob", lamp=1, token=token)
    await lamp_sale.drain()
    await db.execute(
        "update reservations set expires_at = now() - interval '1 h', due_at = now(), attempts = $1", attempts
    )
    gateway = RecordingGateway()
    await lamp_sale.settle(gateway)
    assert await _is(lamp_sale, ids, "confirmed")
    assert sorted({*gateway.asked, *gateway.looked_up}) == sorted(ids)
    assert len(gateway.asked) <= len(ids)
    assert gateway.voided == []


async def test_an_answer_that_could_not_be_written_is_written_later(
    lamp_sale: Shop, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database fails with every answer at first; meanwhile the holds end. Nobody is asked twice or cancelled."""
    ids = await lamp_sale.buy(*(f"c{n}" for n in range(40)), lamp=1, token="slow:20")
    declined = await lamp_sale.buy("dan", lamp=1, token="decline")
    await lamp_sale.drain()
    confirm, failures = transitions.confirm_paid, 3

    async def failing(connection: Connection, paid: Sequence[transitions.PaidOrder]) -> list[UUID]:
        nonlocal failures
        moved = await confirm(connection, paid)
        if failures and moved:
            failures -= 1
            await db.execute("update reservations set expires_at = now() - interval '1 h'")
            raise asyncpg.QueryCanceledError("too slow")
        return moved

    monkeypatch.setattr("db.orders.transitions.confirm_paid", failing)
    gateway = RecordingGateway()
    await lamp_sale.settle(gateway)
    assert failures == 0
    assert await _is(lamp_sale, ids, "confirmed")
    assert await lamp_sale.statuses(declined) == ["cancelled:payment_declined"]
    assert sorted(gateway.asked) == sorted([*ids, *declined])
    assert gateway.voided == []


async def test_what_the_gateway_takes_is_written_down(lamp_sale: Shop, db: Connection) -> None:
    await lamp_sale.buy(*(f"c{n}" for n in range(400)), lamp=1, token="slow:50")
    await lamp_sale.drain()
    await lamp_sale.settle(settle_concurrency=10)
    per_s = await db.fetchval("select payments_per_s from shifts where name like 'settle:%'")
    assert 0 < per_s <= 10 / 0.05, "ten at a time, each at least 50 ms"


async def test_an_attempt_that_is_not_answered_is_followed_by_a_later_and_later_one(
    lamp_sale: Shop, db: Connection
) -> None:
    """So that payments never answered leave the places of those in flight to others."""
    ids = await lamp_sale.buy("ada", lamp=1)
    await lamp_sale.drain()
    await db.execute("update reservations set expires_at = now() + interval '1 day'")
    pauses = []
    for _ in range(8):
        await reservations.postpone(db, ids, seconds=2)
        pauses.append(
            await db.fetchval("select extract(epoch from due_at - clock_timestamp())::float8 from reservations")
        )
    assert pauses == pytest.approx([2, 4, 8, 16, 32, 64, 64, 64], abs=1.5)
    await db.execute("update reservations set expires_at = now() + interval '5 s'")
    await reservations.postpone(db, ids, seconds=2)
    assert await db.fetchval("select due_at = expires_at from reservations"), "no later than the hold ends"
