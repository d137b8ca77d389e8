"""The outermost guard: how many requests are in work, how large and how slow a body may be. Knows no routes' meaning.

It reads a small body before the application sees the request, so that a slow or endless sender costs one task, at most
`BODY_MAX` bytes and at most the body time-out. Bodies of streamed routes are counted as they pass.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

from intake.refusing import send_last_problem, send_page, send_problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from intake.cross_origin import CrossOrigin
    from intake.protocol import Exchange

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Scope = dict[str, Any]
    Answer = tuple[Message, Message]
    Lane = Callable[[Scope], Answer | None]
    Headers = list[tuple[bytes, bytes]]
    BusyPage = Callable[[Headers], tuple[bytes, Headers] | None]
    OrderLane = Callable[[bytes, Headers, bytes, Exchange], bool]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY = "doorbuster.body"
"""Where the guard leaves a body in the request's scope."""
PARKED = "doorbuster.parked"
"""Marks in its scope a request that only waits."""
WAITING_PER_IN_FLIGHT = 5
"""How many waiting requests stand for one in work; they hold a socket and a timer, no more."""
BODY_MAX = 16 * 1024
OPS_BODY_MAX = 2 * 1024 * 1024
STREAM_MAX = 512 * 1024 * 1024
STREAMED = ":import"
"""What paths end with whose bodies are worked off as they come."""
OPS = "/ops/"
"""Paths of ops: another application answers them, and their bodies pass through to it, counted, up to `STREAM_MAX`."""

_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
EXPIRED = -1.0
DIGITS_MAX = 20
_EMPTY: Message = {"type": "http.request", "body": b"", "more_body": False}


class BodyError(Exception):
    """The body did not come as it must; an empty code: nobody is there to be told."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class _Rest:
    """What is left to receive after the body was taken: an empty body, then whatever comes."""

    __slots__ = ("_begun", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._begun = False

    async def __call__(self) -> Message:
        if self._begun:
            return await self._receive()
        self._begun = True
        return _EMPTY


class Guard:
    """ASGI application around the application."""

    def __init__(self, *, in_flight_max: int, body_timeout_s: float, retry_after_s: int):
        self.application: Application = _nothing
        self.lanes: tuple[Lane, ...] = ()
        """Short ways, asked in turn before the application; what one answers the application does not see."""
        self.order_lane: OrderLane = _long_way
        """The short way of plain orders, see `take_order`."""
        self.busy_page: BusyPage = _no_page
        """What a person is shown instead of a problem when there is too much to do."""
        self.ops_application: Application = _nothing
        self.cross_origin: CrossOrigin | None = None
        """Which other origins' scripts may call; None: none, and nothing is asked for it."""
        self._max = in_flight_max
        self._body_timeout_s = body_timeout_s
        self._retry_after = str(retry_after_s).encode()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reading: dict[asyncio.Task[Any], float] = {}
        self.in_flight = 0
        self.waiting = 0
        self._refused = 0
        self.stopping = False

    def begin_stop(self) -> None:
        """Tell long answers to come to their end; called when the worker is asked to stop."""
        self.stopping = True

    def take_refused(self) -> int:
        """Return how many requests were refused since the last time."""
        refused, self._refused = self._refused, 0
        return refused

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
        if self.in_flight >= self._max:
            self._refused += 1
            detail = "Too many requests are in work; try again soon"
            again = (b"retry-after", self._retry_after)
            if (busy := self.busy_page(scope["headers"])) is None:
                await send_problem(send, "overloaded", detail, [again])
            else:
                await send_page(send, "overloaded", busy[0], [*busy[1], again])
            return
        self.in_flight += 1
        try:
            if scope["path"].startswith(OPS):
                _refuse_declared(scope, STREAM_MAX if scope["path"].endswith(STREAMED) else OPS_BODY_MAX)
                await self.ops_application(scope, self._counted(receive), send)
                return
            if scope["method"] in _WITH_BODY:
                receive = await self._before(scope, receive)
            if (ready := self._at_hand(scope)) is None:
                await self.application(scope, receive, send)
            else:
                await send(ready[0])
                await send(ready[1])
        except BodyError as error:
            if error.code:
                self.park(scope)
                await send_last_problem(receive, send, error.code, error.detail)
        finally:
            if PARKED in scope:
                self.waiting -= 1
            else:
                self.in_flight -= 1

    def take_order(self, url: bytes, headers: Headers, body: bytes, exchange: Exchange) -> bool:
        """Take an order that came as a whole and see to its answer; False: it goes the long way."""
        if self.in_flight >= self._max or len(body) > BODY_MAX:
            return False
        self.in_flight += 1
        exchange.at_end = self._ended
        taken = False
        try:
            taken = self.order_lane(url, headers, body, exchange)
        finally:
            if not taken:
                self.in_flight -= 1
        return taken

    def _ended(self) -> None:
        self.in_flight -= 1

    def _at_hand(self, scope: Scope) -> Answer | None:
        for lane in self.lanes:
            if (ready := lane(scope)) is not None:
                return ready
        return None

    def park(self, scope: Scope) -> bool:
        """Count a request among those that only wait, for the rest of its life; False: too many wait already."""
        if self.waiting >= self._max * WAITING_PER_IN_FLIGHT:
            return False
        scope[PARKED] = True
        self.in_flight -= 1
        self.waiting += 1
        return True

    async def _before(self, scope: Scope, receive: Receive) -> Receive:
        # No timer for each request: two dictionary writes, and `expire_slow` does the rest.
        task = asyncio.current_task(self._loop or self._running_loop())
        assert task is not None
        self._reading[task] = monotonic() + self._body_timeout_s
        try:
            _refuse_declared(scope, BODY_MAX)
            message = await receive()
            body: bytes = message.get("body", b"")
            while message.get("more_body", False) and len(body) <= BODY_MAX:
                message = await receive()
                body += message.get("body", b"")
        except asyncio.CancelledError:
            if self._reading[task] > 0:
                raise
            task.uncancel()
            raise BodyError("malformed", f"The body did not arrive within {self._body_timeout_s:g} s") from None
        finally:
            del self._reading[task]
        if len(body) > BODY_MAX:
            raise BodyError("too_large", f"The body may have at most {BODY_MAX} bytes")
        if message["type"] == "http.disconnect":
            raise BodyError("", "the sender went away")
        scope[BODY] = body
        return _Rest(receive)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        # Asked for once: each time costs a system call.
        self._loop = asyncio.get_running_loop()
        return self._loop

    async def expire_slow(self) -> None:
        """Give up requests whose body takes too long, until cancelled."""
        while True:
            await asyncio.sleep(self._body_timeout_s / 8)
            now = monotonic()
            for task, deadline in self._reading.items():
                if deadline > now:
                    break  # in order of arrival: the rest came later
                if deadline > 0:
                    self._reading[task] = EXPIRED
                    task.cancel()

    def _counted(self, receive: Receive) -> Receive:
        seen, complete = 0, False

        async def counted() -> Message:
            nonlocal seen, complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout(self._body_timeout_s):
                    message = await receive()
            except TimeoutError:
                raise BodyError("malformed", f"Nothing came for {self._body_timeout_s:g} s") from None
            complete = not message.get("more_body", False)
            seen += len(message.get("body", b""))
            if seen > STREAM_MAX:
                raise BodyError("too_large", f"The body may have at most {STREAM_MAX} bytes")
            return message

        return counted


def _refuse_declared(scope: Scope, most: int) -> None:
    """Refuse a body by its declared length, before any of it is waited for."""
    for name, value in scope["headers"]:
        # Four digits are below every bound: most requests end here.
        if name == b"content-length" and 4 < len(value) < DIGITS_MAX and int(value) > most:
            raise BodyError("too_large", f"The body may have at most {most} bytes")


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError("the guard has no application yet")


def _no_page(_headers: Headers) -> None:
    return None


def _long_way(_url: bytes, _headers: Headers, _body: bytes, _exchange: Exchange) -> bool:
    return False
