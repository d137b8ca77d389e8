"""The outermost guard: how many requests are in work, and how large a body may be. What a route means it is told.

A request is in work from when its body is whole until its answer is handed over: slow senders and slow readers hold
no place among those. Bodies of streamed routes are counted as they pass.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from intake.server.asgi import (
    BATCH,
    BODY_MAX,
    METHOD,
    OPS,
    OPS_BODY_MAX,
    RECEIVE,
    STREAM_MAX,
    WHOLE,
    BodyError,
    BrokenStreamError,
)
from intake.server.bodies import is_form, refuse_declared
from intake.server.connection.early_response import send_last_problem, send_page, send_problem
from intake.server.request_id import named
from intake.server.shedding import RequestClass, class_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from intake.server.asgi import Answer, Application, Headers, Message, Receive, Scope, Send
    from intake.server.bodies import Bodies
    from intake.server.connection.connections import Connections
    from intake.server.connection.fast_response import FastResponse
    from intake.server.cors import CrossOrigin
    from intake.server.shedding import Shedding

    FastPath = Callable[[Scope], Answer | None]
    Read = Callable[[Scope, Receive], Awaitable[Receive]]
    BusyPage = Callable[[Headers], tuple[bytes, Headers] | None]
    FastOrderPost = Callable[[bytes, Headers, bytes, FastResponse], bool]

WAITING = "doorbuster.waiting"
"""Marks in its scope a request that only waits."""
WAITING_PER_IN_FLIGHT = 5
"""How many waiting requests stand for one in work; they hold a socket and a timer, no more."""
STREAMED = (":import", ":transition")
"""What paths end with whose bodies are worked off as they come."""
MONITORING = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths that are answered however much is in work: who watches must see it."""
MONITORING_MAX = 32
"""How many requests they may make it in work beyond `IN_FLIGHT_MAX`."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STRANGE = "PROPFIND"
"""What stands for every other method: Falcon knows it, no resource has it, so that all of them are answered alike."""

_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Guard:
    """ASGI application around the application."""

    def __init__(
        self, *, in_flight_max: int, retry_after_s: int, bodies: Bodies, connections: Connections, shedding: Shedding
    ) -> None:
        self.bodies = bodies
        self.shedding = shedding
        self.connections = connections
        self.application: Application = _nothing
        self.fast_paths: tuple[FastPath, ...] = ()
        """Fast paths, asked in turn before the application; what one answers the application does not see."""
        self.fast_order_post: FastOrderPost = _full_path
        """The fast path of plain orders, see `take_order`."""
        self.fast_visit_post: FastOrderPost = _full_path
        """The fast path of joins and claims, see `take_visit`."""
        self.busy_page: BusyPage = _no_page
        """What a person is shown instead of a problem when there is too much to do."""
        self.on_refused: Callable[[str, str, str], None] = _uncounted
        """Called with method, path and code of every request that is refused here."""
        self.ops_application: Application = _nothing
        self.cross_origin: CrossOrigin | None = None
        """Which other origins' scripts may call; None: none, and nothing is asked for it."""
        self._max = in_flight_max
        self._retry_after = str(retry_after_s).encode()
        self.in_flight = 0
        self.waiting = 0
        self._refused = 0
        self._fast_orders = 0
        self.stopping = False
        self.protocol_fault = ""
        """Why uvicorn's own HTTP protocol serves and not ours, which has the fast path; empty: ours does."""

    def begin_stop(self) -> None:
        """Tell long answers to come to their end; called when the worker is asked to stop."""
        self.stopping = True

    def pop_refused_count(self) -> int:
        """Return how many requests were refused since the last time."""
        refused, self._refused = self._refused, 0
        return refused

    def pop_fast_order_count(self) -> int:
        """Return how many orders took the fast path since the last time."""
        fast, self._fast_orders = self._fast_orders, 0
        return fast

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":  # the process's start and end
            await self.application(scope, receive, send)
            return
        if self.cross_origin is not None:
            await self.cross_origin.answer(scope, receive, send, self._within_limits)
            return
        await self._within_limits(scope, receive, send)

    async def _within_limits(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if method not in METHODS:
            scope[METHOD], scope["method"] = method, STRANGE
        self.shedding.seen += 1
        if self.shedding.is_pressed(self.in_flight) and not self._takes(path):
            await self._shed(scope, send)
        elif path.startswith(OPS):
            answering = self._read if method in _WITH_BODY and is_form(scope) else self._work
            await answering(scope, receive, send, self._ops)
        elif method == "POST" and path.endswith(BATCH):
            await self._read(scope, receive, send, self._batch, self.bodies.begin)
        elif method not in _WITH_BODY and WHOLE in scope:
            await self._work(scope, receive, send, self._public)
        else:
            await self._read(scope, receive, send, self._public)

    async def _read(
        self, scope: Scope, receive: Receive, send: Send, application: Application, read: Read | None = None
    ) -> None:
        """Answer a request once its body is whole, or has come as far as `read` reads it."""
        try:
            receive = await (read or self.bodies.read)(scope, receive)
        except BodyError as error:
            if error.code:
                await self._refuse_body(scope, send, error)
            return
        if self.shedding.is_pressed(self.in_flight) and not self._takes(scope["path"]):
            await self._shed(scope, send)
        else:
            await self._work(scope, receive, send, application)

    def _takes(self, path: str) -> bool:
        """Say whether a request is taken, by its class; who watches is answered however much is in work."""
        if path in MONITORING:
            return self.in_flight < self._max + MONITORING_MAX
        return self.shedding.takes(class_of(path), self.in_flight)

    async def _shed(self, scope: Scope, send: Send) -> None:
        """Refuse a request whose class is not taken, but show a product's page that is at hand: it costs no more."""
        wanted = class_of(scope["path"])
        if wanted is RequestClass.PRODUCT and (ready := self._at_hand(scope)) is not None:
            await send(ready[0])
            await send(ready[1])
        else:
            await self._refuse(scope, send, self.shedding.note_refused(wanted))

    async def _work(self, scope: Scope, receive: Receive, send: Send, application: Application) -> None:
        self.in_flight += 1
        try:
            await application(scope, receive, send)
        except BodyError as error:
            if error.code:
                await self._refuse_body(scope, send, error)
        except BrokenStreamError:
            return  # the server finds the answer without its end, says so in its log and closes the connection
        finally:
            if WAITING in scope:
                self.waiting -= scope[WAITING]
            else:
                self.in_flight -= 1

    async def _public(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (ready := self._at_hand(scope)) is None:
            await self.application(scope, receive, named(scope, send))
        else:
            await send(ready[0])
            await send(ready[1])

    async def _batch(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._public(scope, self._limited(receive), send)

    async def _ops(self, scope: Scope, receive: Receive, send: Send) -> None:
        refuse_declared(scope, STREAM_MAX if scope["path"].endswith(STREAMED) else OPS_BODY_MAX)
        scope[RECEIVE] = limited = self._limited(receive)
        await self.ops_application(scope, limited, named(scope, send))

    async def _refuse(self, scope: Scope, send: Send, why: str) -> None:
        self._refused += 1
        self.on_refused(scope["method"], scope["path"], "overloaded")
        again = (b"retry-after", self._retry_after)
        if (busy := self.busy_page(scope["headers"])) is None:
            await send_problem(send, "overloaded", why, [again])
        else:
            await send_page(send, "overloaded", busy[0], [*busy[1], again])

    async def _refuse_body(self, scope: Scope, send: Send, error: BodyError) -> None:
        self.on_refused(scope["method"], scope["path"], error.code)
        again = ((b"retry-after", self._retry_after),) if error.code == "overloaded" else ()
        await send_last_problem(send, error.code, error.detail, again)

    def take_order(self, url: bytes, headers: Headers, body: bytes, response: FastResponse) -> bool:
        """Take an order that came as a whole and see to its answer; False: it takes the full path."""
        if self.in_flight >= self._max or len(body) > BODY_MAX:
            return False
        is_taken = self._take(self.fast_order_post, url, headers, body, response)
        self._fast_orders += is_taken
        return is_taken

    def take_visit(self, url: bytes, headers: Headers, body: bytes, response: FastResponse) -> bool:
        """Take a join or a claim that came as a whole and see to its answer; False: it takes the full path."""
        shedding = self.shedding
        if len(body) > BODY_MAX or (
            shedding.is_pressed(self.in_flight) and not shedding.takes(RequestClass.ROOM, self.in_flight)
        ):
            return False
        is_taken = self._take(self.fast_visit_post, url, headers, body, response)
        shedding.seen += is_taken
        return is_taken

    def _take(self, post: FastOrderPost, url: bytes, headers: Headers, body: bytes, response: FastResponse) -> bool:
        """Offer a request to a fast path; one that is taken is in work until it is answered."""
        self.in_flight += 1
        response.at_end = self._ended
        is_taken = False
        try:
            is_taken = post(url, headers, body, response)
        finally:
            if not is_taken:
                self.in_flight -= 1
        return is_taken

    def _ended(self) -> None:
        self.in_flight -= 1

    def _at_hand(self, scope: Scope) -> Answer | None:
        for path in self.fast_paths:
            if (ready := path(scope)) is not None:
                return ready
        return None

    def count_as_waiting(self, scope: Scope) -> bool:
        """Count a request among those that only wait, for the rest of its life; False: too many wait already."""
        if self.waiting >= self._max * WAITING_PER_IN_FLIGHT:
            return False
        scope[WAITING] = True
        self.in_flight -= 1
        self.waiting += 1
        return True

    def go_on_waiting(self, scope: Scope) -> None:
        """Count a request that waits for longer than its task lives, until `stop_waiting`."""
        scope[WAITING] = False

    def stop_waiting(self) -> None:
        """Count one less of those that wait without a task."""
        self.waiting -= 1

    async def cancel_slow_bodies(self) -> None:
        """Give up requests whose body takes too long, until cancelled."""
        await self.bodies.cancel_slow_bodies()

    def _limited(self, receive: Receive) -> Receive:
        """Return what receives a body within its bounds; that the sender goes before its end is an error.

        Falcon takes a sender that has gone for the body's end. Before its beginning it looks for itself.
        """
        seen, is_begun, complete = 0, False, False

        async def counted() -> Message:
            nonlocal seen, is_begun, complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout(self.bodies.timeout_s):
                    message = await receive()
            except TimeoutError:
                raise BodyError("malformed", f"Nothing came for {self.bodies.timeout_s:g} s") from None
            if is_begun and message["type"] == "http.disconnect":
                raise BodyError("", "the sender went away")
            is_begun, complete = True, not message.get("more_body", False)
            seen += len(message.get("body", b""))
            if seen > STREAM_MAX:
                raise BodyError("too_large", f"The body may have at most {STREAM_MAX} bytes")
            return message

        return counted


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError("the guard has no application yet")


def _uncounted(_method: str, _path: str, _code: str) -> None:
    pass


def _no_page(_headers: Headers) -> None:
    return None


def _full_path(_url: bytes, _headers: Headers, _body: bytes, _response: FastResponse) -> bool:
    return False
