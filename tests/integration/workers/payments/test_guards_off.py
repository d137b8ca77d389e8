"""Negative controls of the life of an order: with one guard off the checks find what goes wrong, with it on nothing.

What is checked is what the drawn life of an order is checked by, so these show that it can fail.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from db import sales
from db.orders import money, standby, transitions
from db.orders.fulfilment import line_cancels, locked_order, refunds
from db.orders.fulfilment.refunds import RefundKey
from db.orders.money import PaymentOperation
from db.orders.states import Status
from db.orders.transitions import transition
from db.products import stock
from db.work import drain_batch
from db.work.copy_rows import UNPAID
from tests.fixtures.chaotic_provider import Call, Fault
from tests.fixtures.life.world import Wish, World
from workers.drain import at_once
from workers.payments import money as money_shift
from workers.payments import settle
from workers.payments.gateway import PaymentRequest, ProviderPayment

Patch = pytest.MonkeyPatch
guarded = pytest.mark.parametrize("guard", [True, False], ids=["guard on", "guard off"])


async def _nothing(*_: Any, **__: Any) -> None:
    """Stand in for what a guard does."""


def _rewrite(monkeypatch: Patch, module: ModuleType, name: str, change: Callable[[str], str]) -> None:
    """Have a module use another statement in place of one of its own."""
    statements: Mapping[str, str] = module._SQL
    changed = change(statements[name])
    assert changed != statements[name]
    monkeypatch.setattr(module, "_SQL", {**statements, name: changed})


async def _opened(world: World, *wishes: Wish, payment: sales.PaymentMode = "capture", units: int = 5) -> list[UUID]:
    spec = sales.SaleSpec(sale_id="sale", products=[sales.SaleProduct(product_id="a")], payment=payment)
    await world.begin(spec, {"a": units}, {"a": 100})
    world.accept(wishes)
    await world.drain(len(wishes))
    return world.order_ids


async def _all_goes_well(world: World) -> None:
    await world.make_due()
    for kind in ("settle", "settle", "money", "money"):
        await world.step(kind)


async def _judge(world: World, guard: bool, *, news: bool = False) -> None:
    """Let everything come to rest: all is right with the guard, and something is wrong without it."""
    if not news:
        world.provider.news.clear()  # callbacks need never come
    problems = [*await world.problems(), *await world.rest()]
    if guard:
        assert problems == []
    else:
        with pytest.raises(AssertionError):
            assert problems == []


@guarded
async def test_the_void_after_a_cancel(open_world: World, monkeypatch: Patch, guard: bool) -> None:
    """The answer was lost: only a void lets go what is held, for nobody knows of it."""
    world = open_world
    if not guard:
        monkeypatch.setattr(money, "queue_voids", _nothing)
    [order_id] = await _opened(world, Wish("ann", [("a", 2)]), payment="authorise")
    await world.step("settle", [Fault.ANSWER_LOST])
    await world.step("settle")
    await line_cancels.cancel(world.admin, order_id)
    await _judge(world, guard)


@guarded
async def test_the_state_that_a_confirmation_asks_for(open_world: World, monkeypatch: Patch, guard: bool) -> None:
    """The order is cancelled while the provider is asked."""
    world = open_world
    if not guard:
        _rewrite(
            monkeypatch,
            transitions,
            "confirm_paid",
            lambda sql: sql.replace(" and status = 'pending'", "").replace(
                "any(array(select order_id from ended)) and", "any($1::uuid[]) and"
            ),
        )
    [order_id] = await _opened(world, Wish("ann", [("a", 2)]))
    await world.step("settle", [Fault.ANSWER_WAITS])
    await line_cancels.cancel(world.admin, order_id)
    world.provider.release(0)
    for _ in range(3):
        await world.step("settle")
    await _judge(world, guard)


@guarded
async def test_the_key_of_a_repeated_refund(open_world: World, monkeypatch: Patch, guard: bool) -> None:
    """The refund was made, and the shift died before it could say so."""
    world = open_world
    if not guard:
        asked = itertools.count()
        monkeypatch.setattr(PaymentOperation, "key", property(lambda one: f"{one.operation_id}:{next(asked)}"))
    await _refunded(world)
    await world.step("money", [Fault.DIES_AFTER])
    await _judge(world, guard)


@guarded
async def test_the_look_up_before_a_repeated_refund(open_world: World, monkeypatch: Patch, guard: bool) -> None:
    """The refund was made, the answer lost, and its key is forgotten when it is asked for again."""
    world = open_world
    if not guard:
        monkeypatch.setattr(money_shift, "_has", lambda *_: 0)
    await _refunded(world)
    for _ in range(2):
        await world.step("money", [Fault.ANSWER_LOST])
    await world.a_day_passes()
    await _judge(world, guard)


async def _refunded(world: World) -> None:
    """Have a refund due."""
    [order_id] = await _opened(world, Wish("ann", [("a", 3)]))
    await _all_goes_well(world)
    key = RefundKey("key", b"x")
    await refunds.refund(world.admin, order_id, lines=None, amount=100, reason="late", key=key)


@guarded
async def test_the_look_up_before_a_repeated_authorisation(open_world: World, monkeypatch: Patch, guard: bool) -> None:
    """The payment was made, and nobody heard; asked for blindly, under another key, it is made twice."""
    world = open_world
    if not guard:

        async def asked(self: settle.Settle, payment: Any) -> ProviderPayment:
            again = payment._replace(order_id=UUID(int=payment.order_id.int ^ payment.attempts))
            return await self._gateway.authorise(again)

        monkeypatch.setattr(settle.Settle, "_asked", asked)
    await _opened(world, Wish("ann", [("a", 2)]))
    await world.step("settle", [Fault.ANSWER_LOST])
    await world.step("settle")
    await _judge(world, guard)


@guarded
async def test_the_turn_of_those_who_stand_by(open_world: World, monkeypatch: Patch, guard: bool) -> None:
    """Two wait for one unit, and one comes in."""
    world = open_world
    if not guard:
        _rewrite(
            monkeypatch,
            standby,
            "lock_waiting",
            lambda sql: sql.replace("order by accepted_at, entry_seq", "order by accepted_at desc, entry_seq"),
        )
    waiting = [Wish(one, [("a", 1)], standby=True) for one in ("bob", "eve")]
    await _opened(world, Wish("ann", [("a", 1)]), *waiting, units=1)
    assert await world.problems() == []
    await stock.receive(world.admin, "a", 1)
    await _judge(world, guard)


@guarded
async def test_units_go_back_with_the_hold(open_world: World, monkeypatch: Patch, guard: bool) -> None:
    """Without giving back an order is cancelled, and its units stay reserved for nobody."""
    world = open_world
    if not guard:
        monkeypatch.setattr(transitions, "_give_back", _nothing)
    await _opened(world, Wish("ann", [("a", 2)], "tok_decline"))
    await _all_goes_well(world)
    await _judge(world, guard)


@guarded
async def test_the_void_is_dropped_of_who_is_served_after_all(
    open_world: World, monkeypatch: Patch, guard: bool
) -> None:
    world = open_world
    if not guard:
        monkeypatch.setattr(money, "keep_payment", _nothing)
    [order_id] = await _opened(world, Wish("ann", [("a", 2)]), payment="authorise")
    await world.end_holds([order_id])
    for _ in range(3):
        await world.step("settle", [Fault.ANSWER_LOST])
    await world.tell([0])
    for _ in range(2):
        await world.step("money")
    await _judge(world, guard, news=True)


@guarded
async def test_the_price_of_the_acceptance(open_world: World, monkeypatch: Patch, guard: bool) -> None:
    """Ops change a price between an order's acceptance and its drain."""
    world = open_world
    if not guard:
        _rewrite(
            monkeypatch, drain_batch, "lock_sellable", lambda sql: sql.replace("f.until > $3", "f.until > $3 and false")
        )
    await _opened(world)
    world.accept([Wish("ann", [("a", 2)])])
    await world.reprice("a", 130)
    await world.drain(1)
    await _judge(world, guard)


@guarded
async def test_every_step_has_its_event(open_world: World, monkeypatch: Patch, guard: bool) -> None:
    world = open_world
    if not guard:
        _rewrite(
            monkeypatch,
            locked_order,
            "tell",
            lambda sql: sql.replace("values (", "select ").rstrip(")") + " where false",
        )
    [order_id] = await _opened(world, Wish("ann", [("a", 2)]))
    await _all_goes_well(world)
    await transition(world.admin, order_id, Status.PROCESSING)
    await _judge(world, guard)


@guarded
async def test_what_is_paid_at_once_is_noted(open_world: World, monkeypatch: Patch, guard: bool) -> None:
    """The drain confirms an order whose money the provider has: without a note of it nothing is ever given back."""
    world = open_world
    world.provider.answers_plain = True
    if not guard:
        monkeypatch.setattr(at_once.AtOnce, "__call__", lambda *_: UNPAID)
    [order_id] = await _opened(world, Wish("ann", [("a", 2)]))
    assert await world.status(order_id) == "confirmed", "without the settle shift"
    if not guard:
        _pay(world, order_id)
    await _judge(world, guard)


def _pay(world: World, order_id: UUID) -> None:
    """Have the provider take what the order costs."""
    request = PaymentRequest(order_id, 200, "EUR", None, capture=True)
    world.provider.do(Call("authorise", request))
