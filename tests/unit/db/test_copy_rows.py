"""The bytes of COPY: what a batch writes, in pieces and whole. That Postgres reads them so is tested with the drain."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from db.work.copy_rows import COLUMNS, MoneyAtOnce, NewOrder, OrderRows, PayAtOnce, copied, copied_in_pieces, in_pieces
from doorbuster.orderstore.entry import EntryLine, OrderEntry

NOW = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=1)


def _order(number: int, *lines: tuple[str, int], reason: str | None = None) -> NewOrder:
    accepted = OrderEntry(
        order_id=bytes(15) + bytes([number]),
        customer_id=f"c{number}",
        lines=tuple(EntryLine(*line) for line in lines),
        fingerprint=b"f" * 16,
        metadata=b"{}",
    )
    return NewOrder(accepted, (946_684_800_000 + number, number), reason, [7] * len(lines), "EUR")


def _fields(row: bytes) -> list[bytes | None]:
    """Take a row apart as Postgres does."""
    (count,), at, fields = struct.unpack_from("!h", row), 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", row, at)
        fields.append(None if length < 0 else row[at + 4 : at + 4 + length])
        at += 4 + max(length, 0)
    assert at == len(row)
    return fields


Row = dict[str, bytes | None]


def _rows(table: str, those: Iterable[bytes]) -> list[Row]:
    return [dict(zip(COLUMNS[table], _fields(row), strict=True)) for row in those]


def _batch(*orders: NewOrder, pay: PayAtOnce | None = None) -> tuple[list[Row], list[Row], OrderRows]:
    made = OrderRows(3, 1, NOW, NOW + timedelta(seconds=9), pay=pay)
    lines = _rows("order_lines", made.lines(orders))
    return _rows("orders", made.orders()), lines, made


def test_a_pending_order_has_its_lines_its_hold_and_its_event() -> None:
    (order,), lines, made = _batch(_order(1, ("lamp", 2), ("chair", 3)))
    assert order["total"] == struct.pack("!q", 35)
    assert (order["status"], order["reason"], order["payment_token"]) == (b"pending", None, None)
    assert (order["accepted_at"], order["entry_seq"]) == (struct.pack("!q", 1000), struct.pack("!i", 1))
    assert order["metadata"] == b"\x01{}"
    assert [line["product_id"] for line in lines] == [b"lamp", b"chair"]
    assert [line["line"] for line in lines] == [b"\0\1", b"\0\2"]
    (hold,) = _rows("reservations", made.reservations)
    assert (hold["due_at"], hold["expires_at"]) == (struct.pack("!q", 1_000_000), struct.pack("!q", 10_000_000))
    (event,) = _rows("order_events", made.events)
    assert (event["seq"], event["status"], event["reason"]) == (b"\0\1", b"pending", None)


def test_an_order_that_is_paid_with_its_batch_is_confirmed_and_holds_nothing() -> None:
    asked: list[tuple[int, str, str | None]] = []

    def pay(_: bytes, total: int, currency: str, token: str | None) -> MoneyAtOnce | None:
        asked.append((total, currency, token))
        return None if total > 20 else MoneyAtOnce("captured", None, total)

    new = [_order(1, ("lamp", 2)), _order(2, ("lamp", 3)), _order(3, ("lamp", 1), reason="sold_out")]
    (paid, due, cancelled), _, made = _batch(*new, pay=pay)
    assert asked == [(14, "EUR", None), (21, "EUR", None)], "nobody pays for what is refused"
    assert (paid["status"], paid["version"], paid["payment"]) == (b"confirmed", b"\0\2", b"captured")
    assert (paid["authorised"], paid["captured"]) == (None, struct.pack("!q", 14))
    assert (due["status"], due["payment"], due["captured"]) == (b"pending", None, None)
    assert (cancelled["status"], cancelled["payment"]) == (b"cancelled", None)
    assert len(made.reservations) == 1
    assert [(event["seq"], event["status"]) for event in _rows("order_events", made.events)] == [
        (b"\0\1", b"pending"), (b"\0\2", b"confirmed"), (b"\0\1", b"pending"), (b"\0\1", b"cancelled"),
    ]  # fmt: skip


def test_a_cancelled_order_holds_nothing() -> None:
    (order,), lines, made = _batch(_order(1, ("lamp", 2), reason="sold_out"))
    assert (order["status"], order["reason"]) == (b"cancelled", b"sold_out")
    assert len(lines) == len(made.events) == 1
    assert made.reservations == []


@pytest.mark.parametrize("units", [2**31, 2**80])
def test_what_no_column_holds_is_refused_before_it_is_sent(units: int) -> None:
    with pytest.raises(struct.error):
        _batch(_order(1, ("lamp", units)))


async def test_pieces_are_the_whole() -> None:
    rows = [bytes([number]) for number in range(7)]
    said: list[str] = []
    made = in_pieces(iter(rows), rows_each=3)
    pieces = [piece async for piece in copied_in_pieces(made, sent=lambda: said.append("sent"))]
    assert [len(piece) for piece in pieces[1:-1]] == [3, 3, 1]
    assert b"".join(pieces) == bytes(copied(rows))
    assert said == ["sent"]


def test_every_value_stands_in_the_column_of_its_name() -> None:
    order = _order(1, ("lamp", 2))
    told = {"fingerprint": b"0123456789abcdef", "customer_id": "ann", "payment_token": "tok", "metadata": b'{"a":1}'}
    accepted = structs.replace(order.accepted, **told)
    (pending,), (line,), reserved = _batch(order._replace(accepted=accepted))
    (cancelled,), _, _ = _batch(order._replace(accepted=accepted, reason="sold_out", refusal=b'{"left":0}'))
    shared = {
        "sale_number": b"\0\0\0\3", "partition": b"\0\1", "version": b"\0\1",
        "updated_at": struct.pack("!q", 10**6), "currency": b"EUR",
        "order_id": bytes(15) + b"\1", "entry_seq": b"\0\0\0\1",
        "accepted_at": struct.pack("!q", 1000), "total": struct.pack("!q", 14),
        "fingerprint": b"0123456789abcdef", "customer_id": b"ann", "payment_token": b"tok", "metadata": b'\1{"a":1}',
        "identities": None, "lines_metadata": None, "payment": None, "authorised": None, "captured": None,
    }  # fmt: skip
    assert pending == shared | {"status": b"pending", "reason": None, "refusal": None}
    assert cancelled == shared | {"status": b"cancelled", "reason": b"sold_out", "refusal": b'\1{"left":0}'}
    assert line == {
        "order_id": bytes(15) + b"\1", "line": b"\0\1", "quantity": b"\0\0\0\2", "unit_price": struct.pack("!q", 7),
        "product_id": b"lamp",
    }  # fmt: skip
    rows = {"reservations": reserved.reservations, "order_events": reserved.events}
    assert {table: _rows(table, those) for table, those in rows.items()} == {
        "reservations": [{
            "order_id": bytes(15) + b"\1", "total": struct.pack("!q", 14), "sale_number": b"\0\0\0\3",
            "partition": b"\0\1", "due_at": struct.pack("!q", 10**6), "expires_at": struct.pack("!q", 10**7),
            "currency": b"EUR", "payment_token": b"tok",
        }],
        "order_events": [{
            "order_id": bytes(15) + b"\1", "seq": b"\0\1", "status": b"pending", "at": struct.pack("!q", 10**6),
            "reason": None,
        }],
    }  # fmt: skip


PLAIN = OrderEntry(order_id=bytes(16), customer_id="c", lines=(EntryLine("lamp", 1),), fingerprint=bytes(16))
OTHER: dict[str, Any] = {
    "order_id": b"x" * 16,
    "customer_id": "d",
    "lines": (EntryLine("lamp", 2),),
    "fingerprint": b"f" * 16,
    "payment_token": "tok",
    "metadata": b"{}",
    "identities": b"\x01" + bytes(16),
    "lines_metadata": b'[{"a":1}]',
}
UNWRITTEN = {"format", "expected_total", "standby", "traceparent"}
"""What the drain decides or tells by, and is no part of the row."""


def _written(order: OrderEntry) -> list[bytes]:
    rows = OrderRows(1, 0, NOW, NOW + timedelta(seconds=1))
    return [*rows.lines([NewOrder(order, (946_684_800_000, 1), None, [1], "EUR")]), *rows.orders()]


@pytest.mark.parametrize("name", sorted(set(OrderEntry.__struct_fields__) - UNWRITTEN))
def test_each_field_of_the_entry_is_written(name: str) -> None:
    assert _written(structs.replace(PLAIN, **{name: OTHER[name]})) != _written(PLAIN)


def test_lines_that_are_alike_are_told_apart_by_all_they_have() -> None:
    orders = [_order(1, ("lamp", 2), ("lamp", 2)), _order(2, ("lamp", 2), ("chair", 2)), _order(3, ("lamp", 3))]
    prices = [[7, 7], [7, 8], [9]]
    told, lines, _ = _batch(*(order._replace(prices=price) for order, price in zip(orders, prices, strict=True)))
    found = [
        (line["order_id"], line["line"], line["quantity"], line["unit_price"], line["product_id"]) for line in lines
    ]
    assert [tuple(int.from_bytes(part or b"") for part in row[:4]) for row in found] == [
        (1, 1, 2, 7), (1, 2, 2, 7), (2, 1, 2, 7), (2, 2, 2, 8), (3, 1, 3, 9),
    ]  # fmt: skip
    assert [row[4] for row in found] == [b"lamp", b"lamp", b"lamp", b"chair", b"lamp"]
    assert [int.from_bytes(order["total"] or b"") for order in told] == [28, 30, 27]
