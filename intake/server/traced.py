"""Requests with a trace: which get one, and its first span. Only in use where traces are on.

An order that gets a trace takes the full path; all others go on as ever.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from doorbuster import tracing
from doorbuster.log import current_request_id

if TYPE_CHECKING:
    from intake.server.asgi import Application, Headers, Message, Receive, Scope, Send
    from intake.server.connection.fast_response import FastResponse
    from intake.server.guard import FastOrderPost

MONITORING = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths that have no traces: whoever watches asks for them all the time."""
PARENT, KEY = b"traceparent", b"idempotency-key"
_NAMED = re.compile(r"(?<=/)(sales|orders|products)/[^/]+")
"""What a path names: its span is called without it."""


class TracedRequests:
    """ASGI application that makes the first span of a request which gets a trace."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; its process's start and end have no span."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        key, parent = _asked(scope["headers"])
        if scope["path"] in MONITORING or not tracing.is_wanted(key, parent) or not tracing.may_follow(parent):
            await self._application(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        about: dict[str, str | int] = {"http.request.method": method, "url.path": path}
        about["doorbuster.request_id"] = current_request_id()
        name = _NAMED.sub(r"\1/{id}", path)
        with tracing.serving(f"{method} {name}", parent, about) as span:

            async def answer(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._application(scope, receive, answer)


def but_for_traced(post: FastOrderPost) -> FastOrderPost:
    """Return the fast path of orders that get no trace."""

    def take(url: bytes, headers: Headers, body: bytes, response: FastResponse) -> bool:
        return not tracing.is_wanted(*_asked(headers)) and post(url, headers, body, response)

    return take


def _asked(headers: Headers) -> tuple[bytes, str]:
    """Return a request's idempotency key, and the span that it follows from; empty where it has none."""
    by_name = dict(headers)
    return by_name.get(KEY, b""), by_name.get(PARENT, b"").decode("latin-1")
