"""The stream entry: what one side writes the other reads, and what is none is told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.orderstore import entry
from doorbuster.orderstore.entry import Line, OrderEntry, UnreadableEntryError

ORDERS = st.builds(
    OrderEntry,
    order_id=st.binary(min_size=16, max_size=16),
    customer_id=st.text(min_size=1, max_size=128),
    lines=st.lists(st.builds(Line, st.text(min_size=1, max_size=64), st.integers(1, 1000)), min_size=1).map(tuple),
    fingerprint=st.binary(min_size=16, max_size=16),
    payment_token=st.none() | st.text(max_size=255),
    metadata=st.none() | st.binary(max_size=1000),
)


@given(ORDERS)
def test_what_is_encoded_is_decoded(order: OrderEntry) -> None:
    assert entry.decode(entry.encode(order)) == order


@given(ORDERS)
def test_the_short_way_gives_the_same_bytes(order: OrderEntry) -> None:
    short = entry.encode_accepted(
        order.order_id,
        order.customer_id,
        [(line.product_id, line.quantity) for line in order.lines],
        fingerprint=order.fingerprint,
        payment_token=order.payment_token,
        metadata=order.metadata,
    )
    assert short == entry.encode(order)


@given(st.binary(max_size=200))
def test_other_bytes_are_no_entry(payload: bytes) -> None:
    with pytest.raises(UnreadableEntryError):
        entry.decode(payload)


@given(ORDERS, st.data())
def test_a_cut_entry_is_none(order: OrderEntry, data: st.DataObject) -> None:
    payload = entry.encode(order)
    with pytest.raises(UnreadableEntryError):
        entry.decode(payload[: data.draw(st.integers(0, len(payload) - 1))])


@pytest.mark.parametrize(
    "values",
    [
        (2, b"x" * 16, "c", [("p", 1)], b"f" * 16, None, None),
        (1, b"x" * 15, "c", [("p", 1)], b"f" * 16, None, None),
        (1, b"x" * 16, "c", [], b"f" * 16, None, None),
        (1, b"x" * 16, "c", [("p", 0)], b"f" * 16, None, None),
    ],
)
def test_an_entry_out_of_bounds_is_none(values: tuple[object, ...]) -> None:
    with pytest.raises(UnreadableEntryError):
        entry.decode(entry._encoder.encode(values))
