"""Ids have one form, and currencies are those of ISO 4217."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.contract.bodies.decoding import read
from doorbuster.contract.fields import LINES_SURE, TOTAL_MAX, UNITS_SURE, id_problem, is_total_sure, tidy_id
from doorbuster.contract.orders import Line, OrderRequest
from doorbuster.contract.products import ProductRequest
from doorbuster.contract.room import JoinRequest
from doorbuster.errors import InvalidError
from doorbuster.values.currencies import EXPONENTS, currency_problem


@pytest.mark.parametrize(
    "text", [" a", "a ", "\u00a0a", "a\u3000", "a\u200b", "\ufeffa", " é", "e\u0301", "a\u2003 \u200b"]
)
def test_other_forms_of_an_id_are_found_and_tidied(text: str) -> None:
    assert id_problem(text)
    tidied = tidy_id(text)
    assert id_problem(tidied) is None
    assert tidied == unicodedata.normalize("NFC", tidied)
    assert tidied in {"a", "é"}


@pytest.mark.parametrize("text", ["a", "a b", "é", "日本", "c-17", "a\u200db", "İ"])
def test_ids_in_their_one_form_stay(text: str) -> None:
    assert id_problem(text) is None
    assert tidy_id(text) == text


@given(st.text())
def test_a_tidied_id_has_no_problem(text: str) -> None:
    assert id_problem(tidy_id(text)) is None
    assert (tidy_id(text) == text) == (id_problem(text) is None)


@pytest.mark.parametrize("code", ["EUR", "JPY", "KWD", "UYW", "XOF", "ZWG"])
def test_currencies_are_those_of_the_standard(code: str) -> None:
    assert currency_problem(code) is None


@pytest.mark.parametrize("code", ["ABC", "DEM", "XXX", "XAU", "eur", "EU", "€"])
def test_others_are_none(code: str) -> None:
    assert currency_problem(code)


def test_exponents() -> None:
    assert (EXPONENTS["EUR"], EXPONENTS["JPY"], EXPONENTS["BHD"], EXPONENTS["CLF"]) == (2, 0, 3, 4)


PRODUCT = {"name": "n", "brand": "", "category": "", "price": 1, "currency": "EUR"}
JOIN = {"visitor_id": "visitor-1", "secret_hash": "A" * 64}
ORDER = {"customer_id": "c", "lines": []}


@pytest.mark.parametrize(
    ("kind", "body", "field", "says"),
    [
        (ProductRequest, PRODUCT | {"currency": "ABC"}, "currency", "ISO 4217"),
        (JoinRequest, JOIN | {"customer_id": "c "}, "customer_id", "space"),
        (OrderRequest, ORDER | {"customer_id": "e\u0301"}, "customer_id", "NFC"),
    ],
)
def test_the_field_is_named(kind: type, body: dict[str, object], field: str, says: str) -> None:
    with pytest.raises(InvalidError) as caught:
        read(msgspec.json.encode(body), msgspec.json.Decoder(kind))
    assert says in dict(caught.value.fields)[field]
    read(msgspec.json.encode(PRODUCT), msgspec.json.Decoder(ProductRequest))
    read(msgspec.json.encode(JOIN), msgspec.json.Decoder(JoinRequest))


@pytest.mark.parametrize("quantities", [[1000] * 9, [1] * 20, [450] * 20, [1000] * 8 + [100] * 10])
def test_what_cannot_come_to_too_much_needs_no_look_at_prices(quantities: list[int]) -> None:
    assert is_total_sure([Line("lamp", quantity) for quantity in quantities])
    assert sum(quantities) * 10**12 <= TOTAL_MAX


@pytest.mark.parametrize("quantities", [[1000] * 10, [451] * 20, [1000] * 9 + [1]])
def test_what_might_needs_one(quantities: list[int]) -> None:
    assert not is_total_sure([Line("lamp", quantity) for quantity in quantities])
    assert len(quantities) > LINES_SURE
    assert sum(quantities) > UNITS_SURE
