"""The rows of new orders in the binary form of COPY. Owns their bytes and columns; knows no connection.

The driver's own encoding goes column by column through a codec each; that took as much of the processor as everything
else a drain does in Python (docs/benchmarks.md). What a whole batch has in common is encoded once here, each row by one
`pack`. The form: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from doorbuster.orderstore.entry import OrderEntry

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "orders": (
        "sale_number", "partition", "version", "updated_at", "status", "reason", "currency",
        "order_id", "entry_seq", "accepted_at", "total",
        "fingerprint", "customer_id", "payment_token", "metadata", "refusal", "identities", "lines_metadata",
        "payment", "authorised", "captured",
    ),
    "order_lines": ("order_id", "line", "quantity", "unit_price", "product_id"),
    "reservations": (
        "order_id", "total", "sale_number", "partition", "due_at", "expires_at", "currency", "payment_token",
    ),
    "order_events": ("order_id", "seq", "status", "at", "reason"),
    "people_counts": ("sale_number", "number", "units", "product_id", "bucket", "identities"),
    "standby": ("sale_number", "partition", "order_id", "entry_seq", "accepted_at", "quantity", "product_id"),
}  # fmt: skip
"""In this order the rows are written: first what a batch has in common, then what has a fixed length."""

_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_JSONB_VERSION = b"\x01"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_UNIX_MS = 946_684_800_000
_MICROSECOND = timedelta(microseconds=1)

_length = Struct("!i").pack
# Each field: its length in bytes, then itself; a row begins with how many fields it has.
_order_head = Struct("!hiiihih").pack
_order = Struct("!i16siiiqiq").pack
_line = Struct("!ihiiiq").pack
_reservation_head = Struct("!hi16siq").pack
_reservation = Struct("!iiih").pack
_event_number = Struct("!ih").pack
_people_head = Struct("!hiiiqii").pack
_people = Struct("!ihi").pack
_standby = Struct("!hiiihi16siiiqii").pack
_bigint = Struct("!iq").pack
_head = Struct("!hi").pack
_LINE_HEAD, _EVENT_HEAD = _head(len(COLUMNS["order_lines"]), 16), _head(len(COLUMNS["order_events"]), 16)
"""What stands before the order's id."""


STANDBY = "standby"
"""Reason of an order that is pending and waits for units."""


class NewOrder(NamedTuple):
    """An order to be added."""

    accepted: OrderEntry
    place: tuple[int, int]
    """Its entry's: milliseconds, sequence."""
    reason: str | None
    """Why it is cancelled; None: it is pending, or confirmed; `STANDBY`: it waits for units."""
    prices: list[int]
    """Of a unit, line by line, in minor units."""
    currency: str
    refusal: bytes | None = None
    """JSON that says what it is cancelled for."""


class MoneyAtOnce(NamedTuple):
    """What is known of the money of an order that is confirmed with its batch, in minor units."""

    payment: str | None = None
    """How it stands at the provider; None: it was not asked for."""
    authorised: int | None = None
    """Held, to be taken at shipping."""
    captured: int | None = None


UNPAID = MoneyAtOnce()
"""There is nothing to pay, or nobody asks for it."""

PayAtOnce: TypeAlias = "Callable[[bytes, int, str, str | None], MoneyAtOnce | None]"
"""Says of an order, by id, total, currency and token, what is there of its money; None: that is still to be asked."""


class OrderRows:
    """The rows of one batch's orders: first their lines, then the orders' own, on whose way the others are made."""

    def __init__(
        self, sale_number: int, partition: int, now: datetime, expires_at: datetime, *, pay: PayAtOnce | None = None
    ) -> None:
        """Take what all have in common; `pay` says which of what is reserved is confirmed at once; None: nothing is."""
        self._at = _bigint(8, (now - _EPOCH) // _MICROSECOND)
        self._place = sale_number, partition
        self._pay = pay
        self._head, self._confirmed_head = (
            _order_head(len(COLUMNS["orders"]), 4, sale_number, 2, partition, 2, version) + self._at
            for version in (1, 2)
        )
        expires = (expires_at - _EPOCH) // _MICROSECOND
        self._hold = _reservation(4, sale_number, 2, partition) + self._at + _bigint(8, expires)
        self._new: list[tuple[NewOrder, int]] = []
        """Those whose lines were made, and what each costs."""
        self.reservations: list[bytes] = []
        self.events: list[bytes] = []
        self.standby: list[bytes] = []

    def lines(self, new: Iterable[NewOrder]) -> Iterator[bytes]:
        """Yield the rows of each order's lines.

        Raises (on the way):
            struct.error, UnicodeError: a value has no place in its column.
        """
        note, tails = self._new.append, dict[tuple[str, int, int, int], bytes]()
        for order in new:
            head, prices, total = _LINE_HEAD + order.accepted.order_id, order.prices, 0
            for number, line in enumerate(order.accepted.lines):
                product_id, quantity, price = line.product_id, line.quantity, prices[number]
                known = product_id, quantity, price, number
                total += quantity * price
                if (tail := tails.get(known)) is None:
                    tail = tails[known] = _line(2, number + 1, 4, quantity, 8, price) + _text(product_id)
                yield head + tail
            note((order, total))

    def orders(self) -> Iterator[bytes]:
        """Yield the row of each order whose lines were made, adding its other rows to their lists.

        Raises (on the way):
            struct.error, UnicodeError: a value has no place in its column.
        """
        at, pay, hold, add_event = self._at, self._pay, self._hold, self.events.append
        pending, confirmed = _event_tail(1, _PENDING, at, _NULL), _event_tail(2, _CONFIRMED, at, _NULL)
        for (order, (milliseconds, sequence), reason, _, currency, refusal), total in self._new:
            order_id, token = order.order_id, _text(order.payment_token)
            accepted, money = (milliseconds - _UNIX_MS) * 1000, _known_text(currency)
            head, state, why, paid = self._head, _PENDING, _NULL, None
            if reason is None:
                add_event(_EVENT_HEAD + order_id + pending)
                paid = None if pay is None else pay(order_id, total, currency, order.payment_token)
                if paid is None:
                    self.reservations.append(_reservation_head(8, 16, order_id, 8, total) + hold + money + token)
                else:
                    add_event(_EVENT_HEAD + order_id + confirmed)
                    head, state = self._confirmed_head, _CONFIRMED
            else:
                why = _known_text(reason)
                if reason == STANDBY:
                    self._stand_by(order, sequence, accepted)
                else:
                    state = _CANCELLED
                add_event(_EVENT_HEAD + order_id + _event_tail(1, state, at, why))
            yield b"".join((
                head, state, why, money,
                _order(16, order_id, 4, sequence, 8, accepted, 8, total), _bytes(order.fingerprint),
                _bytes(order.customer_id.encode()), token,
                _NULL if order.metadata is None else _json(order.metadata),
                _NULL if refusal is None else _json(refusal),
                _NULL if order.identities is None else _bytes(order.identities),
                _NULL if order.lines_metadata is None else _json(order.lines_metadata),
                _NO_MONEY if paid is None else _money(paid),
            ))  # fmt: skip

    def _stand_by(self, order: OrderEntry, sequence: int, accepted: int) -> None:
        """Add an order to the list of each product that it wants."""
        wanted: dict[str, int] = {}
        for line in order.lines:
            wanted[line.product_id] = wanted.get(line.product_id, 0) + line.quantity
        sale_number, partition = self._place
        for product_id, units in wanted.items():
            fixed = _standby(
                len(COLUMNS["standby"]),
                4,
                sale_number,
                2,
                partition,
                16,
                order.order_id,
                4,
                sequence,
                8,
                accepted,
                4,
                units,
            )
            self.standby.append(fixed + _known_text(product_id))


def people_rows(place: tuple[int, str, int], units: int, identities: Iterable[bytes]) -> list[bytes]:
    """Return the rows of people who have so many units more; `place`: sale, product, number of the change."""
    sale_number, product_id, number = place
    buckets: list[list[bytes]] = [[] for _ in range(256)]
    for identity in identities:
        buckets[identity[0]].append(identity)
    columns = len(COLUMNS["people_counts"])
    head = _people_head(columns, 4, sale_number, 8, number, 4, units) + _known_text(product_id)
    return [
        head + _people(2, bucket, 16 * len(those)) + b"".join(those) for bucket, those in enumerate(buckets) if those
    ]


def in_pieces(rows: Iterator[bytes], *, rows_each: int) -> Iterator[bytes]:
    """Yield rows, several at a time."""
    while piece := b"".join(islice(rows, rows_each)):
        yield piece


def copied(rows: Iterable[bytes]) -> bytearray:
    """Return what COPY is to be sent for these rows. A bytearray, for the driver takes `bytes` for a path."""
    return bytearray().join((_BEGIN, *rows, _END))


async def copied_in_pieces(pieces: Iterable[bytes], *, sent: Callable[[], None] | None = None) -> AsyncIterator[bytes]:
    """Yield the same in pieces, so that Postgres works on one while the next is made; call `sent` after the last."""
    yield _BEGIN
    for piece in pieces:
        yield piece
    yield _END
    if sent is not None:
        sent()


def _event_tail(number: int, state: bytes, at: bytes, reason: bytes) -> bytes:
    return _event_number(2, number) + state + at + reason


def _bytes(value: bytes) -> bytes:
    return _length(len(value)) + value


def _text(value: str | None) -> bytes:
    return _NULL if value is None else _bytes(value.encode())


def _json(value: bytes) -> bytes:
    return _bytes(_JSONB_VERSION + value)


_NO_MONEY = _NULL * len(MoneyAtOnce._fields)


@lru_cache(maxsize=1024)
def _money(paid: MoneyAtOnce) -> bytes:
    amounts = (_NULL if amount is None else _bigint(8, amount) for amount in paid[1:])
    return b"".join((_text(paid.payment), *amounts))


_known_text = lru_cache(maxsize=4096)(_text)
_PENDING, _CONFIRMED, _CANCELLED = map(_text, ("pending", "confirmed", "cancelled"))
