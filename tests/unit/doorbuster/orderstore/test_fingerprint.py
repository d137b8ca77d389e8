"""The fingerprint of an order: every field is part of it, and what lies in the store keeps the one it has."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from doorbuster.contract.orders import Identities, Line, OrderRequest, Payment
from doorbuster.orderstore.ids import fingerprint_of
from doorbuster.values import identities
from intake.orders.accept import _entry, _fingerprint, _mark

EXCLUDED = {"customer_id", "expected_total", "identities"}
FIRST = ("lines", "payment", "metadata")
ORDER = OrderRequest(customer_id="c", lines=(Line("lamp", 1),))
CHANGED: dict[str, Any] = {
    "customer_id": "d",
    "lines": (Line("lamp", 1), Line("chair", 1)),
    "payment": Payment("tok_1"),
    "metadata": {"gift": True},
    "expected_total": 1999,
    "standby": True,
    "identities": Identities(email="ada@example.com"),
}
"""Another value of each field: whoever adds one gives it one here."""


@pytest.mark.parametrize(
    ("body", "recorded"),
    [
        (b'{"customer_id":"c","lines":[{"product_id":"lamp","quantity":1}]}', "940f98ef237163bdeea9b60ad431b318"),
        (
            b'{"customer_id":"Zo\xc3\xab","lines":[{"product_id":"lamp","quantity":2},'
            b'{"product_id":"chair","quantity":1000}],"payment":{"token":"tok_1"}}',
            "87f80e236dfd3d2d92fc8122ac844c7b",
        ),
        (
            b'{"customer_id":"c","lines":[{"product_id":"lamp","quantity":1}],'
            b'"metadata":{"b":[1,2.5,null,true],"a":{"z":1,"y":"\xc3\xbc"}}}',
            "1cde4dd6034cf877842fc0e081ccc08d",
        ),
        (
            b'{"customer_id":"d","lines":[{"product_id":"lamp","quantity":1}],"payment":{"token":"tok_1"},'
            b'"metadata":{},"expected_total":1999}',
            "aef7abeb31cc0991e5fb077f72ed8fda",
        ),
    ],
)
def test_orders_in_the_store_keep_their_fingerprints(body: bytes, recorded: str) -> None:
    assert _mark(msgspec.json.decode(body, type=OrderRequest)).hex() == recorded


@pytest.mark.parametrize("name", OrderRequest.__struct_fields__)
def test_each_field_changes_it_but_those_excluded(name: str) -> None:
    changed = msgspec.structs.replace(ORDER, **{name: CHANGED[name]})
    assert (_mark(changed) == _mark(ORDER)) == (name in EXCLUDED)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ORDER.lines[0], Line("lamp", 2)),
        (ORDER.lines[0], Line("lump", 1)),
        (ORDER.lines[0], Line("lamp", 1, {"engraved": "A"})),
        (Line("lamp", 1, {"engraved": "B"}), Line("lamp", 1, {"engraved": "A"})),
        (Payment("tok_1"), Payment("tok_2")),
    ],
)
def test_each_field_within_changes_it(one: msgspec.Struct, other: msgspec.Struct) -> None:
    name = "payment" if isinstance(one, Payment) else "lines"
    first, second = (value if name == "payment" else (value,) for value in (one, other))
    made = [_mark(msgspec.structs.replace(ORDER, **{name: value})) for value in (first, second)]
    assert made[0] != made[1]


def _structs_in(body: type[msgspec.Struct]) -> set[type[msgspec.Struct]]:
    found: set[type[msgspec.Struct]] = set()

    def look(hint: Any) -> None:
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            found.add(hint)
            for inner in get_type_hints(hint).values():
                look(inner)
        for inner in get_args(hint):
            look(inner)

    for hint in get_type_hints(body).values():
        look(hint)
    return found


def test_a_field_that_a_part_grows_is_left_out_where_it_is_not_used() -> None:
    structs = _structs_in(OrderRequest)
    assert {Line, Payment, Identities} <= structs
    assert {one for one in structs if not one.__struct_config__.omit_defaults} == set()


class _Grown(OrderRequest, frozen=True, forbid_unknown_fields=True):
    gift_wrap: bool = False
    notes: list[str] = msgspec.field(default_factory=list)


_mark_grown = fingerprint_of(_Grown, first=FIRST, excluded=frozenset(EXCLUDED))


@pytest.mark.parametrize("name", OrderRequest.__struct_fields__)
def test_a_new_field_leaves_orders_without_it_as_they_are(name: str) -> None:
    old = msgspec.structs.replace(ORDER, **{name: CHANGED[name]})
    new = _Grown(**msgspec.structs.asdict(old))
    assert _mark_grown(new) == _mark(old)


def test_a_new_field_is_part_of_it_unasked() -> None:
    told = msgspec.structs.asdict(ORDER)
    grown = [_Grown(**told), _Grown(**told, gift_wrap=True), _Grown(**told, notes=["a"]), _Grown(**told, notes=["b"])]
    assert len({_mark_grown(one) for one in grown}) == len(grown)


def test_a_new_field_is_no_part_of_it_only_if_excluded_by_name() -> None:
    mark = fingerprint_of(_Grown, first=FIRST, excluded=frozenset({*EXCLUDED, "gift_wrap"}))
    told = msgspec.structs.asdict(ORDER)
    assert mark(_Grown(**told, gift_wrap=True)) == mark(_Grown(**told))


def test_a_field_that_does_not_exist_cannot_be_excluded() -> None:
    with pytest.raises(ValueError, match="OrderRequest has no field expected_totals"):
        fingerprint_of(OrderRequest, first=FIRST, excluded=frozenset({"expected_totals"}))


@pytest.mark.parametrize("name", OrderRequest.__struct_fields__)
def test_each_field_goes_into_the_entry(name: str) -> None:
    changed = msgspec.structs.replace(ORDER, **{name: CHANGED[name]})
    assert _entry(changed, bytes(16), bytes(16), _people(changed)) != _entry(ORDER, bytes(16), bytes(16), None)


def _people(order: OrderRequest) -> bytes | None:
    named = order.identities
    return None if named is None else identities.pack(b"key", (named.email, named.card, named.address, named.device))


def test_identities_are_part_of_it_as_hashes_of_their_folded_forms() -> None:
    def mark(key: bytes = b"key", **named: str) -> bytes:
        packed = identities.pack(key, (named.get("email"), named.get("card"), None, None))
        return _fingerprint(ORDER, packed)

    one = mark(email="Ada@Example.com")
    assert one == mark(email="ada@example.com")
    others = [
        _mark(ORDER),
        mark(email="bob@example.com"),
        mark(card="ada@example.com"),
        mark(b"k", email="ada@example.com"),
    ]
    assert len({one, *others}) == 5
