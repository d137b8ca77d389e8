"""Payments while something dies between the provider and the commit: in the end money, stock and provider agree.

The shop's shifts are run step by step and die where each test says (`tests/fixtures/life`, `mortal.py`); the provider
keeps its own truth. Each fault comes to rest without a contradiction; with a guard off, the same checks find one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from db.orders import money, transitions
from db.orders.fulfilment import line_cancels
from db.orders.money import PaymentOperation
from db.orders.states import Status
from db.sales import SaleProduct, SaleSpec
from tests.fixtures import mortal
from tests.fixtures.chaotic_provider import Fault
from tests.fixtures.life.world import Wish, World
from tests.fixtures.mortal import Break
from workers.payments import apply, reconcile
from workers.payments import money as money_shift
from workers.payments import settle as settle_shift
from workers.payments.breaker import BREAK_AFTER
from workers.payments.gateway import ProviderStatus
from workers.payments.reconcile import Decision, MoneyStep

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from db.connections.pool import Connection
    from doorbuster.settings import Settings

BREAKS = [(done, dies) for done in (False, True) for dies in (False, True)]


@pytest.fixture
async def worlds(
    db: Connection, database_url: str, settings: Settings, orders_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[], World]]:
    """Make a small shop that is not open yet; the one before is over then."""
    for module in (settle_shift, money_shift):
        monkeypatch.setattr(module, "POLL_S", 0.001)
    made: list[World] = []

    def make() -> World:
        made.append(World(db, database_url, settings, orders_redis))
        return made[-1]

    yield make
    for world in made:
        await world.close()


@pytest.fixture
def world(worlds: Callable[[], World]) -> World:
    return worlds()


async def _open(world: World, mode: str = "capture", stock: int = 10) -> None:
    spec = SaleSpec(sale_id="night", products=[SaleProduct(product_id="lamp")], payment=mode)  # type: ignore[arg-type]
    await world.begin(spec, {"lamp": stock}, {"lamp": 100})


async def _drained(world: World, *tokens: str | None) -> list[UUID]:
    world.accept([Wish(f"c{n}", [("lamp", 2)], token) for n, token in enumerate(tokens)])
    await world.drain(len(tokens))
    return world.order_ids[-len(tokens) :]


async def _let_holds_end(world: World, ids: list[UUID]) -> None:
    """Let holds end while the provider is down."""
    world.provider.is_down = True
    for _ in range(20):
        await world.end_holds(ids)
        await world.step("settle")
        if not await world.admin.fetchval("select count(*) from reservations"):
            world.provider.is_down = False
            return
    raise AssertionError("the holds do not end")


async def _is_paid_once(world: World, order_id: UUID, mode: str) -> None:
    kept = world.provider.payments[order_id]
    wanted = (ProviderStatus.CAPTURED, 200) if mode == "capture" else (ProviderStatus.AUTHORISED, 0)
    assert (kept.status, kept.captured) == wanted
    assert await world.status(order_id) == "confirmed"


@pytest.mark.parametrize("mode", ["capture", "authorise"])
@pytest.mark.parametrize(("done", "dies"), BREAKS)
async def test_settling_that_breaks_at_any_statement_confirms_and_charges_once(
    worlds: Callable[[], World], mode: str, done: bool, dies: bool
) -> None:
    """Between authorise and commit; also where the commit was done and nobody heard of it."""
    for statement in range(0, 14, 2):
        world = worlds()
        await _open(world, mode)
        ids = await _drained(world, None, "action")
        await world.step("settle")
        await world.step("settle", at=Break(statement, done, dies))
        await world.step("settle")
        world.provider.act(ids[1], succeeds=True)
        assert await world.rest() == []
        for order_id in ids:
            await _is_paid_once(world, order_id, mode)
        await world.close()


@pytest.mark.parametrize(("done", "dies"), BREAKS)
async def test_moving_money_that_breaks_at_any_statement_moves_it_once(
    worlds: Callable[[], World], done: bool, dies: bool
) -> None:
    """Between capture, void or refund and the commit."""
    for statement in range(0, 16, 2):
        world = worlds()
        await _open(world, "authorise")
        kept, dropped = await _drained(world, None, None)
        await world.step("settle")
        await world.step("settle")
        await world.by_hand(lambda ops, one=kept: transitions.transition(ops, one, Status.PROCESSING))
        await world.by_hand(lambda ops, one=kept: transitions.transition(ops, one, Status.SHIPPED))
        await world.by_hand(lambda ops, one=dropped: line_cancels.cancel(ops, one))
        await world.make_due()
        await world.step("money")
        await world.step("money", at=Break(statement, done, dies))
        assert await world.rest() == []
        assert (world.provider.payments[kept].captured, world.provider.payments[dropped].captured) == (200, 0)
        await world.close()


LOST = [Fault.ANSWER_LOST, Fault.LATE, Fault.TWICE, Fault.REQUEST_LOST, Fault.DIES_BEFORE, Fault.DIES_AFTER, Fault.DOWN]


@pytest.mark.parametrize("mode", ["capture", "authorise"])
@pytest.mark.parametrize("fault", LOST)
async def test_who_was_charged_and_timed_out_is_served_once(world: World, mode: str, fault: Fault) -> None:
    await _open(world, mode)
    ids = await _drained(world, None, None, None)
    for _ in range(3):
        await world.step("settle", [fault] * 3)
        await world.make_due()
    assert await world.rest() == []
    for order_id in ids:
        await _is_paid_once(world, order_id, mode)


@pytest.mark.parametrize("mode", ["capture", "authorise"])
@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.LATE, Fault.DIES_AFTER])
async def test_who_was_charged_after_the_hold_is_served_or_given_the_money_back(
    world: World, mode: str, fault: Fault
) -> None:
    """The hold ends while nobody knows what became of the payment; the units go to others, or come back."""
    await _open(world, mode, stock=4)
    first, second = await _drained(world, None, None)
    world.provider.is_down = True  # a slow shift asks more than once for each
    await world.step("settle", [fault] * 2)
    await _let_holds_end(world, [first, second])
    world.accept([Wish("late", [("lamp", 2)])])
    await world.drain(1)
    assert await world.rest(patience=20) == []
    ends = [await world.status(one) for one in world.order_ids]
    assert ends[2] == "confirmed"
    assert sorted(ends[:2]) == ["cancelled", "confirmed"], "one has its units again, the other its money"


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_reply_moves_no_money_twice(world: World, fault: Fault) -> None:
    """Of a capture, a void and a refund."""
    await _open(world, "authorise")
    shipped, dropped, back = await _drained(world, None, None, None)
    await world.step("settle")
    await world.step("settle")
    for one in (shipped, back):
        await world.by_hand(lambda ops, one=one: transitions.transition(ops, one, Status.PROCESSING))
        await world.by_hand(lambda ops, one=one: transitions.transition(ops, one, Status.SHIPPED))
    await world.by_hand(lambda ops: line_cancels.cancel(ops, dropped))
    for _ in range(2):
        await world.make_due()
        await world.step("money", [fault] * 3)
    await world.make_due()
    for _ in range(3):
        await world.step("money")
    for to in (Status.DELIVERED, Status.REFUNDED):
        await world.by_hand(lambda ops, to=to: transitions.transition(ops, back, to))
    for _ in range(2):
        await world.make_due()
        await world.step("money", [fault] * 2)
    assert await world.rest() == []
    kept = {one: world.provider.payments[one] for one in (shipped, dropped, back)}
    assert {one: (kept[one].captured, kept[one].refunded) for one in kept} == {
        shipped: (200, 0), dropped: (0, 0), back: (200, 200)
    }  # fmt: skip


async def test_a_provider_that_was_down_is_asked_again_by_itself(world: World) -> None:
    await _open(world, stock=100)
    ids = await _drained(world, *[None] * 30)
    await world.step("settle", [Fault.DOWN] * 60)
    await world.step("settle", [Fault.DOWN] * 60)
    asked = len(world.provider.calls)
    assert BREAK_AFTER <= asked <= 60
    await world.step("settle")
    assert len(world.provider.calls) == asked, "it is left alone"
    assert {await world.status(one) for one in ids} == {"pending"}
    assert await world.rest() == []
    assert {await world.status(one) for one in ids} == {"confirmed"}


async def test_what_is_drawn_for_a_step_meets_the_calls_that_it_begins(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when whoever looks whether the step is over looks just then."""
    monkeypatch.setattr(mortal, "_LOOK_S", 0.0)
    await _open(world, stock=100)
    for _ in range(10):
        (order_id,) = await _drained(world, None)
        await world.step("settle", [Fault.ANSWER_LOST])
        await world.step("settle")
        assert world.provider.payments[order_id].captured == 200
        assert await world.status(order_id) == "pending", "the answer was not lost"


# With a guard off the same checks find what is wrong.


async def _cancelled_after_a_lost_answer(world: World) -> list[str]:
    await _open(world)
    (order_id,) = await _drained(world, None)
    await world.step("settle", [Fault.ANSWER_LOST])
    await world.step("settle")
    await world.by_hand(lambda ops: line_cancels.cancel(ops, order_id))
    return await world.rest(rounds=8)


async def test_without_guards_off_that_is_right(world: World) -> None:
    assert await _cancelled_after_a_lost_answer(world) == []


async def test_without_a_queued_void_money_stays_without_goods(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def forgets(*_: Any, **__: Any) -> None:
        return

    monkeypatch.setattr(money, "queue_voids", forgets)
    world.provider.news.clear()
    problems = await _cancelled_after_a_lost_answer_untold(world)
    assert any("cancelled, and the provider has" in one for one in problems), problems


async def _cancelled_after_a_lost_answer_untold(world: World) -> list[str]:
    """As above, and no callback comes."""
    await _open(world)
    (order_id,) = await _drained(world, None)
    await world.step("settle", [Fault.ANSWER_LOST])
    await world.step("settle")
    await world.by_hand(lambda ops: line_cancels.cancel(ops, order_id))
    world.provider.news.clear()
    return await world.rest(rounds=8)


async def test_without_one_decision_for_late_answers_money_stays_without_goods(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "_take_back", lambda *_: Decision(MoneyStep.NOTE))
    problems = await _cancelled_after_a_lost_answer(world)
    assert any("the provider has" in one or "without goods" in one for one in problems), problems


async def test_without_a_steady_key_money_is_given_back_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = iter(range(1_000))
    monkeypatch.setattr(PaymentOperation, "key", property(lambda _: f"another key each time {next(tries)}"))
    await _open(world, "authorise")
    (order_id,) = await _drained(world, None)
    await world.step("settle")
    await world.step("settle")
    await world.by_hand(lambda ops: money.queue_capture(ops, order_id, 100, shipment_id=None))
    await world.step("money", [Fault.DIES_AFTER])
    await world.make_due()
    await world.step("money")
    await world.make_due()
    await world.step("money")
    assert world.provider.payments[order_id].captured == 200, "100 were to be taken"


async def test_without_waiting_for_the_provider_a_paid_order_is_cancelled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds did before: their end cancelled, whatever the provider had."""

    async def cancels(
        connection: Connection, ids: list[UUID], *, void_after_s: float, served: Any = None
    ) -> list[UUID]:
        return await transitions.cancel_many(connection, ids, reason="hold_expired")

    monkeypatch.setattr(transitions, "release_many", cancels)
    await _open(world)
    (order_id,) = await _drained(world, None)
    await world.step("settle", [Fault.ANSWER_LOST])
    await world.step("settle")
    await _let_holds_end(world, [order_id])
    world.provider.news.clear()
    problems = await world.rest(rounds=8)
    assert await world.status(order_id) == "cancelled"
    assert any("cancelled, and the provider has" in one for one in problems), problems


def test_the_guards_are_where_they_are_switched_off() -> None:
    assert apply.decide is reconcile.decide
