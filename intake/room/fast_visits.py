"""The fast path of joining and claiming: before the application, for at a sale's start it is what there is most of.

Owns the shortcut and, in bounded memory, the tickets it has verified: who waits sends the same bytes again and again.
Who clearly waits is answered by the state at hand; for others the room's store is asked, without a task, as long as
one question does. Whatever is not plainly so takes the full path and gets the same answer.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from doorbuster.contract.bodies.plain_text import PlainTextDecoder
from doorbuster.contract.problems import JSON
from doorbuster.contract.room import ClaimRequest, JoinRequest, WaitView
from doorbuster.errors import StoreUnavailableError
from doorbuster.log import Request, begin_request, shared_context
from intake.room.visits import Caller
from intake.server.asgi import BODY
from intake.server.connection.framing import is_host
from intake.server.request_id import HEADER, request_id
from intake.web.problems import RefusedError, refusal_of
from intake.web.storefront_keys import LINE as STOREFRONT_KEY
from waitingroom.results import No

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from doorbuster.contract.room import AdmissionView, TicketView
    from doorbuster.errors import DoorbusterError
    from intake.room.cache import CachedRoom, RoomCache
    from intake.room.visits import Visits
    from intake.sales.cache import Sales
    from intake.server.asgi import Answer, Headers, Scope
    from intake.server.connection.fast_response import FastResponse
    from intake.server.cors import CrossOrigin
    from intake.web.client_address import Addresses
    from intake.web.problems import Problems
    from waitingroom.tickets import Ticket, TicketHolder

    View = AdmissionView | WaitView | TicketView

BEFORE, JOINS, CLAIMS = "/sales/", "/room/tickets", "/room/admissions"
VERIFIED_MAX, BODY_KEPT_MAX = 20_000, 512
_TYPE = (b"content-type", JSON.encode())
_FIXED = [_TYPE, (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_LINES = b"".join(b"%b: %b\r\n" % field for field in _FIXED)
_AGAIN = b"retry-after: %d\r\n"
_IDENTITY = b"x-request-id: %b\r\n"
_join = PlainTextDecoder(JoinRequest).decode
_claim = msgspec.json.Decoder(ClaimRequest).decode
_encode = msgspec.json.Encoder().encode


class Exchange(NamedTuple):
    """A request whose answer is still to be found."""

    response: FastResponse
    path: str
    identity: bytes
    """The request's id."""
    lines: bytes
    """Header lines that are its own, whatever is answered."""


class FastVisits:
    """Answers joins and claims by the sale and the room at hand."""

    def __init__(
        self,
        sales: Sales,
        desk: RoomCache,
        visits: Visits,
        addresses: Addresses,
        problems: Problems,
        cross_origin: CrossOrigin,
    ) -> None:
        self._sales, self._desk, self._visits = sales, desk, visits
        self._addresses, self._problems = addresses, problems
        self._lines_for = cross_origin.lines_of_all
        self._verified: dict[tuple[int, bytes], Ticket] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def forget(self) -> None:
        """Verify every ticket anew: the keys changed."""
        self._verified.clear()

    def __call__(self, scope: Scope) -> Answer | None:
        """Return the answer to an early claim on the full path, None where the application is to give it."""
        if scope["method"] != "POST" or not scope["path"].endswith(CLAIMS) or _TYPE not in scope["headers"]:
            return None
        room = self._at_hand(scope["path"].removeprefix(BEFORE).removesuffix(CLAIMS))
        ticket = None if room is None else self._ticket(room.cached.number, scope[BODY])
        waiting = None if room is None or ticket is None else self._visits.behind(room, ticket)
        if waiting is None:
            return None
        body = _encode(waiting)
        told = (b"retry-after", b"%d" % _away_s(waiting)), (b"content-length", b"%d" % len(body))
        start = {"type": "http.response.start", "status": 202, "headers": [*_FIXED, *told]}
        return start, {"type": "http.response.body", "body": body}

    def post(self, url: bytes, headers: Headers, body: bytes, response: FastResponse) -> bool:
        """Answer a visit that came as a whole, without scope; False: it takes the full path."""
        by_name = dict(headers)
        if len(by_name) != len(headers) or by_name.get(b"content-type") != _TYPE[1]:
            return False
        if not is_host(by_name.get(b"host")) or b"transfer-encoding" in by_name:
            return False
        path = url.decode("latin-1")
        if not path.startswith(BEFORE):
            return False
        if path.endswith(CLAIMS):
            return self._claimed(path, by_name, body, response)
        return path.endswith(JOINS) and self._joined(path, by_name, body, response)

    def _claimed(self, path: str, by_name: dict[bytes, bytes], body: bytes, response: FastResponse) -> bool:
        room = self._at_hand(path[len(BEFORE) : -len(CLAIMS)])
        ticket = None if room is None else self._ticket(room.cached.number, body)
        if room is None or ticket is None:
            return False
        waiting = self._visits.behind(room, ticket)
        if waiting is not None:
            own = self._lines_for(by_name.get(b"origin", b""))
            response.answer(202, _LINES + _AGAIN % _away_s(waiting) + own, _encode(waiting))
            return True
        if _is_persons(by_name):
            return False
        asked = room.room.begin_claim(ticket)
        asked.add_done_callback(partial(self._on_claim, self._exchange(path, by_name, response), room, ticket))
        return True

    def _joined(self, path: str, by_name: dict[bytes, bytes], body: bytes, response: FastResponse) -> bool:
        room = self._at_hand(path[len(BEFORE) : -len(JOINS)])
        if room is None or self._visits.asks_more(room) or STOREFRONT_KEY in by_name or _is_persons(by_name):
            return False
        try:
            wanted = _join(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if wanted.access_code is not None:
            return False
        exchange = self._exchange(path, by_name, response)
        caller = Caller(self._addresses.seen(response.client, by_name.get(b"x-forwarded-for", b"")), vouched=False)
        try:
            visitor = self._visits.let_ask(room, wanted, caller)
        except RefusedError as refused:
            self._refuse(exchange, refused)
            return True
        room.room.begin_join(visitor).add_done_callback(partial(self._on_join, exchange, room, visitor))
        return True

    def _at_hand(self, sale_id: str) -> CachedRoom | None:
        cached = self._sales.fresh(sale_id)
        room = self._desk.known(cached) if cached is not None else None
        return None if room is None or not room.is_fresh or room.is_down else room

    def _exchange(self, path: str, by_name: dict[bytes, bytes], response: FastResponse) -> Exchange:
        identity = request_id(by_name.get(HEADER))
        return Exchange(response, path, identity, _IDENTITY % identity + self._lines_for(by_name.get(b"origin", b"")))

    # Answering what the store said.

    def _on_join(
        self, exchange: Exchange, room: CachedRoom, visitor: TicketHolder, asked: asyncio.Future[list[Any]]
    ) -> None:
        try:
            found = room.room.join_of(_said(asked), visitor)
            if found is None:  # its place has to be reckoned
                self._go_on(exchange, 201, partial(self._visits.place, room, visitor))
                return
            view = self._visits.ticket_of(room, found)
        except Exception as error:  # noqa: BLE001  # it is answered and told
            self._failed(exchange, error)
        else:
            self._answer(exchange, 201, view)

    def _on_claim(self, exchange: Exchange, room: CachedRoom, ticket: Ticket, asked: asyncio.Future[list[Any]]) -> None:
        try:
            found = room.room.claim_of(_said(asked), ticket)
            if found is None or found is No.FINISHED:  # there is more to ask
                self._go_on(exchange, 200, partial(self._visits.admit, room, ticket))
                return
            view = self._visits.admission_of(room, ticket, found)
        except Exception as error:  # noqa: BLE001  # it is answered and told
            self._failed(exchange, error)
        else:
            self._answer(exchange, 200, view)

    def _go_on(self, exchange: Exchange, status: int, ask: Callable[[], Awaitable[View]]) -> None:
        task = asyncio.create_task(self._finish(exchange, status, ask), context=shared_context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, exchange: Exchange, status: int, ask: Callable[[], Awaitable[View]]) -> None:
        begin_request(Request(exchange.identity.decode(), exchange.path))
        try:
            view = await ask()
        except Exception as error:  # noqa: BLE001  # it is answered and told
            self._failed(exchange, error)
        else:
            self._answer(exchange, status, view)

    @staticmethod
    def _answer(exchange: Exchange, status: int, view: View) -> None:
        if isinstance(view, WaitView):
            status, again = 202, _AGAIN % _away_s(view)
        else:
            again = b""
        exchange.response.answer(status, _LINES + again + exchange.lines, _encode(view))

    def _failed(self, exchange: Exchange, failure: Exception) -> None:
        self._refuse(exchange, refusal_of(failure, "POST", exchange.path))

    def _refuse(self, exchange: Exchange, refused: DoorbusterError) -> None:
        self._problems.on_refused("POST", exchange.path, refused.code)
        status, lines, body = self._problems.answer_lines(refused, exchange.identity.decode())
        exchange.response.answer(status, lines + exchange.lines, body)

    def _ticket(self, sale_number: int, body: bytes) -> Ticket | None:
        known = self._verified.get((sale_number, body))
        if known is not None:
            return known
        try:
            wanted = _claim(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if wanted.ticket is None or wanted.secret is None:
            return None
        found = self._visits.verified(sale_number, wanted.ticket, wanted.secret)
        if found is not None and len(body) <= BODY_KEPT_MAX:
            if len(self._verified) >= VERIFIED_MAX:
                self._verified.clear()
            self._verified[sale_number, body] = found
        return found


def _said(asked: asyncio.Future[list[Any]]) -> list[Any]:
    """Return what the store said.

    Raises:
        StoreUnavailableError: it did not answer, or the process ends.
    """
    if asked.cancelled():
        raise StoreUnavailableError("the process ends")
    return asked.result()


def _is_persons(by_name: dict[bytes, bytes]) -> bool:
    """Say whether a problem is to be a page."""
    return b"html" in by_name.get(b"accept", b"").lower()


def _away_s(waiting: WaitView) -> int:
    return max(1, round(waiting.retry_after_s))
