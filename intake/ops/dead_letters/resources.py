"""The resources of dead letters, of all kinds. Owns them and their list's cursor; each kind knows its rows itself."""

from __future__ import annotations

import re
from heapq import merge
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from db.orders.dead_letters import STATES, UNRESOLVED, LetterFilter
from doorbuster.contract.ops import DiscardRequest, Retried
from doorbuster.errors import InvalidError
from intake.ops.change_log import note, operator_of
from intake.ops.dead_letters.deliveries import DeliveryLetters
from intake.ops.dead_letters.kind import KINDS, id_of, not_found
from intake.ops.dead_letters.orders import OrderLetters
from intake.ops.dead_letters.payments import PaymentLetters
from intake.web.paging import limit_of, write_page
from intake.web.query_parameters import refuse_unknown_params
from intake.web.requests import body_of
from intake.web.responses import write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falcon.asgi import Request, Response
    from redis.asyncio import Redis

    from db.orders.dead_letters import State
    from doorbuster.contract.ops import DeadLetterView
    from intake.database import Database
    from intake.ops.dead_letters.kind import KindName, LetterKind

ALL = "all"
_CURSOR = re.compile("-".join([r"(\d{0,18})"] * len(KINDS)), re.ASCII)
_discard = msgspec.json.Decoder(DiscardRequest)


class Letters:
    """The kinds of dead letters, by their names."""

    def __init__(self, database: Database, redis: Redis) -> None:
        self.database = database
        self.kinds: dict[KindName, LetterKind] = {
            "order": OrderLetters(redis), "delivery": DeliveryLetters(), "payment": PaymentLetters(),
        }  # fmt: skip


class DeadLetters:
    """Resource of all dead letters."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters

    async def on_get(self, req: Request, resp: Response) -> None:
        """List them, newest first: those that need somebody, or of the state that is asked for."""
        refuse_unknown_params(req, "kind", "sale", "customer", "state", "cursor", "limit")
        limit, kinds, begins = limit_of(req), _kinds(req.get_param("kind")), _cursor(req.get_param("cursor"))
        states = _states(req.get_param("state"))
        pages = []
        async with self._letters.database.working() as connection:
            for kind in kinds:
                chosen = LetterFilter(
                    before=begins[kind], sale_id=req.get_param("sale"), customer_id=req.get_param("customer"),
                    states=states,
                )  # fmt: skip
                pages.append(await self._letters.kinds[kind].page(connection, chosen, limit=limit))
        found = list(merge(*pages, key=lambda letter: letter.created_at, reverse=True))[:limit]
        write_page(resp, found, _next(found, begins) if len(found) == limit else None)


class OneDeadLetter:
    """Resource of a dead letter."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters

    async def on_get(self, _req: Request, resp: Response, letter: str) -> None:
        """Show it."""
        kind, number = id_of(letter)
        async with self._letters.database.working() as connection:
            found = await self._letters.kinds[kind].read(connection, number)
        if found is None:
            raise not_found(letter)
        write(resp, found)


class RetryDeadLetter:
    """Resource of one more try."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters

    async def on_post(self, req: Request, resp: Response, letter: str) -> None:
        """Have it tried again."""
        found = id_of(letter)
        operator_of(req)  # refused before the order store is written to
        async with self._letters.database.working() as connection, connection.transaction():
            entry_id = await self._letters.kinds[found.kind].retry(connection, found.number)
            change = {} if entry_id is None else {"entry_id": entry_id}
            await note(connection, req, "retry", f"dead_letter:{found}", change)
        write(resp, Retried(found.shown, UNSET if entry_id is None else entry_id))


class DiscardDeadLetter:
    """Resource of giving one up."""

    def __init__(self, letters: Letters) -> None:
        self._letters = letters

    async def on_post(self, req: Request, resp: Response, letter: str) -> None:
        """Give it up, with the reason; of an order its customer is shown it."""
        found = id_of(letter)
        kind = self._letters.kinds[found.kind]
        request = await body_of(req, _discard)
        async with self._letters.database.working() as connection, connection.transaction():
            await kind.discard(connection, found.number, request.reason)
            await note(connection, req, "discard", f"dead_letter:{found}")
            discarded = await kind.read(connection, found.number)
        assert discarded is not None
        discarded.payload_base64 = UNSET
        write(resp, discarded)


def _kinds(text: str | None) -> Sequence[KindName]:
    if text is None:
        return KINDS
    chosen = [kind for kind in KINDS if kind == text]
    if not chosen:
        raise InvalidError.naming([("kind", f"must be one of {', '.join(KINDS)}")])
    return chosen


def _states(text: str | None) -> Sequence[State]:
    if text is None:
        return UNRESOLVED
    chosen = STATES if text == ALL else tuple(state for state in STATES if state == text)
    if not chosen:
        raise InvalidError.naming([("state", f"must be one of {', '.join(STATES)} or {ALL}")])
    return chosen


def _cursor(text: str | None) -> dict[KindName, int | None]:
    """Return of each kind the number that a page begins below."""
    if text is None:
        return dict.fromkeys(KINDS, None)
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise InvalidError.naming([("cursor", "is not one that a list gave")])
    return {kind: int(part) if part else None for kind, part in zip(KINDS, found.groups(), strict=True)}


def _next(page: Sequence[DeadLetterView], begins: dict[KindName, int | None]) -> str:
    """Return the cursor behind a page: of each kind the last that it shows, else where the page began."""
    ends = begins | {letter.kind: id_of(str(letter.dead_letter_id)).number for letter in page}
    return "-".join("" if ends[kind] is None else str(ends[kind]) for kind in KINDS)
