"""Reads small bodies whole before the application sees a request. Owns the waiting for them; counts nothing in work.

A body that came together with its head costs no waiting. Of those that are awaited there may be so many, and fewer from
one address; past that the oldest is given up: an honest sender's is whole in a moment.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Any

from intake.server.asgi import BODY, BODY_MAX, WHOLE, BodyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from intake.server.asgi import Message, Receive, Scope

    Task = asyncio.Task[Any]
    AddressOf = Callable[[Scope], str]

DIGITS_MAX = 20
FORM = b"application/x-www-form-urlencoded"
_EMPTY: Message = {"type": "http.request", "body": b"", "more_body": False}


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


class Bodies:
    """Reads bodies, within bounds."""

    def __init__(self, *, most: int, per_address: int, timeout_s: float) -> None:
        self._most, self._per_address, self.timeout_s = most, per_address, timeout_s
        self.address_of: AddressOf = _nobody
        """Says whose a request is; empty: it is not counted."""
        self._awaited: dict[Task, tuple[float, str]] = {}
        """Requests whose body is awaited, until when, and whose they are, in order of arrival."""
        self._by_address: dict[str, dict[Task, None]] = {}
        self._given_up: dict[Task, BodyError] = {}

    @property
    def awaited(self) -> int:
        """How many bodies are awaited."""
        return len(self._awaited)

    async def read(self, scope: Scope, receive: Receive) -> Receive:
        """Leave the body in the scope; return what is left to receive.

        Raises:
            BodyError: it is too large, too slow, or its sender is gone.
        """
        refuse_declared(scope, BODY_MAX)
        message = await receive() if WHOLE in scope else await self._await(scope, receive)
        body: bytes = message.get("body", b"")
        if len(body) > BODY_MAX:
            raise BodyError("too_large", f"The body may have at most {BODY_MAX} bytes")
        if message["type"] == "http.disconnect":
            raise BodyError("", "the sender went away")
        scope[BODY] = body
        return _Rest(receive)

    async def begin(self, scope: Scope, receive: Receive) -> Receive:
        """Wait until a body that is streamed has begun to come; return what receives all of it.

        Raises:
            BodyError: it is too slow.
        """
        first = await receive() if WHOLE in scope else await self._await(scope, receive, most=-1)
        return _from_first(first, receive)

    async def _await(self, scope: Scope, receive: Receive, most: int = BODY_MAX) -> Message:
        # No timer for each request: two dictionary writes, and `cancel_slow_bodies` does the rest.
        task = asyncio.current_task()
        assert task is not None
        self._enter(task, self.address_of(scope))
        try:
            message = await receive()
            body: bytes = message.get("body", b"")
            while message.get("more_body", False) and len(body) <= most:
                message = await receive()
                body += message.get("body", b"")
        except asyncio.CancelledError:
            error = self._given_up.pop(task, None)
            if error is None:
                raise
            task.uncancel()
            raise error from None
        finally:
            self._leave(task)
            self._given_up.pop(task, None)
        return message | {"body": body}

    def _enter(self, task: Task, address: str) -> None:
        """Count an awaited body; past a bound the oldest is given up for it."""
        mine = self._by_address.setdefault(address, {}) if address else {}
        if len(mine) >= self._per_address:
            self._give_up(next(iter(mine)), "overloaded", "Too many bodies are under way from this address")
            mine = self._by_address.setdefault(address, {})
        elif len(self._awaited) >= self._most:
            self._give_up(next(iter(self._awaited)), "overloaded", "Too many bodies are under way; try again soon")
            mine = self._by_address.setdefault(address, {}) if address else {}
        self._awaited[task] = (monotonic() + self.timeout_s, address)
        mine[task] = None

    def _leave(self, task: Task) -> None:
        _, address = self._awaited.pop(task, (0.0, ""))
        mine = self._by_address.get(address)
        if mine is not None:
            mine.pop(task, None)
            if not mine:
                del self._by_address[address]

    def _give_up(self, task: Task, code: str, detail: str) -> None:
        self._leave(task)
        self._given_up[task] = BodyError(code, detail)
        task.cancel()

    async def cancel_slow_bodies(self) -> None:
        """Give up requests whose body takes too long, until cancelled."""
        while True:
            await asyncio.sleep(self.timeout_s / 8)
            now = monotonic()
            while self._awaited and self._awaited[oldest := next(iter(self._awaited))][0] <= now:
                self._give_up(oldest, "malformed", f"The body did not arrive within {self.timeout_s:g} s")


def refuse_declared(scope: Scope, most: int) -> None:
    """Refuse a body by its declared length, before any of it is waited for."""
    for name, value in scope["headers"]:
        # Four digits are below every bound: most requests end here.
        if name == b"content-length" and 4 < len(value) < DIGITS_MAX and int(value) > most:
            raise BodyError("too_large", f"The body may have at most {most} bytes")


def _from_first(first: Message, receive: Receive) -> Receive:
    """Return what receives the first part and then the rest."""
    is_begun = False

    async def received() -> Message:
        nonlocal is_begun
        if is_begun:
            return await receive()
        is_begun = True
        return first

    return received


def is_form(scope: Scope) -> bool:
    """Say whether a browser's form is sent."""
    media = [value for name, value in scope["headers"] if name == b"content-type"]
    return len(media) == 1 and media[0].partition(b";")[0].strip().lower() == FORM


def _nobody(_scope: Scope) -> str:
    return ""
