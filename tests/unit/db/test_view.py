"""An order is shown as the contract says, now and as it stood at any of its events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from db.orders.orders import Order, OrderEvent, Refund, Shipment, StoredLine, StoredPayment
from db.orders.states import Status
from db.orders.view import show
from doorbuster.contract.orders import LineUnits, RefundLine

BEGAN = datetime(2026, 3, 1, 10, tzinfo=UTC)
FIRST, SECOND, REFUND = UUID(int=1), UUID(int=2), UUID(int=3)


def event(seq: int, status: str, kind: str | None = None, **more: Any) -> OrderEvent:
    return OrderEvent(seq=seq, status=Status(status), at=BEGAN + timedelta(seconds=seq), kind=kind, **more)


def order(**changes: Any) -> Order:
    """An order of 5 a and 1 b: 1 a taken off, 2 a and the b sent and lost, sent again, 1 a refunded, the rest sent."""
    whole = Order(
        order_id=UUID(int=9), sale_id="spring", customer_id="ada", status=Status.SHIPPED, reason=None,
        accepted_at=BEGAN, updated_at=BEGAN, total=600, currency="EUR", version=8, metadata=None, refusal=None,
        reservation_expires_at=None,
        payment=StoredPayment(
            mode="capture", status="captured", authorised=600, captured=600, refunded=100, next_action=None
        ),
        lines=[
            StoredLine(
                line=1, product_id="a", quantity=5, unit_price=100, cancelled=1, shipped=4, returned=1
            ),
            StoredLine(line=2, product_id="b", quantity=1, unit_price=100, cancelled=0, shipped=1, returned=0),
        ],
        shipments=[
            Shipment(
                shipment_id=FIRST, seq=4, carrier="Post", tracking=None, status="lost", status_seq=5, at=BEGAN,
                lines=[LineUnits(1, 2), LineUnits(2, 1)],
            ),
            Shipment(
                shipment_id=SECOND, seq=8, carrier=None, tracking="T2", status="shipped", status_seq=None, at=BEGAN,
                lines=[LineUnits(1, 4), LineUnits(2, 1)],
            ),
        ],
        refunds=[
            Refund(
                refund_id=REFUND, seq=6, amount=100, lines=[RefundLine(1, 1)], reason="late", status="pending", at=BEGAN
            )
        ],
        history=[
            event(1, "pending"), event(2, "confirmed"),
            event(3, "confirmed", "line_cancelled", lines=[LineUnits(1, 1)]), event(4, "confirmed", "shipment"),
            event(5, "confirmed", "shipment"), event(6, "confirmed", "refund"), event(7, "processing"),
            event(8, "shipped"),
        ],
    )  # fmt: skip
    return msgspec.structs.replace(whole, **changes)


def shown(at_seq: int | None = None, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(show(order(**changes), at_seq)))
    return found


def units(view: dict[str, Any]) -> list[tuple[int, int, int]]:
    return [(line["cancelled"], line["shipped"], line["refunded"]) for line in view["lines"]]


def test_an_order_shows_what_became_of_each_unit() -> None:
    now = shown()
    assert units(now) == [(1, 4, 1), (0, 1, 0)]
    assert [step["status"] for step in now["history"]] == ["pending", "confirmed", "processing", "shipped"]
    assert now["payment"] == {"status": "captured", "authorised": 600, "captured": 600, "refunded": 100}
    assert now["shipments"][0] == {
        "shipment_id": str(FIRST), "status": "lost", "carrier": "Post", "at": "2026-03-01T10:00:00Z",
        "lines": [{"line": 1, "quantity": 2}, {"line": 2, "quantity": 1}],
    }  # fmt: skip
    assert now["refunds"] == [
        {
            "refund_id": str(REFUND), "amount": 100, "reason": "late", "status": "pending",
            "at": "2026-03-01T10:00:00Z", "lines": [{"line": 1, "quantity": 1, "restock": False}],
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seq", "status", "lines", "parcels", "refunds"),
    [
        (1, "pending", [(0, 0, 0), (0, 0, 0)], [], 0),
        (3, "confirmed", [(1, 0, 0), (0, 0, 0)], [], 0),
        (4, "confirmed", [(1, 2, 0), (0, 1, 0)], ["shipped"], 0),
        (5, "confirmed", [(1, 2, 0), (0, 1, 0)], ["lost"], 0),
        (6, "confirmed", [(1, 2, 1), (0, 1, 0)], ["lost"], 1),
        (8, "shipped", [(1, 4, 1), (0, 1, 0)], ["lost", "shipped"], 1),
    ],
)
def test_an_order_shows_as_it_stood_at_an_event(
    seq: int, status: str, lines: list[tuple[int, int, int]], parcels: list[str], refunds: int
) -> None:
    view = shown(seq)
    assert (view["status"], view["history"][-1]["status"]) == (status, status)
    assert units(view) == lines
    assert [one["status"] for one in view["shipments"]] == parcels
    assert len(view["refunds"]) == refunds


def test_a_cancelled_order_has_all_units_taken_off_and_its_reason_from_then_on() -> None:
    history = [event(1, "pending"), event(2, "cancelled", reason="hold_expired")]
    gone = {"status": Status.CANCELLED, "reason": "hold_expired", "version": 2, "history": history}
    gone |= {"shipments": [], "refunds": []}
    assert [line["cancelled"] for line in shown(**gone)["lines"]] == [5, 1]
    assert shown(**gone)["reason"] == shown(2, **gone)["reason"] == "hold_expired"
    assert "reason" not in shown(1, **gone)
    assert [line["cancelled"] for line in shown(1, **gone)["lines"]] == [0, 0]


@pytest.mark.parametrize(
    ("mode", "total", "status", "payment"),
    [
        ("capture", 600, "pending", "due"), ("authorise", 600, "pending", "due"), ("none", 600, "pending", "none"),
        ("capture", 0, "pending", "none"), ("capture", 600, "cancelled", "none"), ("none", 600, "confirmed", "none"),
    ],
)  # fmt: skip
def test_a_payment_that_was_not_asked_for_is_due_or_none(mode: Any, total: int, status: str, payment: str) -> None:
    unasked = StoredPayment(mode=mode, status=None, authorised=None, captured=None, refunded=None, next_action=None)
    view = shown(payment=unasked, total=total, version=1, history=[event(1, status)], status=Status(status))
    assert view["payment"] == {"status": payment}


def test_what_the_shopper_must_do_is_shown_while_the_hold_is() -> None:
    payment = StoredPayment(
        mode="capture",
        status="requires_action",
        authorised=None,
        captured=None,
        refunded=None,
        next_action={"url": "u"},
    )
    until = BEGAN + timedelta(minutes=5)
    pending = {"status": Status.PENDING, "version": 1, "history": [event(1, "pending")]}
    view = shown(payment=payment, reservation_expires_at=until, **pending)
    assert view["payment"] == {"status": "requires_action", "next_action": {"url": "u"}}
    assert view["reservation_expires_at"] == "2026-03-01T10:05:00Z"
