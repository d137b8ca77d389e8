"""What the importer sends to Medusa, and what it does about Medusa's own ways."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.importers.orders import confirmed, refunded, shipped
from tests.fixtures.importers.systems import Bench, bench


def sent(one: Bench, name: str) -> list[Any]:
    return [call.body for call in one.shop.calls if call.name == name]


def test_the_draft_is_as_medusa_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("medusa", monkeypatch) as one:
        one.take(confirmed())
        [draft] = sent(one, "POST /admin/draft-orders")
        [collection] = sent(one, "POST /admin/payment-collections")
    assert draft["metadata"]["doorbuster_order_id"] == confirmed()["order_id"]
    assert (draft["email"], draft["currency_code"], draft["no_notification_order"]) == ("Ada@example.org", "eur", True)
    lamp, hat = draft["items"]
    assert (lamp["variant_id"], lamp["unit_price"], lamp["quantity"]) == ("variant_lamp", "49.00", 2)
    assert (hat["title"], hat["variant_sku"]) == ('hat "L"', 'hat "L"')
    assert draft["shipping_address"] == draft["billing_address"]
    assert (draft["shipping_address"]["country_code"], draft["shipping_address"]["postal_code"]) == ("de", "10969")
    assert collection["amount"] == 108


def test_without_an_address_it_is_searched_by_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    view = confirmed()
    del view["metadata"]
    with bench("medusa", monkeypatch) as one:
        for _ in range(3):
            one.take(view)
        [draft] = sent(one, "POST /admin/draft-orders")
        assert draft["email"] == f"{view['order_id']}@doorbuster.invalid"
        assert [len(booked) for booked in one.shop.booked().values()] == [1]


def test_it_is_found_among_many_of_its_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("medusa", monkeypatch) as one:
        monkeypatch.setattr(one.module, "PAGE", 3)
        for number in [*range(8), *range(8)]:
            one.take(confirmed(number))
        assert [len(booked) for booked in one.shop.booked().values()] == [1] * 8


def test_another_total_stays_a_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("medusa", monkeypatch, tax="19") as one:
        for _ in range(3):
            with pytest.raises(one.module.Refused, match=r"comes to 128\.52, not 108\.00"):
                one.take(confirmed())
        assert one.shop.booked() == {}
        assert len(one.shop.strays) == 1


def test_an_order_that_is_there_twice_is_said_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("medusa", monkeypatch) as one:
        order = one.module.Order(confirmed())
        for _ in range(2):  # An importer that looks not, as the stand-in lets it.
            made = one.system._ask("POST", "/admin/draft-orders", one.system._body(order))["draft_order"]
            one.system._ask("POST", f"/admin/draft-orders/{made['id']}/convert-to-order")
        assert [len(booked) for booked in one.shop.booked().values()] == [2]
        with pytest.raises(one.module.Refused, match="twice"):
            one.take(confirmed())


def test_parcels_are_fulfilled_then_shipped_and_refunds_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    with bench("medusa", monkeypatch) as one:
        one.take(refunded(shipped(confirmed(), {1: 1}, "processing"), 1050))
        [fulfilment] = sent(one, "POST /admin/orders/{}/fulfillments")
        [parcel] = sent(one, "POST /admin/orders/{}/fulfillments/{}/shipments")
        [refund] = sent(one, "POST /admin/payments/{}/refund")
    assert fulfilment["metadata"] == {"doorbuster_shipment_id": "5b1d0000-0000-7000-8000-000000000001"}
    assert parcel["labels"] == [{"tracking_number": "JD000001", "tracking_url": "#", "label_url": "#"}]
    assert refund == {"amount": 10.5, "note": "scratched (Doorbuster 4efd0000-0000-7000-8000-000000000001)"}
