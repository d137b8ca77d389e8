"""What the importer sends to WooCommerce, and what it does about WooCommerce's own ways."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.fixtures.importers.orders import confirmed, life, moved, shipped
from tests.fixtures.importers.systems import Bench, bench

ORDERS = "/wp-json/wc/v3/orders"


def sent(one: Bench, name: str) -> list[Any]:
    return [call.body for call in one.shop.calls if call.name == name]


def test_the_order_is_as_woocommerce_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("woocommerce", monkeypatch) as one:
        one.take(confirmed())
        [order] = sent(one, f"POST {ORDERS}")
        went_on = sent(one, f"PUT {ORDERS}/{{}}")
        [there] = one.shop.orders.values()
    assert (order["status"], order["currency"], order["transaction_id"]) == ("pending", "EUR", confirmed()["order_id"])
    assert order["meta_data"][0] == {"key": "_doorbuster_order_id", "value": confirmed()["order_id"]}
    assert order["line_items"][0]["total"] == order["line_items"][0]["subtotal"] == "98.00"
    assert order["billing"]["email"] == "Ada@example.org"
    assert order["shipping"] == {"first_name": "Ada", "last_name": "Lovelace", "address_1": "Lindenstraße 1",
                                 "city": "Berlin", "postcode": "10969", "country": "DE"}  # fmt: skip
    assert went_on == [{"status": "processing"}]
    assert [item["product_id"] for item in there["line_items"]] == [93, 0]


def test_tax_that_the_shop_adds_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for currency, price in (("EUR", 4999), ("JPY", 4999), ("KWD", 4999)):
        with bench("woocommerce", monkeypatch, currency, tax="19") as one:
            for view in life(currency, price):
                one.take(view)
            [[booked]] = one.shop.booked().values()
            assert booked.total == Decimal(confirmed(1, currency, price)["total"]).scaleb(
                {"EUR": -2, "JPY": 0, "KWD": -3}[currency]
            )


def test_another_total_is_not_let_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    view = confirmed(1, "KWD", 4907)
    with bench("woocommerce", monkeypatch, "KWD", decimals=2) as one:
        for _ in range(3):
            with pytest.raises(one.module.Refused, match=r"comes to 10\.81, not 10\.814"):
                one.take(view)
        assert one.shop.booked() == {}
        assert len(one.shop.strays) == 1  # For a person to look at; made once.
        one.shop.decimals = 3
        one.shop._reckon(one.shop.orders[one.shop.strays[0]])
        one.take(view)
        assert (len(one.shop.booked()), one.shop.strays) == (1, [])


def test_a_shop_whose_search_is_blind_gets_no_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("woocommerce", monkeypatch) as one:
        one.shop.finds_transactions = False
        for _ in range(3):
            with pytest.raises(one.module.Refused, match="search does not find"):
                one.take(confirmed())
        assert one.shop.orders == {}


def test_an_order_that_is_there_twice_is_said_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("woocommerce", monkeypatch) as one:
        order = one.module.Order(confirmed())
        for _ in range(2):  # An importer that looks not, as the stand-in lets it.
            made = one.system._ask("POST", "/orders", one.system._body(order))
            one.system._ask("PUT", f"/orders/{made['id']}", {"status": "processing"})
        assert [len(booked) for booked in one.shop.booked().values()] == [2]
        with pytest.raises(one.module.Refused, match="twice"):
            one.take(confirmed())


def test_parcels_become_notes_and_it_is_completed_by_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("woocommerce", monkeypatch) as one:
        half = shipped(confirmed(), {1: 1}, "processing")
        gone = shipped(half, {1: 1, 2: 1}, "shipped")
        for view in (gone, half, gone):
            one.take(view)
        assert one.shop.notes() == [
            "Left by DHL JD000001: 1 of line 1 (Doorbuster 5b1d0000-0000-7000-8000-000000000001)",
            "Left by DHL JD000002: 1 of line 1, 1 of line 2 (Doorbuster 5b1d0000-0000-7000-8000-000000000002)",
        ]
        assert [order["status"] for order in one.shop.orders.values()] == ["completed"]


def test_a_state_that_a_person_gave_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("woocommerce", monkeypatch) as one:
        one.take(confirmed())
        [there] = one.shop.orders.values()
        there["status"] = "packing"
        one.take(moved(confirmed(), "processing"))
        one.take(life()[3])
        assert there["status"] == "packing"
