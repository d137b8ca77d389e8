"""The rows of new orders in the binary form of COPY. Owns their bytes and columns; knows no connection.

The driver's own encoding goes column by column through a codec each; that took as much of the processor as everything
else a drain does in Python (docs/benchmarks.md). What a whole batch has in common is encoded once here, each row by one
`pack`. The form: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
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
_order_head = Struct("!hiiihihiq").pack
_order = Struct("!i16siiiqiq").pack
_line = Struct("!hi16sihiiiq").pack
_reservation_head = Struct("!hi16siq").pack
_reservation = Struct("!iiihiqiq").pack
_event_head = Struct("!hi16sih").pack
_people_head = Struct("!hiiiqii").pack
_people = Struct("!ihi").pack
_standby = Struct("!hiiihi16siiiqii").pack
_event = Struct("!iq").pack


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
    """The rows of one batch's orders. `orders` makes those of the other tables on its way, so it comes first."""

    def __init__(
        self, sale_number: int, partition: int, now: datetime, expires_at: datetime, *, pay: PayAtOnce | None = None
    ) -> None:
        """Take what all have in common; `pay` says which of what is reserved is confirmed at once; None: nothing is."""
        self._now = (now - _EPOCH) // _MICROSECOND
        self._place = sale_number, partition
        self._pay = pay
        first, second = (
            _order_head(len(COLUMNS["orders"]), 4, sale_number, 2, partition, 2, version, 8, self._now)
            for version in (1, 2)
        )
        self._head, self._confirmed_head = first, second
        expires = (expires_at - _EPOCH) // _MICROSECOND
        self._hold = _reservation(4, sale_number, 2, partition, 8, self._now, 8, expires)
        self.lines: list[bytes] = []
        self.reservations: list[bytes] = []
        self.events: list[bytes] = []
        self.standby: list[bytes] = []

    def orders(self, new: Iterable[NewOrder]) -> Iterator[bytes]:
        """Yield each order's row, adding its other rows to their lists.

        Raises (on the way):
            struct.error, UnicodeError: a value has no place in its column.
        """
        hold, at, pay = self._hold, _event(8, self._now), self._pay
        confirmed = _state("confirmed") + at + _NULL
        for order, (milliseconds, sequence), reason, prices, currency, refusal in new:
            order_id, token = order.order_id, _text(order.payment_token)
            total = 0
            for number, (line, price) in enumerate(zip(order.lines, prices, strict=True), 1):
                total += line.quantity * price
                fixed = _line(5, 16, order_id, 2, number, 4, line.quantity, 8, price)
                self.lines.append(fixed + _known_text(line.product_id))
            head, why, money = self._head, _known_text(reason), _known_text(currency)
            state = _state("pending" if reason is None or reason == STANDBY else "cancelled")
            self.events.append(_event_head(5, 16, order_id, 2, 1) + state + at + why)
            accepted = (milliseconds - _UNIX_MS) * 1000
            paid = None if reason is not None or pay is None else pay(order_id, total, currency, order.payment_token)
            if paid is not None:
                self.events.append(_event_head(5, 16, order_id, 2, 2) + confirmed)
                head, state = self._confirmed_head, _state("confirmed")
            elif reason is None:
                self.reservations.append(_reservation_head(8, 16, order_id, 8, total) + hold + money + token)
            elif reason == STANDBY:
                self._stand_by(order, sequence, accepted)
            yield b"".join((
                head, state, why, money, _order(16, order_id, 4, sequence, 8, accepted, 8, total),
                _bytes(order.fingerprint), _text(order.customer_id), token, _json(order.metadata),
                _json(refusal), _raw(order.identities), _json(order.lines_metadata),
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


def _bytes(value: bytes) -> bytes:
    return _length(len(value)) + value


def _raw(value: bytes | None) -> bytes:
    return _NULL if value is None else _bytes(value)


def _text(value: str | None) -> bytes:
    return _NULL if value is None else _bytes(value.encode())


def _json(value: bytes | None) -> bytes:
    return _NULL if value is None else _bytes(_JSONB_VERSION + value)


_NO_MONEY = _NULL * len(MoneyAtOnce._fields)


@lru_cache(maxsize=1024)
def _money(paid: MoneyAtOnce) -> bytes:
    amounts = (_NULL if amount is None else _event(8, amount) for amount in paid[1:])
    return b"".join((_text(paid.payment), *amounts))


_known_text = lru_cache(maxsize=4096)(_text)


@cache
def _state(name: str) -> bytes:
    return _text(name)
