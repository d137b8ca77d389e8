"""An order is in the shop once, as it should be, whatever is delivered how often in which order, and whatever fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from tests.fixtures.importers.orders import cancelled, confirmed, life, moved, refunded, shipped
from tests.fixtures.importers.serving import Booked, Fault
from tests.fixtures.importers.systems import SHOPS, Bench, bench

SENDS_PARCELS = ("shopify", "medusa", "saleor")
CREATES = {"shopify": "Create", "woocommerce": "POST /wp-json/wc/v3/orders", "medusa": "POST /admin/draft-orders",
           "saleor": "Create"}  # fmt: skip
each = pytest.mark.parametrize("name", SHOPS)


def only(one: Bench) -> Booked:
    """Return the one order that the shop has."""
    [(reference, booked)] = one.shop.booked().items()
    assert reference.startswith("00000100-783a")
    assert len(booked) == 1, f"the shop has it {len(booked)} times"
    return booked[0]  # type: ignore[no-any-return]


def expected(name: str, currency: str = "EUR", price: int = 4900) -> Booked:
    """Return what a shop has at the end of `life`."""
    digits = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    return Booked(
        Decimal(price * 2 + 1000).scaleb(-digits), currency, "done", paid=True,
        sent={1: 2, 2: 1} if name in SENDS_PARCELS else {}, refunded=Decimal(price // 7).scaleb(-digits),
    )  # fmt: skip


@each
@pytest.mark.parametrize(("currency", "price"), [("EUR", 4900), ("JPY", 4901), ("KWD", 4907)])
def test_an_order_goes_its_way_in_the_currencys_own_decimals(
    name: str, currency: str, price: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench(name, monkeypatch, currency) as one:
        for view in life(currency, price):
            assert one.take(view)
        assert only(one) == expected(name, currency, price)
        assert one.shop.refusals == []


@each
def test_once_however_often_it_is_delivered(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(name, monkeypatch) as one:
        for view in life():
            for _ in range(3):
                one.take(view)
        assert only(one) == expected(name)
        quiet = len([call for call in one.shop.calls if is_a_write(name, call)])
        for view in life():
            one.take(view)
        assert (
            len([call for call in one.shop.calls if is_a_write(name, call)]) == quiet
        )  # It looked, and wrote nothing.


def is_a_write(name: str, call: Any) -> bool:
    if name in ("shopify", "saleor"):
        return bool(call.body["query"].startswith("mutation"))
    return bool(call.method != "GET")


@each
def test_in_whatever_order_it_is_delivered(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = life()[:4]
    for number, order in enumerate(permutations(steps)):
        with bench(name, monkeypatch) as one:
            for view in order:
                one.take(view)
            assert only(one) == expected(name), f"permutation {number}"


@each
@pytest.mark.parametrize("kind", ["lost", "503", "429", "garbled"])
def test_whatever_call_fails(name: str, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(name, monkeypatch) as one:
        for view in life():
            one.take(view)
        calls = len(one.shop.calls)
    assert calls > 8
    for at in range(calls):
        with bench(name, monkeypatch) as one:
            one.shop.faults = [Fault(kind, at)]
            for view in life():
                one.insist(view)
            assert one.shop.faults == []
            assert only(one) == expected(name), f"{kind} at call {at}, {one.shop.calls[at].name}"


@each
def test_nobody_answers_for_long(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(name, monkeypatch) as one:
        one.shop.faults = [Fault("503", at) for at in range(60)]
        monkeypatch.setattr(one.module, "random", type("Long", (), {"uniform": staticmethod(lambda *_: 99.0)}))
        with pytest.raises(one.module.TryAgain):  # Not waited for: the sender comes again.
            one.take(confirmed())
        assert len(one.shop.calls) == 1
        one.shop.faults.clear()
        one.take(confirmed())
        assert only(one).state == "open"


@each
def test_a_call_that_seemed_lost_arrives_after_its_successor(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(name, monkeypatch) as one:
        one.shop.faults = [Fault("late", name=CREATES[name])]
        for view in life():
            one.insist(view)
        assert one.shop.faults == []
        made = [call for call in one.shop.calls if call.name == CREATES[name]]
        assert len(made) == 2
        assert only(one) == expected(name)
        assert getattr(one.shop, "strays", []) == []


@each
def test_many_deliveries_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(name, monkeypatch) as one, ThreadPoolExecutor(8) as pool:
        for view in life():
            list(pool.map(one.insist, [view] * 8))
        assert only(one) == expected(name)


@each
def test_an_order_is_cancelled_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = confirmed()
    last = cancelled(first)
    for order in ([first, last, last, first], [last, first, last]):
        with bench(name, monkeypatch) as one:
            for view in order:
                one.take(view)
            assert only(one) == Booked(Decimal(108), "EUR", "cancelled", paid=True, refunded=Decimal(108))


@each
def test_what_was_never_sold_is_no_order(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pending = confirmed()
    pending["status"] = "pending"
    pending["history"] = pending["history"][:1]
    declined = moved(pending, "cancelled") | {"reason": "payment_declined"}
    with bench(name, monkeypatch) as one:
        assert not one.take(pending)
        assert not one.take(declined)
        assert one.shop.calls == []


@each
def test_units_taken_off_before_they_left_do_not_hold_up_the_rest(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    less = refunded(confirmed(), 4900, [{"line": 1, "quantity": 1}])
    less["lines"][0]["cancelled"] = 1
    gone = shipped(less, {1: 1, 2: 1}, "shipped")
    with bench(name, monkeypatch) as one:
        for view in (less, gone, gone):
            one.take(view)
        booked = only(one)
        assert booked.refunded == Decimal(49)
        assert booked.sent == ({1: 1, 2: 1} if name in SENDS_PARCELS else {})
        if name in ("shopify", "woocommerce"):  # The others keep the unit in the order.
            assert booked.state == "done"


@each
def test_a_lost_parcel_that_is_sent_again_counts_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = shipped(confirmed(), {1: 2, 2: 1}, "shipped")
    gone["shipments"][0]["status"] = "lost"
    again = shipped(gone, {1: 2})
    again["lines"][0]["shipped"] = 2
    with bench(name, monkeypatch) as one:
        for view in (gone, again, again):
            one.take(view)
        assert only(one).sent == ({1: 2, 2: 1} if name in SENDS_PARCELS else {})
        assert only(one).state == "done"


@each
def test_orders_of_one_customer_are_kept_apart(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(name, monkeypatch) as one:
        for number in range(3):
            one.take(confirmed(number))
            one.take(confirmed(number))
        assert [len(booked) for booked in one.shop.booked().values()] == [1, 1, 1]


@each
def test_an_order_that_is_paid_later(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = confirmed()
    held["payment"] = {"status": "authorised", "authorised": held["total"], "captured": 0}
    taken = confirmed()
    with bench(name, monkeypatch) as one:
        one.take(held)
        assert not only(one).paid
        for view in (taken, held, taken):
            one.take(view)
        assert only(one).paid
