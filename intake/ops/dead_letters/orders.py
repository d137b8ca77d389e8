"""Dead letters of orders: accepted entries that could not become one. The drain alone buries and decides orders."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec

from db.orders import dead_letters as rows
from doorbuster.contract.ops import DeadLetterView, LetterLine
from doorbuster.orderstore import entry, partition
from doorbuster.values import identities
from intake.ops.dead_letters.kind import LetterId, conflict, not_found
from intake.orders.lookup import lines_metadata_of, metadata_of, readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from db.connections.pool import Connection

_foreign = msgspec.msgpack.Decoder(dict[bytes, bytes])


class OrderLetters:
    """Entries that could not become orders; see `kind.LetterKind`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def page(self, connection: Connection, chosen: rows.LetterFilter, *, limit: int) -> Sequence[DeadLetterView]:
        """Return them, newest first."""
        return [show(letter) for letter in await rows.list_dead_letters(connection, chosen, limit=limit)]

    async def read(self, connection: Connection, number: int) -> DeadLetterView | None:
        """Return one, with its bytes."""
        row = await rows.read_dead_letter(connection, number)
        if row is None:
            return None
        view = show(row)
        view.payload_base64 = base64.b64encode(row.payload).decode()
        return view

    async def retry(self, connection: Connection, number: int) -> str | None:
        """Append the entry to the end of its stream. Twice does no harm: the drain knows an order by its id."""
        found = await _held(connection, number, rows.UNRESOLVED)
        await rows.mark_retried(connection, number)
        # At once in the order store, so that the backlog counts the entry; Postgres is marked only after.
        place = (found.sale_number, found.partition)
        return await partition.append_again(self._redis, place, found.payload)

    async def discard(self, connection: Connection, number: int, reason: str) -> None:
        """Give it up, with the reason that its customer is shown: its order shows as cancelled from then on."""
        await _held(connection, number, ("open",))
        await rows.mark_discarded(connection, number, reason)


async def _held(connection: Connection, number: int, states: Sequence[rows.State]) -> rows.DeadLetter:
    found = await rows.hold_dead_letter(connection, number)
    if found is None:
        raise not_found(number)
    if found.state not in states:
        raise conflict(LetterId("order", number), found.state)
    return found


def show(letter: rows.DeadLetter) -> DeadLetterView:
    """Return a dead letter as the contract shows it."""
    order = readable(letter.payload)
    view = DeadLetterView(
        dead_letter_id=letter.dead_letter_id,
        kind="order",
        sale_id=letter.sale_id,
        partition=letter.partition,
        entry_id=letter.entry_id,
        order_id=None if letter.order_id is None else str(letter.order_id),
        customer_id=letter.customer_id,
        reason=letter.reason,
        detail=letter.detail,
        state=letter.state,
        failures=letter.failures,
        created_at=letter.created_at,
        failed_at=letter.failed_at,
        retried_at=letter.retried_at,
        discarded_at=letter.discarded_at,
        discard_reason=letter.discard_reason,
        payload=_content(letter.payload, order),
        lines=[],
    )
    if order is not None:
        view.customer_id = order.customer_id
        view.lines = [LetterLine(line.product_id, line.quantity) for line in order.lines]
    return view


def _content(payload: bytes, order: entry.OrderEntry | None) -> dict[str, Any] | None:
    """Return what a payload holds, as far as it can be read; the payment's token is nobody's to read."""
    if order is not None:
        return {
            "format": order.format,
            "order_id": order.order_id.hex(),
            "customer_id": order.customer_id,
            "lines": [
                {"product_id": line.product_id, "quantity": line.quantity}
                | ({} if metadata is None else {"metadata": metadata})
                for line, metadata in zip(order.lines, lines_metadata_of(order), strict=True)
            ],
            "fingerprint": order.fingerprint.hex(),
            "has_payment_token": order.payment_token is not None,
            "metadata": metadata_of(order),
            "standby": bool(order.standby),
            "identities": [identities.KINDS[number - 1] for number, _ in identities.unpack(order.identities or b"")],
        }
    try:
        return {_text(name): _text(value) for name, value in _foreign.decode(payload).items()}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")
