"""What the importer sends to Saleor, and what it does about Saleor's own ways."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.fixtures.importers.orders import cancelled, confirmed, life, shipped
from tests.fixtures.importers.saleor import METHOD, SKUS, WAREHOUSE
from tests.fixtures.importers.systems import Bench, bench


def sent(one: Bench, name: str) -> list[dict[str, Any]]:
    return [call.body["variables"] for call in one.shop.calls if call.name == name]


def test_the_order_is_as_saleor_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("saleor", monkeypatch) as one:
        one.take(confirmed())
        [told] = sent(one, "Create")
    order = told["order"]
    assert (told["stock"], order["status"], order["channel"]) == ("SKIP", "UNFULFILLED", "default")
    assert (order["externalReference"], order["user"]) == (confirmed()["order_id"], {"email": "Ada@example.org"})
    assert order["billingAddress"]["streetAddress1"] == "Lindenstraße 1"
    assert order["deliveryMethod"]["shippingMethodId"] == METHOD
    lamp = order["lines"][0]
    assert (lamp["variantId"], lamp["quantity"], lamp["warehouse"]) == (SKUS["lamp"], 2, WAREHOUSE)
    assert ("variantId" in order["lines"][1], order["lines"][1]["productName"]) == (False, 'hat "L"')
    assert lamp["totalPrice"] == lamp["undiscountedTotalPrice"] == {"gross": "98.00", "net": "98.00"}
    [payment] = order["transactions"]
    assert payment["pspReference"] == f"doorbuster:{confirmed()['order_id']}"
    assert payment["amountCharged"] == {"currency": "EUR", "amount": "108.00"}


def test_importers_that_know_nothing_of_each_other_make_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("saleor", monkeypatch) as one, ThreadPoolExecutor(8) as pool:
        order = one.module.Order(confirmed())
        list(pool.map(one.system.bring, [order] * 8))  # Past the lock of one process.
        assert [len(booked) for booked in one.shop.booked().values()] == [1]


def test_amounts_are_set_and_not_added(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("saleor", monkeypatch) as one:
        for view in [*life(), *life()]:
            one.take(view)
        [told] = sent(one, "Pay")
        assert told["transaction"] == {"amountRefunded": {"currency": "EUR", "amount": "7.00"}}


def test_what_was_held_is_taken_by_parcel_or_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    held = confirmed()
    held["payment"] = {"status": "authorised", "authorised": 10800, "captured": 0}
    half = shipped(held, {1: 1}, "processing")
    half["payment"] |= {"status": "captured", "captured": 4900}
    for last, amounts in ((half, (59.0, 49.0, 0.0)), (cancelled(held) | {"refunds": []}, (0.0, 0.0, 0.0))):
        with bench("saleor", monkeypatch) as one:
            for view in (held, last, held):
                one.take(view)
            [order] = one.shop.orders.values()
            [money] = order["transactions"]
            kinds = ("authorizedAmount", "chargedAmount", "refundedAmount")
            assert tuple(money[kind]["amount"] for kind in kinds) == amounts


def test_parcels_carry_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("saleor", monkeypatch) as one:
        one.take(shipped(confirmed(), {1: 1}, "processing"))
        [told] = sent(one, "Fulfil")
        assert (told["input"]["trackingNumber"], told["input"]["notifyCustomer"]) == ("JD000001", False)
        assert told["input"]["lines"][0]["stocks"] == [{"quantity": 1, "warehouse": WAREHOUSE}]


def test_an_order_without_an_address_needs_one_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    view = confirmed()
    del view["metadata"]
    with bench("saleor", monkeypatch) as one:
        with pytest.raises(one.module.Refused, match="SALEOR_BILLING_ADDRESS"):
            one.take(view)
        assert one.shop.calls[-1].name == "Find"
    shop_is_at = {"first_name": "The", "last_name": "Shop", "address1": "Weg 1", "city": "Bonn", "country": "de"}
    monkeypatch.setenv("SALEOR_BILLING_ADDRESS", json.dumps(shop_is_at))
    monkeypatch.setenv("SALEOR_MAIL", "orders@shop.example")
    with bench("saleor", monkeypatch) as one:
        one.take(view)
        [told] = sent(one, "Create")
        assert told["order"]["billingAddress"]["country"] == "DE"
        assert [len(booked) for booked in one.shop.booked().values()] == [1]


def test_another_currency_than_the_channels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("saleor", monkeypatch, "JPY") as one:
        with pytest.raises(one.module.Refused, match="INCORRECT_CURRENCY"):
            one.take(confirmed())
        assert one.shop.booked() == {}
