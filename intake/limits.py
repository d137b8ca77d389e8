"""The outermost guard: how many requests are in work, how large and how slow a body may be. Knows no routes' meaning.

It reads a small body before the application sees the request, so that a slow or endless sender costs one task, at most
`BODY_MAX` bytes and at most the body time-out. Bodies of streamed routes are counted as they pass.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from doorbuster.contract import problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Message = dict[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Scope = dict[str, Any]
    Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY = "doorbuster.body"
"""Where the guard leaves a body in the request's scope."""
PARKED = "doorbuster.parked"
"""Marks in its scope a request that only waits."""
WAITING_PER_IN_FLIGHT = 5
"""How many waiting requests stand for one in work; they hold a socket and a timer, no more."""
BODY_MAX = 16 * 1024
STREAM_MAX = 512 * 1024 * 1024
STREAMED = frozenset({"/ops/products:import"})
"""Paths whose body passes through, counted, up to `STREAM_MAX`."""

_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_EMPTY: Message = {"type": "http.request", "body": b"", "more_body": False}


class TooLargeError(Exception):
    """More bytes came than the route takes."""


class DisconnectedError(Exception):
    """The sender went away before the body was complete."""


class Guard:
    """ASGI application around the application."""

    def __init__(self, *, in_flight_max: int, body_timeout_s: float, retry_after_s: int):
        self.application: Application = _nothing
        self._max = in_flight_max
        self._body_timeout_s = body_timeout_s
        self._retry_after = str(retry_after_s).encode()
        self.in_flight = 0
        self.waiting = 0
        self.refused = 0
        self.stopping = False

    def begin_stop(self) -> None:
        """Tell long answers to come to their end; called when the worker is asked to stop."""
        self.stopping = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        if self.in_flight >= self._max:
            self.refused += 1
            await self._refuse(send, "overloaded", "Too many requests are in work; try again soon")
            return
        self.in_flight += 1
        try:
            if scope["method"] in _WITH_BODY:
                await self._with_body(scope, receive, send)
            else:
                await self.application(scope, receive, send)
        finally:
            if PARKED in scope:
                self.waiting -= 1
            else:
                self.in_flight -= 1

    def park(self, scope: Scope) -> bool:
        """Count a request among those that only wait, for the rest of its life; False: too many wait already."""
        if self.waiting >= self._max * WAITING_PER_IN_FLIGHT:
            return False
        scope[PARKED] = True
        self.in_flight -= 1
        self.waiting += 1
        return True

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in STREAMED:
            await self.application(scope, self._counted(receive), send)
            return
        try:
            scope[BODY] = await self._take(receive)
        except TooLargeError:
            await self._refuse(send, "too_large", f"The body may have at most {BODY_MAX} bytes", close=True)
            return
        except TimeoutError:
            detail = f"The body did not arrive within {self._body_timeout_s:g} s"
            await self._refuse(send, "malformed", detail, close=True)
            return
        except DisconnectedError:
            return
        first = True

        async def rest() -> Message:
            nonlocal first
            if first:
                first = False
                return _EMPTY
            return await receive()

        await self.application(scope, rest, send)

    async def _take(self, receive: Receive) -> bytes:
        async with asyncio.timeout(self._body_timeout_s):
            body = b""
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise DisconnectedError
                body += message.get("body", b"")
                if len(body) > BODY_MAX:
                    raise TooLargeError
                if not message.get("more_body", False):
                    return body

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            async with asyncio.timeout(self._body_timeout_s):
                message = await receive()
            seen += len(message.get("body", b""))
            if seen > STREAM_MAX:
                raise TooLargeError
            return message

        return counted

    async def _refuse(self, send: Send, code: str, detail: str, *, close: bool = False) -> None:
        refusal = problem(code, detail)
        body = msgspec.json.encode(refusal)
        headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
        if refusal.status == 503:
            headers.append((b"retry-after", self._retry_after))
        if close:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError("the guard has no application yet")
