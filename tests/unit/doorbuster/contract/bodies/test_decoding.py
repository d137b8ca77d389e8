"""Bodies: every mistake is named, and what is no JSON is told apart from what is wrong."""

from __future__ import annotations

import gc
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.contract.bodies.decoding import SAID_MAX, MalformedError, read
from doorbuster.contract.catalogue import PricesBody
from doorbuster.contract.orders import OrderRequest
from doorbuster.contract.sales import SaleChange, SaleRequest
from doorbuster.errors import InvalidError

ORDER = msgspec.json.Decoder(OrderRequest)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


def fields_of(body: object, decoder: msgspec.json.Decoder[object]) -> set[str]:
    with pytest.raises(InvalidError) as caught:
        read(msgspec.json.encode(body), decoder)
    return {field for field, _ in caught.value.fields}


ONE = {"product_id": "a", "quantity": 1}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"customer_id", "lines"}),
        ([], {"body"}),
        ({"customer_id": "c", "lines": []}, {"lines"}),
        ({"customer_id": "c", "lines": [ONE] * 21}, {"lines"}),
        ({"customer_id": "c" * 129, "lines": [ONE | {"quantity": 1001}]}, {"customer_id", "lines[0].quantity"}),
        ({"customer_id": "c\n", "lines": [{"product_id": "a\n", "quantity": "1"}]},
         {"customer_id", "lines[0].product_id", "lines[0].quantity"}),
        ({"customer_id": "c", "lines": [ONE], "payment": {"token": ""}}, {"payment.token"}),
        ({"customer_id": "c", "lines": [ONE], "metadata": []}, {"metadata"}),
        ({"customer_id": "c", "lines": [{"product_id": "a", "quantity": 1.5}], "x": 1}, {"lines[0].quantity", "x"}),
    ],
)  # fmt: skip
def test_each_wrong_field_is_named(body: object, fields: set[str]) -> None:
    assert fields_of(body, ORDER) == fields


def test_optional_structs_and_bounded_lists_are_looked_into() -> None:
    room = {"mode": "sometimes", "burst": 0}
    body = {"sale_id": "s", "products": [{"product_id": "a", "quantity": -1}, {"price": "x"}], "room": room}
    fields = {"products[0].quantity", "products[1].product_id", "products[1].price", "room.mode", "room.burst"}
    assert fields_of(body, msgspec.json.Decoder(SaleRequest)) == fields
    assert fields_of({"ends_at": "soon", "partitions": 2}, msgspec.json.Decoder(SaleChange)) == {
        "ends_at",
        "partitions",
    }


@pytest.mark.parametrize(
    "body",
    [
        {"customer_id": "c", "lines": [{"product_id": "a", "quantity": 0}] * 300},
        {"customer_id": "c", "lines": [ONE]} | {f"unknown-{n}": n for n in range(900)},
        {"customer_id": "c", "lines": [ONE | {f"unknown-{n}": n for n in range(20)}] * 30},
        {"customer_id": "c", "lines": ["a"] * 3000, "metadata": [[]] * 2000},
    ],
    ids=["lines", "names", "names in lines", "no objects"],
)
def test_a_wrong_body_is_refused_at_less_than_a_millisecond(body: dict[str, object]) -> None:
    raw = msgspec.json.encode(body)

    def refuse() -> None:
        with pytest.raises(InvalidError) as caught:
            read(raw, ORDER)
        assert 0 < len(caught.value.fields) <= SAID_MAX

    refuse()
    gc.collect()  # of what other tests left: a full collection in between would be taken for the refusals' cost
    began = time.process_time()
    for _ in range(20):
        refuse()
    assert (time.process_time() - began) / 20 < 0.001


def outcome(body: bytes) -> set[str]:
    """Return the fields that are wrong; none when the body is right or no JSON at all."""
    try:
        read(body, ORDER)
    except InvalidError as error:
        return {field for field, _ in error.fields} or {"NONE NAMED"}
    except MalformedError:
        return set()
    return set()


@given(_json)
def test_no_value_is_refused_without_a_field(value: object) -> None:
    assert "NONE NAMED" not in outcome(msgspec.json.encode(value))


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    assert "NONE NAMED" not in outcome(body)


LAMP = [{"product_id": "lamp"}]
BEYOND = [
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "1970-01-01T00:30:00+14:00",
    "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z",
]  # fmt: skip


@pytest.mark.parametrize("at", BEYOND)
def test_a_time_that_not_every_store_can_hold_is_refused_by_name(at: str) -> None:
    sale = {"sale_id": "s", "products": LAMP, "starts_at": at, "ends_at": at}
    sale["room"] = {"mode": "always", "lobby_opens_at": at}
    fields = {"starts_at", "ends_at", "room.lobby_opens_at"}
    assert fields_of(sale, msgspec.json.Decoder(SaleRequest)) == fields
    change = {"starts_at": at, "ends_at": at, "room": {"lobby_opens_at": at}}
    assert fields_of(change, msgspec.json.Decoder(SaleChange)) == fields
    windows = [{"price": 1, "starts_at": "2030-01-01T00:00:00Z"}, {"price": 1, "starts_at": at, "ends_at": at}]
    wrong = {"windows[1].starts_at", "windows[1].ends_at"}
    assert fields_of({"windows": windows}, msgspec.json.Decoder(PricesBody)) == wrong


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "9999-12-30T09:59:59-14:00", "2030-02-28T12:00:00+05:30"])
def test_other_times_are_taken(at: str) -> None:
    body = {"sale_id": "s", "products": LAMP, "starts_at": at, "room": {"mode": "always", "lobby_opens_at": at}}
    taken = read(msgspec.json.encode(body), msgspec.json.Decoder(SaleRequest))
    assert taken.starts_at is not None
    assert taken.room.lobby_opens_at == taken.starts_at


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"customer_id": 5}, "must be text, not a whole number"),
        ({"lines": {}}, "must be a list, not an object"),
        ({"lines": []}, "must have at least 1 items"),
        ({"customer_id": ""}, "must have at least 1 characters"),
        ({"customer_id": "c" * 129}, "must have at most 128 characters"),
        ({"customer_id": "a\n"}, "has characters that are not allowed, or not the form it must have"),
        ({"lines": [{"product_id": "a", "quantity": 0}]}, "must be at least 1"),
        ({"lines": [{"product_id": "a", "quantity": 1001}]}, "must be at most 1000"),
        ({"lines": [{"product_id": "a", "quantity": "1"}]}, "must be a whole number, not text"),
        ({"payment": 1}, "must be an object or null, not a whole number"),
        ({"metadata": []}, "must be an object or null, not a list"),
    ],
)
def test_problems_are_told_in_words_of_json(body: dict[str, object], problem: str) -> None:
    whole = {"customer_id": "c", "lines": [ONE]} | body
    with pytest.raises(InvalidError) as caught:
        read(msgspec.json.encode(whole), ORDER)
    assert [said for _, said in caught.value.fields] == [problem]


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        ("soon", "is no RFC 3339 time"),
        ("2030-01-01T00:00:00", "must say its offset from UTC, or Z"),
        (5, "must be a time or null, not a whole number"),
    ],
)
def test_problems_of_times_are_told_in_words(at: object, problem: str) -> None:
    body = {"sale_id": "s", "products": LAMP, "starts_at": at}
    with pytest.raises(InvalidError) as caught:
        read(msgspec.json.encode(body), msgspec.json.Decoder(SaleRequest))
    assert caught.value.fields == [("starts_at", problem)]
