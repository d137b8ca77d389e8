"""What the importer sends to Shopify, and what it does about Shopify's own ways."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.fixtures.importers.orders import confirmed, life, refunded, shipped
from tests.fixtures.importers.serving import Fault
from tests.fixtures.importers.systems import Bench, bench

EMAIL = "Ada@example.org"


def sent(one: Bench, name: str) -> list[dict[str, Any]]:
    return [call.body["variables"] for call in one.shop.calls if call.name == name]


def test_the_order_is_as_shopify_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("shopify", monkeypatch) as one:
        one.take(confirmed())
        [told] = sent(one, "Create")
    order = told["order"]
    assert told["options"] == {"inventoryBehaviour": "BYPASS"}
    assert order["sourceIdentifier"] == order["metafields"][0]["value"] == confirmed()["order_id"]
    assert (order["email"], order["customer"]) == (EMAIL, {"toUpsert": {"email": EMAIL}})
    assert order["shippingAddress"] == order["billingAddress"] == {
        "firstName": "Ada", "lastName": "Lovelace", "address1": "Lindenstraße 1", "city": "Berlin", "zip": "10969",
        "countryCode": "DE",
    }  # fmt: skip
    lamp, hat = order["lineItems"]
    assert (lamp["variantId"], lamp["sku"], lamp["quantity"]) == ("gid://shopify/ProductVariant/1", "lamp", 2)
    assert lamp["priceSet"] == {"shopMoney": {"amount": "49.00", "currencyCode": "EUR"}}
    assert ("variantId" in hat, hat["sku"], hat["title"]) == (False, 'hat "L"', 'hat "L"')
    assert order["transactions"][0]["amountSet"]["shopMoney"] == {"amount": "108.00", "currencyCode": "EUR"}


def test_a_variant_is_looked_up_once_and_known_by_its_whole_sku(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("shopify", monkeypatch) as one:
        for number in range(3):
            one.take(confirmed(number))
        asked = [variables["query"] for variables in sent(one, "Variant")]
    assert asked == ['sku:"lamp"', *['sku:"hat \\"L\\""'] * 3]  # One that is missing may come.


def test_ids_are_made_unique_before_the_first_order(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("shopify", monkeypatch) as one:
        for view in life():
            one.take(view)
        names = [call.name for call in one.shop.calls]
        assert names[:3] == ["Defined", "Define", "Find"]
        assert names.count("Defined") == 1
    with bench("shopify", monkeypatch) as one:
        one.shop.is_defined = True
        monkeypatch.setattr(
            one.shop, "_definition",
            lambda: {"id": "1", "capabilities": {"uniqueValues": {"eligible": True, "enabled": False}}},
        )  # fmt: skip
        with pytest.raises(one.module.Refused, match="not unique"):
            one.take(confirmed())
        assert one.shop.booked() == {}


def test_importers_that_know_nothing_of_each_other_make_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("shopify", monkeypatch) as one, ThreadPoolExecutor(8) as pool:
        order = one.module.Order(confirmed())
        list(pool.map(one.system.bring, [order] * 8))  # Past the lock of one process.
        assert [len(booked) for booked in one.shop.booked().values()] == [1]


def test_throttling_is_told_in_an_answer_of_200(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("shopify", monkeypatch) as one:
        one.shop.faults = [Fault("throttled", at) for at in range(4)]
        for view in life():
            one.insist(view)
        assert one.shop.faults == []
        assert [len(booked) for booked in one.shop.booked().values()] == [1]


def test_parcels_and_refunds_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("shopify", monkeypatch) as one:
        gone = shipped(confirmed(), {1: 1}, "processing")
        one.take(refunded(gone, 1000, [{"line": 2, "quantity": 1}]))
        [parcel], [refund] = sent(one, "Fulfil"), sent(one, "Refund")
    assert parcel["fulfillment"]["trackingInfo"] == {"company": "DHL", "number": "JD000001"}
    assert refund["key"] == "4efd0000-0000-7000-8000-000000000001"
    assert refund["input"]["refundLineItems"][0]["restockType"] == "NO_RESTOCK"
    assert refund["input"]["transactions"][0]["amount"] == "10.00"


def test_another_currency_than_the_shops_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("shopify", monkeypatch, "JPY") as one:
        with pytest.raises(one.module.Refused, match="not money of this shop"):
            one.take(confirmed())
        assert one.shop.booked() == {}
