"""Every batch step on orders in every condition: those move that may by the table, and of the others nothing changes.

By hand, one at a time, the same is tried in `test_transitions.py` and over HTTP. What the statements ask for is held
against the table in Python as well, statement by statement.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from redis.asyncio import Redis

from db import query_files, sales
from db.connections.pool import Connection
from db.orders import holds, standby
from db.orders.states import ALLOWED, Status
from db.orders.transitions import PaidOrder, cancel_many, confirm_many, confirm_paid, release_many, transition
from db.products import stock
from doorbuster.settings import Settings
from tests.fixtures.life import checks
from tests.fixtures.life.books import Books
from tests.fixtures.life.world import Wish, World

WAY = (Status.CONFIRMED, Status.PROCESSING, Status.SHIPPED, Status.DELIVERED, Status.REFUNDED)
HELD, RELEASED, WAITING = "pending, held", "pending, its hold ended", "pending, stands by"
CONDITIONS = (HELD, RELEASED, WAITING, *WAY, Status.CANCELLED)
Step = Callable[[World, Sequence[UUID]], Awaitable[object]]


async def _confirm_paid(world: World, ids: Sequence[UUID]) -> None:
    await confirm_paid(world.admin, [PaidOrder(one, "captured", None, 100, None) for one in ids])


async def _serve_anew(world: World, ids: Sequence[UUID]) -> None:
    """As who hears that an order was paid after its hold had ended; of others only the statement's guard is tried."""
    rows = await world.admin.fetch(
        "select o.order_id, status = 'pending' as is_pending, r.order_id is null and reason is null as is_released"
        " from orders o left join reservations r using (order_id)"
    )
    for order_id, is_pending, is_released in rows:
        if not is_pending:
            assert not await holds.confirm_anew(world.admin, order_id)
        elif is_released:
            assert await holds.take_units(world.admin, order_id)
            assert await holds.confirm_anew(world.admin, order_id)


async def _release(world: World, ids: Sequence[UUID]) -> None:
    await world.end_holds(ids)
    await release_many(world.admin, ids, void_after_s=0)


async def _end_standby(world: World, ids: Sequence[UUID]) -> None:
    await world.close_sale()
    await standby.end_waiting(world.admin, limit=100)


async def _serve(world: World, ids: Sequence[UUID]) -> None:
    await stock.receive(world.admin, "b", 100)


STEPS: dict[str, tuple[Step, dict[str, str]]] = {
    "confirm what costs nothing": (lambda world, ids: confirm_many(world.admin, ids), {HELD: "confirmed"}),
    "confirm what was paid": (_confirm_paid, {HELD: "confirmed"}),
    "cancel": (
        lambda world, ids: cancel_many(world.admin, ids, reason="payment_declined"),
        {HELD: "cancelled", RELEASED: "cancelled", WAITING: "cancelled"},
    ),
    "serve who paid late": (_serve_anew, {RELEASED: "confirmed"}),
    "let go the units of ended holds": (_release, {HELD: "pending"}),
    "end the standby": (_end_standby, {WAITING: "cancelled"}),
    "serve the standby": (_serve, {WAITING: "pending"}),
}


@pytest.fixture
async def world(db: Connection, database_url: str, settings: Settings, orders_redis: Redis) -> AsyncIterator[World]:
    world = World(db, database_url, settings, orders_redis)
    yield world
    await world.close()


async def _one_in_each(world: World) -> dict[str, UUID]:
    """Open a shop with an order in each condition; of product b there is nothing yet."""
    terms = [sales.SaleProduct(product_id="a"), sales.SaleProduct(product_id="b", limit_per_customer=50)]
    await world.begin(sales.SaleSpec(sale_id="sale", products=terms), {"a": 50, "b": 0}, {"a": 100, "b": 100})
    world.accept([Wish("ann", [("b" if one is WAITING else "a", 2)], standby=one is WAITING) for one in CONDITIONS])
    await world.drain(len(CONDITIONS))
    orders = dict(zip(CONDITIONS, world.order_ids, strict=True))
    for condition, order_id in orders.items():
        if condition in WAY:
            for step in WAY[: WAY.index(Status(condition)) + 1]:
                await transition(world.admin, order_id, step)
    await transition(world.admin, orders[Status.CANCELLED], Status.CANCELLED)
    await _release(world, [orders[RELEASED]])
    await world.admin.execute("update reservations set expires_at = now() + interval '1 h'")
    assert _wrong(await world.read()) == []
    return orders


def _wrong(books: Books) -> list[str]:
    return [*checks.ledger(books), *checks.units(books), *checks.histories(books)]


@pytest.mark.parametrize("name", STEPS)
async def test_a_batch_moves_those_that_may_and_no_other(world: World, name: str) -> None:
    step, moves = STEPS[name]
    orders = await _one_in_each(world)
    before = await world.read()
    for _ in range(2):  # again changes nothing
        async with world.admin.transaction():
            await step(world, list(orders.values()))
        after = await world.read()
        for condition, order_id in orders.items():
            if condition in moves:
                assert after.orders[order_id].status == moves[condition], condition
                assert after.orders[order_id] != before.orders[order_id], condition
            else:
                assert after.orders[order_id] == before.orders[order_id], condition
        assert _wrong(after) == []


QUERIES = Path(query_files.__file__).with_name("queries")
MOVES = {
    "confirm_if_pending": "confirmed",
    "confirm_paid": "confirmed",
    "confirm_anew": "confirmed",
    "cancel_if_pending": "cancelled",
    "serve": "confirmed",
    "refuse": "cancelled",
    "end_waiting": "cancelled",
    "move_order": "$2",  # of an order that is locked, by what `states.py` allows
}
"""Every statement that sets an order's state, and to what."""


def _setting_a_state() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for path in QUERIES.glob("*.sql"):
        if path.stem in ("loadtests", "rivals", "baseline"):
            continue
        for name, text in query_files.load(path.stem).items():
            for update in re.findall(r"update orders\b.*?(?:\bwhere\b|\Z)", text, re.DOTALL):
                if became := re.search(r"\bstatus = (?:case when \S+ then )?'?(\$?\w+)", update):
                    found[name] = (became[1], text)
    return found


def test_every_statement_that_sets_a_state_is_known() -> None:
    assert {name: became for name, (became, _) in _setting_a_state().items()} == MOVES


@pytest.mark.parametrize("name", [name for name, became in MOVES.items() if became != "$2"])
def test_a_statement_asks_for_a_state_from_which_the_table_leads_on(name: str) -> None:
    became, text = _setting_a_state()[name]
    if name in ("serve", "refuse"):  # of orders that `lock_waiting` has locked in the transaction
        text = query_files.load("standby")["lock_waiting"]
    asked = set(re.findall(r"\bstatus = '(\w+)'(?!,)", text.replace(f"set status = '{became}'", "")))
    assert asked - {became} == {"pending"}
    assert Status(became) in ALLOWED[Status.PENDING]
