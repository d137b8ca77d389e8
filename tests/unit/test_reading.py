"""Bodies: every mistake is named, and what is no JSON is told apart from what is wrong."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.contract import OrderRequest, SaleChange, SaleRequest
from doorbuster.errors import InvalidError
from doorbuster.reading import MalformedError, read

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
