"""The words of ASGI as this house uses them: types, names in a request's scope, bounds of a body. Pure; does nothing.

Everything in `intake` may use them: they lie below all of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Answer = tuple[Message, Message]
"""The two messages of an answer that is at hand as a whole: its start and its body."""

BODY = "doorbuster.body"
"""Where a body is left in the request's scope."""
WHOLE = "doorbuster.whole"
"""Marks in its scope a request whose body has come already."""
HAND_OVER = "doorbuster.hand_over"
"""Where in a scope it is asked for the answer's connection, to go on with it without a task; not under every server."""
RECEIVE = "doorbuster.receive"
"""Where in the scope of a request of ops it is told that nobody is there any more."""
METHOD = "doorbuster.method"
"""Where in the scope the method of a request is that no resource knows."""
BATCH = "/orders:batch"
"""What paths end with whose bodies are batches of orders: bounded by settings, read once the sender is known."""
OPS = "/ops/"
"""What paths of ops begin with: another application answers them, behind the ops key."""

BODY_MAX = 16 * 1024
"""Bytes of a body outside of ops."""
OPS_BODY_MAX = 2 * 1024 * 1024
STREAM_MAX = 512 * 1024 * 1024
"""Bytes of a body that is worked off as it comes."""


class BrokenStreamError(Exception):
    """An answer that has begun cannot go on: its connection ends without the end of the answer."""


class BodyError(Exception):
    """The body did not come as it must; an empty code: nobody is there to be told."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
