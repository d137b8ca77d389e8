"""Bodies of plain text: what is taken, refused and made of them is what the types themselves say."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorbuster.contract.bodies.plain_text import PlainTextDecoder, is_plain, without_patterns
from doorbuster.contract.orders import BatchOrder, OrderRequest
from intake.orders.accept import _mark

WHOLE: dict[str, Any] = {
    "customer_id": "ada",
    "lines": [{"product_id": "lamp", "quantity": 2, "metadata": {"gift": True}}, {"product_id": "desk", "quantity": 1}],
    "payment": {"token": "tok-1"},
    "metadata": {"shop": "north"},
    "expected_total": 100,
    "standby": True,
    "identities": {"email": "ada@example.org"},
}
STRANGE = ["", " ", "a/b", "a\x1fb", "a\nb", "a\n", "\x7f", "a\\b", 'a"b', "é", "\u2028", "x" * 300, 7, None, ["a"]]
PLACES = [
    ("customer_id",), ("lines", 0, "product_id"), ("lines", 1, "product_id"), ("lines", 1, "quantity"), ("lines",),
    ("payment", "token"), ("payment",), ("metadata", "shop"), ("identities", "email"), ("unknown",),
]  # fmt: skip
ours, theirs = PlainTextDecoder(OrderRequest), msgspec.json.Decoder(OrderRequest)


def alike(body: bytes) -> None:
    try:
        expected: OrderRequest | None = theirs.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        expected = None
    if expected is None:
        with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
            ours.decode(body)
        return
    order = ours.decode(body)
    assert isinstance(order, OrderRequest)
    assert msgspec.to_builtins(order) == msgspec.to_builtins(expected)
    assert _mark(order) == _mark(expected)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_it_takes_and_refuses_alike(place: tuple[str | int, ...]) -> None:
    for value in STRANGE:
        body: Any = copy.deepcopy(WHOLE)
        inner = body
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = value
        alike(msgspec.json.encode(body))
        alike(msgspec.json.format(msgspec.json.encode(body), indent=1))


@given(st.binary(max_size=30) | st.text(max_size=30).map(str.encode))
def test_whatever_comes_in_a_string_is_taken_or_refused_alike(text: bytes) -> None:
    alike(b'{"customer_id":"%b","lines":[{"product_id":"lamp","quantity":1}]}' % text)


def test_a_whole_plain_body_takes_the_shortcut() -> None:
    body = msgspec.json.encode(WHOLE)
    assert is_plain(body)
    assert type(ours.decode(body)) is not OrderRequest
    alike(body)


@pytest.mark.parametrize("kind", [OrderRequest, BatchOrder])
def test_the_type_is_the_same_but_for_patterns(kind: type[msgspec.Struct]) -> None:
    plain = without_patterns(kind)
    assert plain.__struct_fields__ == kind.__struct_fields__
    assert plain.__struct_defaults__ == kind.__struct_defaults__
    for name in ("frozen", "eq", "order", "array_like", "gc", "omit_defaults", "forbid_unknown_fields", "tag"):
        assert getattr(plain.__struct_config__, name) == getattr(kind.__struct_config__, name), name
    schema = msgspec.json.encode(msgspec.json.schema_components([plain])[1])
    assert schema.count(b'"pattern"') == schema.count(b'"\\\\S"'), "only those stay that a plain body does not answer"
