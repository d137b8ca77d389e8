"""The stream entry: what one side writes the other reads, and what is none is told apart."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.orderstore import entry
from doorbuster.orderstore.entry import EntryLine, LaterEntryError, OrderEntry, UnreadableEntryError
from tests.fixtures.recorded import RECORDED

ORDERS = st.builds(
    OrderEntry,
    order_id=st.binary(min_size=16, max_size=16),
    customer_id=st.text(min_size=1, max_size=128),
    lines=st.lists(st.builds(EntryLine, st.text(min_size=1, max_size=64), st.integers(1, 1000)), min_size=1).map(tuple),
    fingerprint=st.binary(min_size=16, max_size=16),
    payment_token=st.none() | st.text(max_size=255),
    metadata=st.none() | st.binary(max_size=1000),
)
"""Orders without the fields that the entry grew: nearly all of them."""
LONG_ORDERS = st.builds(
    lambda order, **grown: msgspec.structs.replace(order, **grown),
    ORDERS,
    expected_total=st.none() | st.integers(0, 2**53),
    standby=st.none() | st.just(True),
    identities=st.none() | st.binary(min_size=17, max_size=68),
    lines_metadata=st.none() | st.binary(max_size=1000),
    traceparent=st.none() | st.text("0123456789abcdef-", max_size=60),
)


@given(LONG_ORDERS)
def test_what_is_encoded_is_decoded(order: OrderEntry) -> None:
    assert entry.decode(entry.encode(order)) == order


@given(ORDERS)
def test_the_short_way_gives_the_same_order_in_fewer_bytes(order: OrderEntry) -> None:
    short = entry.encode_accepted(
        order.order_id,
        order.customer_id,
        [(line.product_id, line.quantity) for line in order.lines],
        fingerprint=order.fingerprint,
        payment_token=order.payment_token,
        metadata=order.metadata,
    )
    assert entry.decode(short) == order
    assert short[1:] == entry.encode(order)[1 : len(short)]
    assert short[0] == 0x98, (
        "eight elements, as before the entry grew more: older workers read it without a second look"
    )


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


# Entries of other versions.


@pytest.mark.parametrize("which", RECORDED)
def test_an_entry_of_a_version_before_is_read(which: str) -> None:
    payload, order = RECORDED[which]
    assert entry.decode(bytes.fromhex(payload)) == order


def test_an_entry_grows_at_its_end_by_what_may_be_missing() -> None:
    fields = {field.name: field.default for field in msgspec.structs.fields(OrderEntry)}
    assert list(fields)[:8] == [
        "format", "order_id", "customer_id", "lines", "fingerprint", "payment_token", "metadata", "expected_total",
    ]  # fmt: skip
    assert {name for name in list(fields)[5:] if fields[name] is not None} == set()
    assert len(fields) <= 15  # the array's length stays in its first byte


EVERYTHING = RECORDED["with identities, standby and what its lines carry along"][1]


def _later(*further: object) -> bytes:
    order = EVERYTHING
    return msgspec.msgpack.encode([*msgspec.msgpack.decode(entry.encode(order)), *further])


@pytest.mark.parametrize("further", [1, 4, 5, 30])
def test_a_later_entry_that_uses_no_further_field_is_read(further: int) -> None:
    assert entry.decode(_later(*[None] * further)) == EVERYTHING


@pytest.mark.parametrize("further", [("gift",), (None, None, False), (None,) * 29 + (0,)])
def test_a_later_entry_that_uses_one_is_not_read_without_it(further: tuple[object, ...]) -> None:
    with pytest.raises(LaterEntryError, match=f"it has {12 + len(further)} fields, of which 12 are known") as caught:
        entry.decode(_later(*further))
    assert caught.value.order == EVERYTHING


def test_a_later_line_that_says_more_is_not_read_without_it() -> None:
    elements = msgspec.msgpack.decode(_later())
    elements[3] = [["lamp", 1, "engraved"]]
    with pytest.raises(UnreadableEntryError):
        entry.decode(msgspec.msgpack.encode(elements))


def test_a_format_stays_readable_once_it_was_written() -> None:
    assert {1, entry.FORMAT} <= entry._READABLE
