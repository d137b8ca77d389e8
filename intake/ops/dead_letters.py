"""Dead letters as ops see, retry and discard them. Owns these resources; the drain alone buries and decides orders."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec

from db.orders import dead_letters as rows
from doorbuster.contract.ops import DeadLetterView, DiscardRequest, LetterLine, Retried
from doorbuster.errors import ConflictError, InvalidError
from doorbuster.orderstore import entry, partition
from doorbuster.values import identities
from intake.ops.change_log import note, operator_of
from intake.orders.lookup import lines_metadata_of, metadata_of, readable
from intake.web.paging import limit_of, number_cursor_of, write_page
from intake.web.problems import RefusedError
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcon.asgi import Request, Response
    from redis.asyncio import Redis

    from intake.database import Database

ALL = "all"
_discard = msgspec.json.Decoder(DiscardRequest)
_foreign = msgspec.msgpack.Decoder(dict[bytes, bytes])


class DeadLetters:
    """Resource of accepted entries that could not become orders."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_get(self, req: Request, resp: Response) -> None:
        """List dead letters, newest first: those that need somebody, or of the state that is asked for."""
        refuse_unknown_params(req, "sale", "customer", "state", "cursor", "limit")
        limit = limit_of(req)
        chosen = rows.LetterFilter(
            before=number_cursor_of(req),
            sale_id=req.get_param("sale"),
            customer_id=req.get_param("customer"),
            states=_states(req.get_param("state")),
        )
        async with self._database.working() as connection:
            letters = await rows.list_dead_letters(connection, chosen, limit=limit)
        cursor = str(letters[-1].dead_letter_id) if len(letters) == limit else None
        write_page(resp, [show(letter) for letter in letters], cursor)


class OneDeadLetter:
    """Resource of a dead letter."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_get(self, _req: Request, resp: Response, letter: str) -> None:
        """Show it, with its bytes."""
        async with self._database.working() as connection:
            row = await rows.read_dead_letter(connection, _id_of(letter))
        if row is None:
            raise _not_found(letter)
        view = show(row)
        view.payload_base64 = base64.b64encode(row.payload).decode()
        write(resp, view)


class RetryDeadLetter:
    """Resource of one more try: the entry goes to the end of its stream."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self._database = database
        self._redis = redis

    async def on_post(self, req: Request, resp: Response, letter: str) -> None:
        """Append the entry again. Twice does no harm: the drain knows an order by its id."""
        number = _id_of(letter)
        operator_of(req)  # refused before the order store is written to
        async with self._database.working() as connection, connection.transaction():
            found = await rows.hold_dead_letter(connection, number)
            if found is None:
                raise _not_found(letter)
            _must_be(found, rows.UNRESOLVED)
            await rows.mark_retried(connection, number)
            # At once in the order store, so that the backlog counts the entry; Postgres is marked only after.
            place = (found.sale_number, found.partition)
            entry_id = await partition.append_again(self._redis, place, found.payload)
            await note(connection, req, "retry", f"dead_letter:{number}", {"entry_id": entry_id})
        write(resp, Retried(number, entry_id))


class DiscardDeadLetter:
    """Resource of giving one up: its order shows as cancelled from then on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def on_post(self, req: Request, resp: Response, letter: str) -> None:
        """Give it up, with the reason that its customer is shown."""
        number = _id_of(letter)
        request = await body_of(req, _discard)
        async with self._database.working() as connection, connection.transaction():
            row = await rows.hold_dead_letter(connection, number)
            if row is None:
                raise _not_found(letter)
            _must_be(row, ("open",))
            await rows.mark_discarded(connection, number, request.reason)
            await note(connection, req, "discard", f"dead_letter:{number}")
            discarded = await rows.read_dead_letter(connection, number)
        assert discarded is not None
        write(resp, show(discarded))


def show(letter: rows.DeadLetter) -> DeadLetterView:
    """Return a dead letter as the contract shows it."""
    order = readable(letter.payload)
    view = DeadLetterView(
        dead_letter_id=letter.dead_letter_id,
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


def _states(text: str | None) -> Sequence[rows.State]:
    if text is None:
        return rows.UNRESOLVED
    chosen = rows.STATES if text == ALL else tuple(state for state in rows.STATES if state == text)
    if not chosen:
        raise InvalidError.naming([("state", f"must be one of {', '.join(rows.STATES)} or {ALL}")])
    return chosen


def _must_be(letter: rows.DeadLetter, states: Sequence[rows.State]) -> None:
    if letter.state not in states:
        sentences = {
            "retried": "is in its stream again and not decided yet",
            "resolved": "has become an order",
            "discarded": "was discarded",
            "open": "is open",
        }
        raise ConflictError(f"the dead letter {letter.dead_letter_id} {sentences[letter.state]}")


def _id_of(letter: str) -> int:
    if not (letter.isascii() and letter.isdigit() and len(letter) <= 18):
        raise _not_found(letter)
    return int(letter)


def _not_found(letter: str) -> RefusedError:
    return RefusedError("not_found", f"There is no dead letter {letter[:64]!r}")
