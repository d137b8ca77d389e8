"""Sequences in which the drawn life of an order once went wrong, each as short as it can be told."""

from __future__ import annotations

from uuid import UUID

from db import sales
from db.orders.fulfilment import line_cancels, refunds, shipments
from db.orders.fulfilment.refunds import RefundKey
from db.orders.orders import LineUnits, RefundLine
from db.orders.states import Status
from db.orders.transitions import transition
from tests.fixtures.chaotic_provider import Fault
from tests.fixtures.life.world import Wish, World


async def _opened(world: World, *wishes: Wish, payment: sales.PaymentMode) -> list[UUID]:
    terms = [sales.SaleProduct(product_id="a"), sales.SaleProduct(product_id="b")]
    spec = sales.SaleSpec(sale_id="sale", products=terms, payment=payment)
    await world.begin(spec, {"a": 5, "b": 5}, {"a": 100, "b": 250})
    world.accept(wishes)
    await world.drain(len(wishes))
    return world.order_ids


async def _all_goes_well(world: World) -> None:
    await world.make_due()
    for kind in ("settle", "settle", "money", "money"):
        await world.step(kind)


async def test_an_order_served_after_its_hold_keeps_its_money(world: World) -> None:
    """The void that was queued when the hold ended took the money of an order that a callback had brought back."""
    [order_id] = await _opened(world, Wish("ann", [("a", 2)]), payment="authorise")
    await world.end_holds([order_id])
    for _ in range(3):
        await world.step("settle", [Fault.ANSWER_LOST])
    assert (await world.read()).orders[order_id].due("void")
    await world.tell([0])
    await world.step("money")
    await world.step("money")
    assert await world.status(order_id) == "confirmed"
    await _all_goes_well(world)
    assert world.provider.payments[order_id].held == 200


async def test_an_order_refunded_before_its_money_was_taken_keeps_none(world: World) -> None:
    """The parcel's money was taken after the order was refunded, and stayed."""
    [order_id] = await _opened(world, Wish("ann", [("a", 2)]), payment="authorise")
    await _all_goes_well(world)
    for to in (Status.PROCESSING, Status.SHIPPED, Status.DELIVERED, Status.REFUNDED):
        await transition(world.admin, order_id, to)
    for _ in range(3):
        await _all_goes_well(world)
    kept = world.provider.payments[order_id]
    assert (kept.captured - kept.refunded, kept.held) == (0, 0)


async def test_an_order_is_not_refunded_while_a_parcel_is_not_paid(world: World) -> None:
    """All that was taken so far was given back, and the order ended there, with a parcel still to be paid."""
    [order_id] = await _opened(world, Wish("ann", [("a", 1), ("b", 1)]), payment="authorise")
    await _all_goes_well(world)
    parcels = [await shipments.ship(world.admin, order_id, lines=[LineUnits(1, 1)])]
    await _all_goes_well(world)
    parcels.append(await shipments.ship(world.admin, order_id))
    for parcel in parcels:
        await shipments.change_shipment(world.admin, order_id, parcel.shipment_id, status="delivered")
    key = RefundKey("key", b"x")
    await refunds.refund(world.admin, order_id, lines=[RefundLine(1, 1)], amount=None, reason="broken", key=key)
    assert await world.status(order_id) == "delivered"
    for _ in range(3):
        await _all_goes_well(world)
    kept = world.provider.payments[order_id]
    assert (kept.captured, kept.refunded) == (350, 100)


async def test_a_refund_is_not_made_again_when_its_key_is_forgotten(world: World) -> None:
    """The answer was lost, and asked again a day later, under a key that nobody remembers, it was made twice."""
    [order_id] = await _opened(world, Wish("ann", [("a", 3)]), payment="capture")
    await _all_goes_well(world)
    key = RefundKey("key", b"x")
    await refunds.refund(world.admin, order_id, lines=None, amount=100, reason="late", key=key)
    for _ in range(2):
        await world.step("money", [Fault.ANSWER_LOST])
    await world.a_day_passes()
    for _ in range(3):
        await _all_goes_well(world)
    assert world.provider.payments[order_id].refunded == 100


async def test_a_capture_is_not_made_again_when_its_key_is_forgotten(world: World) -> None:
    [order_id] = await _opened(world, Wish("ann", [("a", 3)]), payment="authorise")
    await _all_goes_well(world)
    await shipments.ship(world.admin, order_id, lines=[LineUnits(1, 1)])
    for _ in range(2):
        await world.step("money", [Fault.ANSWER_LOST])
    await world.a_day_passes()
    for _ in range(3):
        await _all_goes_well(world)
    assert world.provider.payments[order_id].captured == 100


async def test_who_stands_by_and_wants_less_is_served_before_who_comes_later(world: World) -> None:
    """What it wanted now was there, and went to an order that was accepted later."""
    first, _ = await _opened(
        world, Wish("ann", [("a", 7), ("b", 1)], standby=True), Wish("bob", [("b", 1)]), payment="capture"
    )
    await line_cancels.cancel(world.admin, first, lines=[LineUnits(1, 2)])
    order = (await world.read()).orders[first]
    assert (order.stands_by, order.hold is not None) == (False, True)
    await _all_goes_well(world)
    assert world.provider.payments[first].captured == 5 * 100 + 250


async def test_an_order_of_before_the_close_costs_what_it_cost_then(world: World) -> None:
    """The price was changed after the sale was closed, and before what had been accepted was drained."""
    await _opened(world, payment="capture")
    world.accept([Wish("ann", [("a", 2)])])
    await world.close_sale()
    await world.reprice("a", 130)
    await world.drain(1)
    (order,) = (await world.read()).orders.values()
    assert order.row["total"] == 200
    await _all_goes_well(world)
