"""Limits on people in a batch: orders that share any identities, against a model that counts one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from doorbuster.orderstore.entry import EntryLine, OrderEntry
from doorbuster.values.identities import KINDS
from workers.drain.decide import Cause, Purchases, Reason, SellableUnits, Verdict, decide
from workers.drain.people import PeopleLimits, people_of, repeated, strictest

PRODUCTS = ("lamp", "rug")


def identity(kind: int, number: int) -> bytes:
    return bytes((kind,)) * 15 + bytes((number,))


def _order(number: int, customer: str, people: tuple[int, ...], lines: list[tuple[str, int]]) -> OrderEntry:
    packed = b"".join(bytes((kind,)) + identity(kind, who) for kind, who in enumerate(people, 1) if who)
    return OrderEntry(
        order_id=number.to_bytes(16, "big"), customer_id=customer, fingerprint=b"f" * 16, identities=packed or None,
        lines=tuple(EntryLine(*line) for line in lines),
    )  # fmt: skip


_people = st.tuples(*[st.integers(0, 2)] * 4)
"""Of each kind: none, or one of two."""
_lines = st.lists(st.tuples(st.sampled_from(PRODUCTS), st.integers(1, 3)), min_size=1, max_size=3)
_orders = st.lists(st.tuples(st.sampled_from("ab"), _people, _lines), max_size=30).map(
    lambda drawn: [_order(number, *one) for number, one in enumerate(drawn)]
)
_wide_orders = st.lists(
    st.tuples(st.sampled_from("abcd"), st.tuples(*[st.integers(0, 40)] * 4), _lines), max_size=30
).map(lambda drawn: [_order(number, *one) for number, one in enumerate(drawn)])
"""Most of whose people order once."""
_limit = st.none() | st.integers(1, 6)
_terms = st.fixed_dictionaries({one: st.tuples(_limit, st.tuples(*[_limit] * 4)) for one in PRODUCTS})
Terms = dict[str, tuple[int | None, tuple[int | None, ...]]]


def _shelf(terms: Terms) -> dict[str, SellableUnits]:
    return {
        one: SellableUnits(1000, 100, "EUR", active=True, limit_per_customer=customer, people=PeopleLimits(people))
        for one, (customer, people) in terms.items()
    }


def _wanted(order: OrderEntry) -> Counter[str]:
    units: Counter[str] = Counter()
    for line in order.lines:
        units[line.product_id] += line.quantity
    return units


def _naive(orders: list[OrderEntry], terms: Terms) -> list[bool]:
    """Say of each order whether it is allowed, counting every person by every product, one order after the other."""
    had: Counter[tuple[str, object]] = Counter()
    answers = []
    for order in orders:
        packed = order.identities or b""
        people = [(packed[at], packed[at + 1 : at + 17]) for at in range(0, len(packed), 17)]
        allowed = True
        for product, units in _wanted(order).items():
            customer, limits = terms[product]
            allowed &= customer is None or had[product, order.customer_id] + units <= customer
            for kind, who in people:
                most = limits[kind - 1]
                allowed &= most is None or had[product, who] + units <= most
        answers.append(allowed)
        for product, units in _wanted(order).items() if allowed else ():
            had[product, order.customer_id] += units
            for _, who in people:
                had[product, who] += units
    return answers


@given(orders=_orders, terms=_terms)
def test_it_decides_as_one_who_counts_one_by_one(orders: list[OrderEntry], terms: Terms) -> None:
    decided = decide(orders, _shelf(terms), Purchases()).decided
    assert [reason is None for _, reason in decided] == _naive(orders, terms)
    assert {reason for _, reason in decided} <= {None, Reason.LIMIT_EXCEEDED}


def _contested(orders: list[OrderEntry], known: Iterable[bytes] = ()) -> frozenset[bytes]:
    return frozenset(repeated(people_of(orders, PeopleLimits((1,) * 4)))).union(known)


def _had(verdict: Verdict) -> dict[str, dict[bytes, int]]:
    """Return what people have by a verdict, whichever way it was counted."""
    had = {product: dict(counts) for product, counts in verdict.bought_by.items() if counts}
    for (product, units), names in verdict.newcomers.items():
        for name in names:
            assert name not in had.get(product, {})
            had.setdefault(product, {})[name] = units
    return had


@given(orders=_wide_orders, terms=_terms, cut=st.integers(0, 30))
def test_who_cannot_be_over_a_limit_is_counted_without_a_look_and_the_same_comes_of_it(
    orders: list[OrderEntry], terms: Terms, cut: int
) -> None:
    slow = decide(orders[:cut], _shelf(terms), Purchases())
    fast = decide(orders[:cut], _shelf(terms), Purchases(contested=_contested(orders[:cut])))
    assert (fast.decided, fast.causes, _had(fast)) == (slow.decided, slow.causes, _had(slow))
    had = _had(fast)
    known = _contested(orders[cut:], {name for counts in had.values() for name in counts})
    then = decide(orders[cut:], _shelf(terms), Purchases(dict(fast.bought), had, known))
    assert fast.decided + then.decided == decide(orders, _shelf(terms), Purchases()).decided


def test_limits_of_several_products_meet_whoever_one_of_them_meets() -> None:
    several = strictest([PeopleLimits((None, 3, None, None)), PeopleLimits((2, 1, None, None))])
    assert several is not None
    assert several.most == (2, 1, None, None)
    assert strictest([]) is None
    packed = b"".join(bytes((kind,)) + identity(kind, 1) for kind in (1, 2, 4))
    assert several.names(packed) == (identity(1, 1), identity(2, 1))


@given(orders=_orders, terms=_terms, cut=st.integers(0, 30))
def test_two_batches_decide_like_one(orders: list[OrderEntry], terms: Terms, cut: int) -> None:
    first = decide(orders[:cut], _shelf(terms), Purchases())
    second = decide(orders[cut:], _shelf(terms), Purchases(dict(first.bought), first.bought_by))
    assert first.decided + second.decided == decide(orders, _shelf(terms), Purchases()).decided


def test_a_refusal_says_whose_limit_it_is() -> None:
    for kind, name in enumerate(KINDS, 1):
        people = tuple(1 if one == kind else 0 for one in range(1, 5))
        limits = tuple(3 if one == kind else None for one in range(1, 5))
        orders = [_order(n, f"c{n}", people, [("rug", 1), ("lamp", 2)]) for n in (1, 2)]
        terms: Terms = {"lamp": (None, limits), "rug": (None, (None,) * 4)}
        verdict = decide(orders, _shelf(terms), Purchases())
        assert [reason for _, reason in verdict.decided] == [None, Reason.LIMIT_EXCEEDED]
        assert verdict.causes[orders[1].order_id] == Cause(2, "lamp", by=name, limit=3, had=2)
        assert verdict.bought_by["lamp"] == {identity(kind, 1): 2}
