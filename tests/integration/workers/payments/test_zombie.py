"""A money shift that stood still right before it sends, and wakes when another has taken over and gone on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from db.orders import money
from tests.fixtures.paying import end_action, let_go, money_of
from workers.payments import reconcile
from workers.payments.simulated import SimulatedGateway
from workers.payments.simulated_books import PostgresBooks
from workers.runtime.shift import EndReason

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from db.connections.pool import Connection
    from tests.fixtures.shop import Shop
    from workers.payments.gateway import PaymentRequest, ProviderPayment

PATIENT = {"payment_timeout_s": 60.0, "lease_s": 60.0}
"""A machine that stands still for seconds lets nobody give up: what is put off the shift does not do any more."""


@pytest.fixture
async def lamp_sale(shop: Shop) -> Shop:
    await shop.stock(lamp=10)
    await shop.open_sale("lamp", payment="authorise")
    return shop


class Pausing(SimulatedGateway):
    """Stands still at one of its calls, before it is sent, or behind it."""

    def __init__(self, shop: Shop, call: str, *, behind: bool = False) -> None:
        super().__init__(PostgresBooks(shop.settings.database_url.get_secret_value(), timeout_s=60))
        self._call, self._behind = call, behind
        self.paused, self.wake, self.sent = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def _stand_still(self, call: str, ask: Callable[[], Any]) -> Any:
        if call != self._call:
            return await ask()
        found = await ask() if self._behind else None
        self.paused.set()
        await self.wake.wait()
        found = found or await ask()
        self.sent.set()
        return found

    async def look_up(self, payment: PaymentRequest) -> ProviderPayment:
        found: ProviderPayment = await self._stand_still("look_up", lambda: super(Pausing, self).look_up(payment))
        return found

    async def void(self, payment: PaymentRequest, *, key: str) -> ProviderPayment:
        found: ProviderPayment = await self._stand_still("void", lambda: super(Pausing, self).void(payment, key=key))
        return found

    async def refund(self, payment: PaymentRequest, amount: int, *, key: str) -> ProviderPayment:
        found: ProviderPayment = await self._stand_still(
            "refund", lambda: super(Pausing, self).refund(payment, amount, key=key)
        )
        return found


async def _zombie(shop: Shop, db: Connection, gateway: Pausing) -> asyncio.Task[EndReason]:
    """Return a money shift that stands still, and has lost its lease."""
    # Its loop goes on: with a lease of seconds it would renew it, or miss it, before a successor has done its work.
    zombie = asyncio.create_task(shop.money(gateway, **PATIENT))
    await asyncio.wait_for(gateway.paused.wait(), 30)
    await db.execute("update shifts set lease_expires_at = now() where name = 'money'")
    return zombie


async def _held(db: Connection, order_id: UUID) -> str:
    status: str = await db.fetchval("select status from simulated_payments where order_id = $1", order_id)
    return status


async def _wake_after_a_successor(shop: Shop, db: Connection, order_id: UUID, gateway: Pausing) -> None:
    """Let the shopper pay while the first shift stands still, another go on, and then the first."""
    zombie = await _zombie(shop, db, gateway)
    await end_action(db, order_id, succeeds=True)
    await money.queue_look_ups(db, [order_id])
    await shop.money(**PATIENT)
    gateway.wake.set()
    await asyncio.wait_for(gateway.sent.wait(), 30)
    assert await zombie == EndReason.LEASE_LOST
    await shop.money(**PATIENT)


async def test_what_a_zombie_lets_go_has_no_goods(lamp_sale: Shop, db: Connection) -> None:
    order_id = await let_go(lamp_sale, db, "action")
    await _wake_after_a_successor(lamp_sale, db, order_id, Pausing(lamp_sale, "void"))
    assert await lamp_sale.statuses([order_id]) == ["cancelled:hold_expired"]
    assert await _held(db, order_id) == "voided"
    assert await lamp_sale.ledger("lamp") == (10, 0, 0)


async def test_control_a_successor_that_knows_of_no_decision_gives_goods_without_money(
    lamp_sale: Shop, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the payment is found, relied upon, and then let go by the zombie."""
    order_id = await let_go(lamp_sale, db, "action")
    true_money_of = money.money_of

    async def forgetful(*arguments: Any, **named: Any) -> dict[UUID, money.OrderMoney]:
        return {one: of._replace(letting_go=False) for one, of in (await true_money_of(*arguments, **named)).items()}

    monkeypatch.setattr(money, "money_of", forgetful)
    await _wake_after_a_successor(lamp_sale, db, order_id, Pausing(lamp_sale, "void"))
    assert await lamp_sale.statuses([order_id]) == ["confirmed"]
    assert await _held(db, order_id) == "voided"
    await db.execute("update orders set payment = 'voided', paid_elsewhere = true")  # the audit looks at every shop


async def test_a_zombie_that_decided_nothing_yet_sends_nothing(lamp_sale: Shop, db: Connection) -> None:
    order_id = await let_go(lamp_sale, db, "action")
    await _wake_after_a_successor(lamp_sale, db, order_id, Pausing(lamp_sale, "look_up", behind=True))
    assert await lamp_sale.statuses([order_id]) == ["confirmed"]
    assert await _held(db, order_id) != "voided"
    assert (await money_of(db, order_id))[0] == "authorised"


async def test_what_a_zombie_gives_back_is_given_back_once(shop: Shop, db: Connection) -> None:
    await shop.stock(lamp=10)
    await shop.open_sale("lamp")
    (order_id,) = await shop.buy("ada", lamp=3)
    await shop.drain()
    await shop.settle()
    await money.queue_refund_of_rest(db, order_id, 100, reason="late")
    gateway = Pausing(shop, "refund")
    zombie = await _zombie(shop, db, gateway)
    await shop.money(**PATIENT)
    assert (await money_of(db, order_id))[2:] == (300, 100)
    gateway.wake.set()
    await asyncio.wait_for(gateway.sent.wait(), 30)
    assert await zombie == EndReason.LEASE_LOST
    assert await db.fetchval("select refunded from simulated_payments where order_id = $1", order_id) == 100


def test_money_that_a_void_may_let_go_is_let_go() -> None:
    from tests.unit.workers.payments.test_reconcile import ORDER  # the same facts
    from workers.payments.gateway import ProviderPayment as Payment
    from workers.payments.gateway import ProviderStatus as Status

    released = ORDER._replace(status="pending", reason=None, attempts=None)
    held, taken = Payment(Status.AUTHORISED, 100), Payment(Status.CAPTURED, 100, 100)
    assert reconcile.decide(released, held).step is reconcile.MoneyStep.CONFIRM_ANEW
    assert reconcile.decide(released._replace(letting_go=True), held).step is reconcile.MoneyStep.VOID
    assert reconcile.decide(released._replace(letting_go=True), taken).step is reconcile.MoneyStep.CONFIRM_ANEW
