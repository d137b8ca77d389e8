"""Prices as files write them become whole minor units, or are refused with their value."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.values.currencies import EXPONENTS
from doorbuster.values.prices import PriceError, has_decimals, read_price, read_whole, shown


@pytest.mark.parametrize(
    ("given", "currency", "amount"),
    [
        ("69.99", "USD", 6_999),
        ("69,99", "EUR", 6_999),
        ("500", "USD", 50_000),
        ("14.0000", "USD", 1_400),
        ("14.5", "USD", 1_450),
        ("1,234.56", "USD", 123_456),
        ("1.234,56", "EUR", 123_456),
        ("1.234.567", "EUR", 123_456_700),
        ("1 234,56", "EUR", 123_456),
        ("1\u202f234,56", "EUR", 123_456),
        ("1'234.50", "CHF", 123_450),
        ("1234.500", "USD", 123_450),
        ("0.500", "USD", 50),
        (" 19.99 ", "EUR", 1_999),
        ("1500", "JPY", 1_500),
        ("1500.00", "JPY", 1_500),
        ("1,980", "JPY", 1_980),
        ("1.500", "KWD", 1_500),
        ("1,500", "KWD", 1_500),
        ("1.5", "KWD", 1_500),
        ("-5", "EUR", -500),
        (69.99, "USD", 6_999),
        (500, "USD", 50_000),
        (1e3, "USD", 100_000),
    ],
)
def test_major_units_follow_the_currency(given: str | int | float, currency: str, amount: int) -> None:
    assert read_price(given, currency, "major") == (amount, currency)


@pytest.mark.parametrize("given", ["19.99 EUR", "19,99EUR", "EUR 19.99", "eur19.99", "19.99\u00a0EUR"])
def test_a_code_in_the_price_is_its_currency(given: str) -> None:
    assert read_price(given, None, "major") == (1_999, "EUR")
    assert read_price(given, "EUR", "major") == (1_999, "EUR")
    with pytest.raises(PriceError, match="is in EUR, but the line's currency is 'USD'"):
        read_price(given, "USD", "major")


@pytest.mark.parametrize(
    ("given", "currency", "says"),
    [
        ("1.234", "EUR", "may be 1234 or 1.234"),
        ("1,234", "USD", "may be 1234 or 1.234"),
        ("150.000", "JPY", "may be 150000 or 150.000"),
        ("19.995", "EUR", "may be"),
        ("1234.995", "EUR", "more decimals than EUR has"),
        ("1500.5", "JPY", "more decimals than JPY has"),
        ("12,34,56", "EUR", "is no price"),
        ("1,2.3,4", "EUR", "is no price"),
        ("cheap", "EUR", "'cheap' is no price"),
        ("", "EUR", "is no price"),
        ("1e3", "EUR", "is no price"),
        ("12 34", "EUR", "is no price"),
        ("EUR 5 USD", None, "is no price"),
        ("9" * 5_000, "EUR", "5,002 characters"),
        (10**70, "EUR", "is no price"),
        (float("inf"), "EUR", "is no price"),
        (1e30, "EUR", "is no price"),
    ],
)
def test_what_is_no_clear_price_is_refused_with_its_value(given: str | float, currency: str | None, says: str) -> None:
    with pytest.raises(PriceError) as caught:
        read_price(given, currency, "major")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("given", "amount"), [("1999", 1_999), ("1999.0", 1_999), ("10.0000", 10), ("1999 EUR", 1_999), (1999.0, 1_999)]
)
def test_minor_units_are_whole(given: str | float, amount: int) -> None:
    assert read_price(given, "EUR", "minor")[0] == amount


@pytest.mark.parametrize("given", ["19.99", "1,999", "²", 19.99])
def test_minor_units_have_no_decimals(given: str | float) -> None:
    with pytest.raises(PriceError):
        read_price(given, "EUR", "minor")


def test_decimals_show_that_a_column_is_in_major_units() -> None:
    assert [has_decimals(one) for one in ("69.99", "69,99 EUR", "500.00", "14.0000", "1,999", "$6.99", 0.5)] == [
        True
    ] * 7
    assert [has_decimals(one) for one in ("500", "1999.0", "cheap", "a.b", 5, 5.0, None, True, "9" * 999)] == [
        False
    ] * 9


def test_whole_numbers_may_be_written_as_others() -> None:
    assert [read_whole(one) for one in ("5", " 1.0 ", "10.0000", "-3", "1.5", "x", "", "9" * 5_000)] == [
        5, 1, 10, -3, None, None, None, None,
    ]  # fmt: skip


@given(st.text(max_size=80) | st.text("0123456789.,' -EURe", max_size=80) | st.integers() | st.floats())
def test_anything_is_a_price_or_refused(value: str | float) -> None:
    has_decimals(value)
    shown(value)
    for unit in ("minor", "major"):
        try:
            amount, _ = read_price(value, "EUR", unit)  # type: ignore[arg-type]
        except PriceError:
            continue
        assert isinstance(amount, int)


@given(st.integers(0, 10**12), st.sampled_from(sorted(EXPONENTS)))
def test_what_a_shop_writes_comes_back(amount: int, currency: str) -> None:
    exponent = EXPONENTS[currency]
    plain = f"{Decimal(amount).scaleb(-exponent):.{exponent}f}"
    for written in (plain, plain.replace(".", ","), f"{plain} {currency}", f"{Decimal(plain):,.{exponent}f}"):
        assert read_price(written, currency, "major") == (amount, currency)
