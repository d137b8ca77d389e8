"""One order, many hands: the same units are cancelled, sent and refunded at once, and each goes one way alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from db.orders.fulfilment import line_cancels, locked_order, refunds, shipments
from db.orders.fulfilment.refunds import RefundKey
from db.orders.orders import read_order
from db.orders.states import Status
from db.orders.transitions import transition
from doorbuster.contract.orders import LineUnits, RefundLine
from doorbuster.errors import DoorbusterError

if TYPE_CHECKING:
    from db.connections.pool import Connection, Pool
    from tests.fixtures.shop import Shop

ORDERS, PRICE = 12, 100
Hand = Callable[["Connection", UUID], Awaitable[object]]


async def _paid(shop: Shop, *, units: int = 2) -> list[UUID]:
    await shop.stock(lamp=100)
    await shop.open_sale("lamp")
    orders = await shop.buy(*(f"c{n}" for n in range(ORDERS)), lamp=units)
    await shop.drain()
    for order_id in orders:
        await transition(shop.db, order_id, Status.CONFIRMED)
    await shop.db.execute("update orders set payment = 'captured', captured = total")
    return orders


def _cancel(units: int | None) -> Hand:
    lines = None if units is None else [LineUnits(1, units)]
    return lambda connection, order_id: line_cancels.cancel(connection, order_id, lines=lines)


def _ship(units: int | None) -> Hand:
    lines = None if units is None else [LineUnits(1, units)]
    return lambda connection, order_id: shipments.ship(connection, order_id, lines=lines)


def _refund(units: int, key: str = "k") -> Hand:
    return lambda connection, order_id: refunds.refund(
        connection, order_id, lines=[RefundLine(1, units)], amount=None, reason="race",
        key=RefundKey(key, b"%d" % units),
    )  # fmt: skip


async def _at_once(pool: Pool, orders: list[UUID], *hands: Hand) -> list[BaseException | object]:
    """Do all of this to each order at once; return what came of it, refusals too."""

    async def one(hand: Hand, order_id: UUID) -> object:
        async with pool.acquire() as connection:
            return await hand(connection, order_id)

    tried = [one(hand, order_id) for order_id in orders for hand in hands]
    found = await asyncio.gather(*tried, return_exceptions=True)
    unexpected = [one for one in found if isinstance(one, BaseException) and not isinstance(one, DoorbusterError)]
    assert unexpected == []
    return found


async def _money(shop: Shop, order_id: UUID) -> int:
    """Return what is given back of an order, or on its way back."""
    found: int = await shop.db.fetchval(
        "select coalesce(sum(amount), 0)::bigint from refunds where order_id = $1", order_id
    )
    return found


async def test_units_are_cancelled_sent_or_refunded_and_never_two_of_these(shop: Shop, pool: Pool) -> None:
    orders = await _paid(shop)
    await _at_once(pool, orders, _cancel(1), _ship(1), _refund(1, "a"), _ship(None), _cancel(None), _refund(2, "b"))
    ways = set()
    for order_id in orders:
        order = await read_order(shop.db, order_id)
        assert order is not None
        (line,) = order.lines
        assert line.open == 0
        assert line.cancelled + line.shipped == 2
        assert sum(part.quantity for one in order.shipments for part in one.lines) == line.shipped
        assert await _money(shop, order_id) == PRICE * (line.cancelled + line.returned) <= 2 * PRICE
        ways.add(line.cancelled)
    assert ways, "each order went some way"
    assert await shop.breaches() == []


async def test_no_more_is_refunded_than_was_taken_however_many_ask_at_once(shop: Shop, pool: Pool) -> None:
    orders = await _paid(shop)
    found = await _at_once(pool, orders, *(_refund(1, f"k{n}") for n in range(5)))
    for order_id in orders:
        assert await _money(shop, order_id) == 2 * PRICE
    assert sum(isinstance(one, DoorbusterError) for one in found) == 3 * ORDERS


async def test_one_key_refunds_once_however_often_it_is_sent_at_once(shop: Shop, pool: Pool) -> None:
    orders = await _paid(shop)
    found = await _at_once(pool, orders, *[_refund(1)] * 4)
    assert not [one for one in found if isinstance(one, BaseException)]
    for order_id in orders:
        assert await _money(shop, order_id) == PRICE
    replays = [one for one in found if isinstance(one, refunds.Refunded) and one.is_replay]
    assert len(replays) == 3 * ORDERS


async def test_hands_and_the_settle_shift_do_not_deadlock(shop: Shop, pool: Pool) -> None:
    """Orders are cancelled by hand, by line and whole, while their payments are declined."""
    await shop.stock(lamp=100, rug=100)
    await shop.open_sale("lamp", "rug")
    orders = await shop.buy(*(f"c{n}" for n in range(ORDERS)), token="decline", lamp=2, rug=1)
    await shop.drain()
    await asyncio.gather(_at_once(pool, orders, _cancel(1), _cancel(None)), shop.settle())
    assert await shop.ledger("lamp") == (100, 0, 0)
    assert await shop.ledger("rug") == (100, 0, 0)


@pytest.mark.parametrize("hands", [(_cancel(2), _ship(2)), (_refund(2, "a"), _refund(2, "b"))])
async def test_control_without_the_lock_units_go_two_ways(
    shop: Shop, pool: Pool, monkeypatch: pytest.MonkeyPatch, hands: tuple[Hand, Hand]
) -> None:
    """The same race where the order is only read: if this came out right, the tests above would prove nothing."""
    orders = (await _paid(shop))[:1]
    await shop.db.execute("alter table order_lines drop constraint units_go_one_way")
    await shop.db.execute("alter table stock drop constraint reserved_not_negative")
    await shop.db.execute("alter table order_events drop constraint order_events_pkey")
    sql = dict(locked_order._SQL)
    sql["lock_order"] = sql["lock_order"].replace(" for update", "")
    monkeypatch.setattr(locked_order, "_SQL", sql)
    both_read, lock = asyncio.Barrier(2), locked_order.lock

    async def lock_nothing(connection: Connection, order_id: UUID) -> locked_order.LockedOrder:
        order = await lock(connection, order_id)
        await both_read.wait()
        return order

    for module in (line_cancels, shipments, refunds):
        monkeypatch.setattr(module, "lock", lock_nothing)
    await _at_once(pool, orders, *hands)
    assert await shop.breaches() != [] or await _money(shop, orders[0]) > 2 * PRICE
    await shop.db.execute("truncate orders, order_lines, order_events, reservations, stream_cursors")
    await shop.db.execute("update stock set stock = received, reserved = 0, sold = 0")  # the audit looks at every shop
    await shop.db.execute("update sale_products set taken = 0")
