"""The batch's decision: never oversells, serves in the order of acceptance, all lines of an order or none."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.orderstore.entry import EntryLine, OrderEntry
from workers.drain.decide import Purchases, Reason, SellableUnits, Verdict, decide

PRODUCTS = ("lamp", "rug", "sofa", "vase")
CUSTOMERS = ("ada", "bob", "cyd")


def _order(number: int, customer: str, lines: list[tuple[str, int]]) -> OrderEntry:
    return OrderEntry(
        order_id=number.to_bytes(16, "big"),
        customer_id=customer,
        lines=tuple(EntryLine(product_id, quantity) for product_id, quantity in lines),
        fingerprint=b"f" * 16,
    )


def _shelf(units: int, limit: int | None = None, currency: str = "EUR", *, active: bool = True) -> SellableUnits:
    return SellableUnits(units=units, price=100, currency=currency, active=active, limit_per_customer=limit)


_lines = st.lists(st.tuples(st.sampled_from(PRODUCTS), st.integers(1, 4)), min_size=1, max_size=5)
_orders = st.lists(st.tuples(st.sampled_from(CUSTOMERS), _lines), max_size=40).map(
    lambda drawn: [_order(number, customer, lines) for number, (customer, lines) in enumerate(drawn)]
)
_stocks = st.fixed_dictionaries(
    {product_id: st.tuples(st.integers(0, 12), st.none() | st.integers(1, 6)) for product_id in PRODUCTS}
)


def _wanted(order: OrderEntry) -> Counter[str]:
    units: Counter[str] = Counter()
    for line in order.lines:
        units[line.product_id] += line.quantity
    return units


@given(orders=_orders, stocks=_stocks)
def test_it_takes_what_was_reserved_and_never_more_than_there_is(
    orders: list[OrderEntry], stocks: dict[str, tuple[int, int | None]]
) -> None:
    sellable = {product_id: _shelf(*terms) for product_id, terms in stocks.items()}
    verdict = decide(orders, sellable, Purchases())
    reserved: Counter[str] = Counter()
    for order, reason in verdict.decided:
        if reason is None:
            reserved += _wanted(order)
    assert +Counter(verdict.taken) == reserved
    for product_id, (units, _) in stocks.items():
        assert sellable[product_id].units == units - reserved[product_id] >= 0


@given(orders=_orders, stocks=_stocks)
def test_every_order_gets_one_decision(orders: list[OrderEntry], stocks: dict[str, tuple[int, int | None]]) -> None:
    verdict = decide(orders, {product_id: _shelf(*terms) for product_id, terms in stocks.items()}, Purchases())
    assert [order.order_id for order, _ in verdict.decided] == [order.order_id for order in orders]


@given(orders=_orders, stocks=_stocks)
def test_who_came_later_changes_nothing_for_who_came_first(
    orders: list[OrderEntry], stocks: dict[str, tuple[int, int | None]]
) -> None:
    def sellable() -> dict[str, SellableUnits]:
        return {product_id: _shelf(*terms) for product_id, terms in stocks.items()}

    all_of_them = _by_order(decide(orders, sellable(), Purchases()))
    for count in range(len(orders)):
        for order_id, reason in _by_order(decide(orders[:count], sellable(), Purchases())).items():
            assert all_of_them[order_id] == reason


def _by_order(verdict: Verdict) -> dict[bytes, Reason | None]:
    return {order.order_id: reason for order, reason in verdict.decided}


@given(orders=_orders, stocks=_stocks, cut=st.integers(0, 40))
def test_two_batches_decide_like_one(
    orders: list[OrderEntry], stocks: dict[str, tuple[int, int | None]], cut: int
) -> None:
    whole = decide(orders, {product_id: _shelf(*terms) for product_id, terms in stocks.items()}, Purchases())
    sellable = {product_id: _shelf(*terms) for product_id, terms in stocks.items()}
    first = decide(orders[:cut], sellable, Purchases())
    second = decide(orders[cut:], sellable, Purchases(dict(first.bought), first.bought_by))
    assert _by_order(whole) == _by_order(first) | _by_order(second)


@given(orders=_orders, stocks=_stocks)
def test_no_refusal_without_cause(orders: list[OrderEntry], stocks: dict[str, tuple[int, int | None]]) -> None:
    """Told again order by order with the naive rule, each comes out the same."""
    left = {product_id: units for product_id, (units, _) in stocks.items()}
    bought: Counter[tuple[str, str]] = Counter()
    expected = {}
    for order in orders:
        wanted = _wanted(order)
        fits = all(units <= left[product_id] for product_id, units in wanted.items())
        allowed = all(
            (limit := stocks[product_id][1]) is None or bought[order.customer_id, product_id] + units <= limit
            for product_id, units in wanted.items()
        )
        expected[order.order_id] = fits and allowed
        if fits and allowed:
            for product_id, units in wanted.items():
                left[product_id] -= units
                bought[order.customer_id, product_id] += units
    verdict = decide(orders, {product_id: _shelf(*terms) for product_id, terms in stocks.items()}, Purchases())
    assert {order_id: reason is None for order_id, reason in _by_order(verdict).items()} == expected


def test_lines_of_one_product_count_together() -> None:
    verdict = decide([_order(1, "ada", [("lamp", 2), ("lamp", 2)])], {"lamp": _shelf(3)}, Purchases())
    assert [reason for _, reason in verdict.decided] == [Reason.SOLD_OUT]


def test_what_was_bought_before_counts_against_the_limit() -> None:
    verdict = decide([_order(1, "ada", [("lamp", 2)])], {"lamp": _shelf(9, limit=3)}, Purchases({("lamp", "ada"): 2}))
    assert [reason for _, reason in verdict.decided] == [Reason.LIMIT_EXCEEDED]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([("unheard_of", 1)], Reason.UNAVAILABLE),
        ([("lamp", 1), ("unheard_of", 1)], Reason.UNAVAILABLE),
        ([("lamp", 1), ("rug", 1)], Reason.MIXED_CURRENCY),
    ],
)
def test_what_the_sale_cannot_sell_is_decided_and_takes_nothing(lines: list[tuple[str, int]], reason: Reason) -> None:
    sellable = {"lamp": _shelf(5), "rug": _shelf(5, currency="USD")}
    verdict = decide([_order(1, "ada", lines), _order(2, "bob", [("lamp", 5)])], sellable, Purchases())
    assert [(order.customer_id, why) for order, why in verdict.decided] == [("ada", reason), ("bob", None)]


def test_an_inactive_product_is_refused() -> None:
    verdict = decide([_order(1, "ada", [("lamp", 1)])], {"lamp": _shelf(5, active=False)}, Purchases())
    assert [reason for _, reason in verdict.decided] == [Reason.UNAVAILABLE]
