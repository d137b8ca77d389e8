"""The one decision about an order's money, over all pairs of where an order stands and what its provider has."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from db.orders.money import NotedPayment, OrderMoney
from workers.payments.gateway import ProviderPayment, ProviderStatus
from workers.payments.reconcile import DECLINED, EXPIRED, Decision, MoneyStep, decide, noted

TOTAL = 300
ORDER = OrderMoney(
    order_id=UUID(int=1), status="pending", reason=None, total=TOTAL, currency="EUR", payment_token=None, payment=None,
    authorised=None, captured=0, refunded=0, reference=None, accepted_at=datetime(2026, 1, 1, tzinfo=UTC),
    mode="capture", card_limited=False, attempts=None, expired=None, extended=None, kept=TOTAL,
    open_units=3, refunding=0, capturing=0,
    voiding=False,
)  # fmt: skip
HELD = ORDER._replace(attempts=1, expired=False, extended=False)
CONFIRMED = ORDER._replace(status="confirmed", payment="captured", captured=TOTAL)
AT_SHIPPING = ORDER._replace(mode="authorise", authorised=TOTAL, payment="authorised")

STATES = {
    "held": HELD,
    "held, over": HELD._replace(expired=True, extended=True),
    "held, to be made longer": HELD._replace(expired=True),
    "held, at shipping": HELD._replace(mode="authorise"),
    "held, being captured": HELD._replace(payment="authorised", capturing=TOTAL),
    "released": ORDER,
    "released, a void waits": ORDER._replace(voiding=True),
    "released, at shipping": ORDER._replace(mode="authorise"),
    "standby": ORDER._replace(reason="standby"),
    "cancelled": ORDER._replace(status="cancelled", reason=EXPIRED, kept=0),
    "cancelled, being refunded": ORDER._replace(status="cancelled", captured=TOTAL, refunding=TOTAL, kept=0),
    "confirmed by hand": ORDER._replace(status="confirmed"),
    "confirmed": CONFIRMED,
    "confirmed, at shipping": AT_SHIPPING._replace(status="confirmed"),
    "processing": CONFIRMED._replace(status="processing"),
    "shipped": CONFIRMED._replace(status="shipped"),
    "delivered": CONFIRMED._replace(status="delivered"),
    "refunded": CONFIRMED._replace(status="refunded", refunded=TOTAL, kept=0),
}
PROVIDER = {
    "nothing": ProviderPayment(ProviderStatus.NOTHING),
    "action": ProviderPayment(ProviderStatus.REQUIRES_ACTION),
    "authorised": ProviderPayment(ProviderStatus.AUTHORISED, TOTAL),
    "captured": ProviderPayment(ProviderStatus.CAPTURED, TOTAL, TOTAL),
    "given back": ProviderPayment(ProviderStatus.CAPTURED, TOTAL, TOTAL, TOTAL),
    "voided": ProviderPayment(ProviderStatus.VOIDED),
    "declined": ProviderPayment(ProviderStatus.DECLINED),
}

NOTE, ASK, WAIT = Decision(MoneyStep.NOTE), Decision(MoneyStep.ASK), Decision(MoneyStep.WAIT_FOR_SHOPPER)
CONFIRM, ANEW, RELEASE = Decision(MoneyStep.CONFIRM), Decision(MoneyStep.CONFIRM_ANEW), Decision(MoneyStep.RELEASE)
VOID, REFUND, CAPTURE = Decision(MoneyStep.VOID), Decision(MoneyStep.REFUND, TOTAL), Decision(MoneyStep.CAPTURE, TOTAL)
DECLINE, EXPIRE = Decision(MoneyStep.CANCEL, reason=DECLINED), Decision(MoneyStep.CANCEL, reason=EXPIRED)

# In the order of PROVIDER: nothing, action, authorised, captured, given back, voided, declined.
TABLE = {
    "held": (ASK, WAIT, CAPTURE, CONFIRM, DECLINE, DECLINE, DECLINE),
    "held, over": (ASK, RELEASE, CAPTURE, CONFIRM, DECLINE, DECLINE, DECLINE),
    "held, to be made longer": (ASK, WAIT, CAPTURE, CONFIRM, DECLINE, DECLINE, DECLINE),
    "held, at shipping": (ASK, WAIT, CONFIRM, CONFIRM, DECLINE, DECLINE, DECLINE),
    "held, being captured": (ASK, WAIT, NOTE, CONFIRM, DECLINE, DECLINE, DECLINE),
    "released": (EXPIRE, VOID, ANEW, ANEW, EXPIRE, EXPIRE, DECLINE),
    "released, a void waits": (NOTE, VOID, ANEW, ANEW, EXPIRE, EXPIRE, DECLINE),
    "released, at shipping": (EXPIRE, VOID, ANEW, ANEW, EXPIRE, EXPIRE, DECLINE),
    "standby": (NOTE, VOID, VOID, REFUND, NOTE, NOTE, NOTE),
    "cancelled": (NOTE, VOID, VOID, REFUND, NOTE, NOTE, NOTE),
    "cancelled, being refunded": (NOTE, VOID, VOID, NOTE, NOTE, NOTE, NOTE),
    "confirmed by hand": (NOTE, NOTE, CAPTURE, NOTE, NOTE, NOTE, NOTE),
    "confirmed": (NOTE, NOTE, NOTE, NOTE, NOTE, NOTE, NOTE),
    "confirmed, at shipping": (NOTE, NOTE, NOTE, NOTE, NOTE, NOTE, NOTE),
    "processing": (NOTE, NOTE, NOTE, NOTE, NOTE, NOTE, NOTE),
    "shipped": (NOTE, NOTE, NOTE, NOTE, NOTE, NOTE, NOTE),
    "delivered": (NOTE, NOTE, NOTE, NOTE, NOTE, NOTE, NOTE),
    "refunded": (NOTE, VOID, VOID, NOTE, NOTE, NOTE, NOTE),
}


def test_every_pair_is_in_the_table() -> None:
    assert TABLE.keys() == STATES.keys()
    assert {len(row) for row in TABLE.values()} == {len(PROVIDER)}
    assert {one.status for one in PROVIDER.values()} == set(ProviderStatus)
    assert {order.status for order in STATES.values()} == {
        "pending", "cancelled", "confirmed", "processing", "shipped", "delivered", "refunded",
    }  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_what_is_decided(state: str) -> None:
    decided = {name: decide(STATES[state], provider) for name, provider in PROVIDER.items()}
    assert decided == dict(zip(PROVIDER, TABLE[state], strict=True))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("provider", PROVIDER)
def test_a_final_order_is_never_moved(state: str, provider: str) -> None:
    order = STATES[state]
    step = decide(order, PROVIDER[provider]).step
    if order.status != "pending":
        assert step in {MoneyStep.NOTE, MoneyStep.VOID, MoneyStep.REFUND, MoneyStep.CAPTURE}


@pytest.mark.parametrize("state", [state for state, order in STATES.items() if order.status == "cancelled"])
@pytest.mark.parametrize("provider", PROVIDER)
def test_no_money_stays_with_a_cancelled_order(state: str, provider: str) -> None:
    order, has = STATES[state], PROVIDER[provider]
    decision = decide(order, has)
    if has.held or has.status is ProviderStatus.REQUIRES_ACTION:
        assert decision.step is MoneyStep.VOID
    else:
        assert decision.amount + order.refunding >= has.captured - has.refunded


def test_a_refund_is_what_is_not_on_its_way_back_yet() -> None:
    order = STATES["cancelled"]._replace(captured=TOTAL, refunded=50, refunding=100)
    assert decide(order, PROVIDER["captured"]) == Decision(MoneyStep.REFUND, 150), "the provider's word may be old"
    assert decide(order, ProviderPayment(ProviderStatus.CAPTURED, TOTAL, TOTAL, 200)) == NOTE


@pytest.mark.parametrize(
    ("order", "provider", "payment"),
    [
        (ORDER, PROVIDER["nothing"], NotedPayment(None, None, 0, 0, None)),
        (ORDER, PROVIDER["action"], NotedPayment("requires_action", None, 0, 0, None)),
        (ORDER, PROVIDER["authorised"], NotedPayment("authorised", None, 0, 0, None)),
        (STATES["held, at shipping"], PROVIDER["authorised"], NotedPayment("authorised", TOTAL, 0, 0, None)),
        (ORDER, PROVIDER["captured"], NotedPayment("captured", None, TOTAL, 0, None)),
        (ORDER, PROVIDER["captured"]._replace(refunded=1), NotedPayment("partially_refunded", None, TOTAL, 1, None)),
        (ORDER, PROVIDER["given back"], NotedPayment("refunded", None, TOTAL, TOTAL, None)),
        (ORDER, PROVIDER["voided"], NotedPayment("voided", None, 0, 0, None)),
        (ORDER, PROVIDER["declined"], NotedPayment("failed", None, 0, 0, None)),
        (
            AT_SHIPPING,
            ProviderPayment(ProviderStatus.AUTHORISED, TOTAL, 100),
            NotedPayment("captured", TOTAL, 100, 0, None),
        ),
        (CONFIRMED, PROVIDER["authorised"], NotedPayment("captured", None, TOTAL, 0, None)),
        (STATES["refunded"], PROVIDER["captured"], NotedPayment("refunded", None, TOTAL, TOTAL, None)),
        (CONFIRMED._replace(reference="r"), PROVIDER["nothing"], NotedPayment("captured", None, TOTAL, 0, "r")),
    ],
)
def test_what_is_noted_only_grows(order: OrderMoney, provider: ProviderPayment, payment: NotedPayment) -> None:
    assert noted(order, provider) == payment
