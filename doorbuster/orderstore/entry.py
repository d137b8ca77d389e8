"""The stream entry: the whole contract between intake and workers. Owns its type and codec, nothing else.

Format: MessagePack array, first element the format's version. An entry's time of acceptance is not in it: it is the
millisecond part of the id that the order store gave the entry.

An entry grows at its end, by a field whose default is None: then the entries of the version before are read as they
are, and that version reads those of this one that do not use the field. What it cannot serve it puts aside whole, among
the dead letters. `FORMAT` is for changes that cannot be made so; the formats before it stay readable.
"""

from __future__ import annotations

import msgspec

FORMAT = 1
FIELD = b"e"
"""The field of a stream entry that holds the encoded order."""
TOTAL = b"b"
"""The one that says how many bytes of orders the stream had had up to its end, ever; see docs/keyspace.md."""
_READABLE = frozenset({FORMAT})
"""A format stays here for as long as an entry of it may lie in a stream."""


def total_of(fields: dict[bytes, bytes]) -> bytes:
    """Return that number as it stands, empty where whoever wrote the entry did not count."""
    total = fields.get(TOTAL, b"")
    return total if FIELD in fields and total.isdigit() else b""


class EntryLine(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One line of an accepted order; one that says more is of a later version, and is not read without that."""

    product_id: str
    quantity: int


class OrderEntry(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """An accepted order as it lies in the stream."""

    format: int = FORMAT
    order_id: bytes
    """16 bytes of the order's UUID."""
    customer_id: str
    lines: tuple[EntryLine, ...]
    fingerprint: bytes
    """16 bytes that `ids.fingerprint_of` makes of the body."""
    payment_token: str | None = None
    metadata: bytes | None = None
    """A JSON object, as the customer sent it."""
    expected_total: int | None = None
    """What its sender expects to pay for all lines, in minor units; None: whatever it costs."""
    standby: bool | None = None
    """True: sold out at its turn it waits for units to come back."""
    identities: bytes | None = None
    """Who is behind the customer, as `values/identities.py` packs it: hashes, nothing as it was sent."""
    lines_metadata: bytes | None = None
    """A JSON array with the metadata of each line, null for a line without."""
    traceparent: str | None = None
    """The span of the post, as W3C writes it, where the order has a trace."""


class UnreadableEntryError(ValueError):
    """The bytes are no order entry of a known format."""


class LaterEntryError(UnreadableEntryError):
    """An entry of a later version uses a field that this one does not know, and would drop."""

    def __init__(self, order: OrderEntry, number: int) -> None:
        super().__init__(f"a later version wrote this: it has {number} fields, of which {len(_FIELDS)} are known")
        self.order = order
        """The order as far as it is known."""


_FIELDS = OrderEntry.__struct_fields__
_LONGEST = 0x90 + len(_FIELDS)
"""First byte of an array that is as long as an entry: MessagePack has the length in it, up to 15 elements."""

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
    """Return the entry of an order of these values alone: without the cost of making the types, as short as can be."""
    return _encoder.encode((FORMAT, order_id, customer_id, lines, fingerprint, payment_token, metadata, None))


def decode(payload: bytes) -> OrderEntry:
    """Return the order of an entry's bytes.

    Raises:
        LaterEntryError: it uses a field of a later version.
        UnreadableEntryError: the bytes are broken or of another format.
    """
    try:
        order = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableEntryError(str(error)) from error
    if order.format not in _READABLE or len(order.order_id) != 16 or not order.lines:
        raise UnreadableEntryError(f"format {order.format}, {len(order.order_id)} id bytes, {len(order.lines)} lines")
    for line in order.lines:
        if line.quantity < 1:
            raise UnreadableEntryError("a line's quantity is below 1")
    if payload[0] > _LONGEST:
        _refuse_later(order, payload)
    return order


def _refuse_later(order: OrderEntry, payload: bytes) -> None:
    elements = msgspec.msgpack.decode(payload)
    if any(value is not None for value in elements[len(_FIELDS) :]):
        raise LaterEntryError(order, len(elements))
