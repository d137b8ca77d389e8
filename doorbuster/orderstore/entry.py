"""The stream entry: the whole contract between intake and workers. Owns its type and codec, nothing else.

Format: MessagePack array, first element the format's version. An entry's time of acceptance is not in it: it is the
millisecond part of the id that the order store gave the entry.
"""

from __future__ import annotations

import msgspec

FORMAT = 1
FIELD = b"e"
"""The field of a stream entry that holds the encoded order."""
TOTAL = b"b"
"""The one that says how many bytes of orders the stream had had up to its end, ever; see docs/keyspace.md."""


def total_of(fields: dict[bytes, bytes]) -> bytes:
    """Return that number as it stands, empty where whoever wrote the entry did not count."""
    total = fields.get(TOTAL, b"")
    return total if FIELD in fields and total.isdigit() else b""


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One line of an accepted order."""

    product_id: str
    quantity: int


class OrderEntry(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """An accepted order as it lies in the stream."""

    format: int = FORMAT
    order_id: bytes
    """16 bytes of the order's UUID."""
    customer_id: str
    lines: tuple[Line, ...]
    fingerprint: bytes
    """16 bytes of `ids.fingerprint` over the canonical body."""
    payment_token: str | None = None
    metadata: bytes | None = None
    """A JSON object, as the customer sent it."""
    expected_total: int | None = None
    """What its sender expects to pay for all lines, in minor units; None: whatever it costs."""


class UnreadableEntryError(ValueError):
    """The bytes are no order entry of a known format."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(OrderEntry)


def encode(order: OrderEntry) -> bytes:
    """Return the entry's bytes."""
    return _encoder.encode(order)


def encode_accepted(
    order_id: bytes,
    customer_id: str,
    lines: list[tuple[str, int]],
    *,
    fingerprint: bytes,
    payment_token: str | None,
    metadata: bytes | None,
) -> bytes:
    """Return the bytes that `encode` gives for an order of these values alone, without the cost of making the types."""
    return _encoder.encode((FORMAT, order_id, customer_id, lines, fingerprint, payment_token, metadata, None))


def decode(payload: bytes) -> OrderEntry:
    """Return the order of an entry's bytes.

    Raises:
        UnreadableEntryError: the bytes are broken or of another format.
    """
    try:
        order = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableEntryError(str(error)) from error
    if order.format != FORMAT or len(order.order_id) != 16 or not order.lines:
        raise UnreadableEntryError(f"format {order.format}, {len(order.order_id)} id bytes, {len(order.lines)} lines")
    if any(line.quantity < 1 for line in order.lines):
        raise UnreadableEntryError("a line's quantity is below 1")
    return order
