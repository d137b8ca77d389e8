"""The sweep shift: ended holds give their units back, and never fight with a payment that comes at the same moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from db.work import due_work, shifts
from tests.fixtures.waiting import eventually
from tests.integration.workers.payments.test_settle import RecordingGateway
from workers.payments.sweep import grace_s
from workers.runtime.shift import EndReason

if TYPE_CHECKING:
    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop


LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
ENDED = "expires_at = now() - interval '1 h', attempts = 1"


async def test_ended_holds_are_cancelled_and_others_stay(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=3000)
    await shop.open_sale("lamp")
    ended = await shop.buy(*(f"c{n}" for n in range(1200)), lamp=1)
    await shop.drain()
    await db.execute(f"update reservations set {ENDED}")
    held = await shop.buy("late", lamp=5)
    await shop.drain()
    gateway = RecordingGateway()
    assert await shop.sweep() == EndReason.DONE
    assert await shop.ledger("lamp") == (2995, 5, 0)
    assert set(await shop.statuses([*ended, *held])) == {"pending"}, "what became of their payment is not known yet"
    # A machine that is late must neither let a look-up run into its time-out nor make it too old to let money go by.
    await shop.money(gateway, lease_s=60, payment_timeout_s=60)
    assert set(await shop.statuses(ended)) == {"cancelled:hold_expired"}
    assert await shop.statuses(held) == ["pending"]
    assert await shop.ledger("lamp") == (2995, 5, 0)
    assert sorted(gateway.voided) == sorted(ended)


@pytest.mark.parametrize(
    "but",
    ["attempts = 0", "expires_at = now() - interval '1 s'"],
    ids=["its payment was not asked for", "the settle shift has its turn first"],
)
async def test_an_ended_hold_is_not_swept(shop: Shop, db: Connection, but: str) -> None:
    await shop.stock(lamp=3)
    await shop.open_sale("lamp")
    ids = await shop.buy("ada", lamp=1)
    await shop.drain()
    await db.execute(f"update reservations set {ENDED}")
    await db.execute(f"update reservations set {but}")
    assert not await due_work.any_expired(db, late_s=grace_s(shop.settings))
    await shop.sweep()
    assert await shop.statuses(ids) == ["pending"]


async def test_where_a_settle_shift_lives_nothing_is_swept(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=3)
    await shop.open_sale("lamp", partitions=2)
    await shop.accept(shop.entry("ada", lamp=1), partition=0)
    ids = await shop.accept(shop.entry("bob", lamp=1), partition=1)
    await shop.drain(0)
    await shop.drain(1)
    await db.execute(f"update reservations set {ENDED}")
    await shifts.acquire(db, f"settle:{shop.sale_number}:1", holder="alive", lease_s=60)
    await shop.sweep()
    assert await shop.statuses(ids) == ["pending"]
    assert not await due_work.any_expired(db, late_s=grace_s(shop.settings))
    await shifts.release(db, f"settle:{shop.sale_number}:1", 1)
    await shop.sweep()
    await shop.money()
    assert await shop.statuses(ids) == ["cancelled:hold_expired"]


async def test_sweeping_while_settling_ends_every_order_once(shop: Shop, db: Connection) -> None:
    """Payments are approved while their holds end: who comes first wins, and money is held only for the paid."""
    await shop.stock(lamp=3000)
    await shop.open_sale("lamp")
    ids = await shop.buy(*(f"c{n}" for n in range(400)), lamp=1, token="slow:50")
    await shop.drain()
    settling = RecordingGateway(everything=True)

    async def asked() -> bool:
        return bool(settling.asked)

    async def end(first: int) -> None:
        some = ids[first : first + 10]
        await db.execute(f"update reservations set {ENDED} where order_id = any($1)", some)

    async def sweep() -> None:
        await eventually(asked)
        for first in range(0, 380, 20):
            await end(first)
            # As of a settle shift that is late: its lease has run out, and it still works.
            await db.execute("update shifts set lease_expires_at = now() where name like 'settle:%'")
            await shop.sweep()

    await end(380)
    await shop.sweep()  # a machine that gives the other sweeps no turn till all are paid has some that end all the same
    await asyncio.gather(shop.settle(settling, settle_concurrency=40), sweep())
    await shop.money(settling)
    statuses = dict(zip(ids, await shop.statuses(ids), strict=True))
    confirmed = {one for one, status in statuses.items() if status == "confirmed"}
    cancelled = {one for one, status in statuses.items() if status == "cancelled:hold_expired"}
    assert confirmed | cancelled == set(ids)
    assert cancelled
    assert await db.fetchval("select count(*) from payment_operations where state <> 'done'") == 0
    held = {
        one.order_id
        for one in [p async for p in settling.list(datetime.min)]
        if one.payment.captured > one.payment.refunded
    }
    assert held == confirmed
    assert await shop.ledger("lamp") == (3000 - len(confirmed), len(confirmed), 0)
