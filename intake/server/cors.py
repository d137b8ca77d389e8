"""Which other origins' scripts may call the storefront, and how browsers are told (CORS, Fetch standard).

Owns the headers and the preflight's answer. Never says that cookies may be sent: an admission comes in `Authorization`.
Where no origin is allowed there is none of this; a request without `Origin` is told only that answers differ by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intake.server.asgi import OPS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from intake.server.asgi import Answer, Application, Headers, Message, Receive, Scope, Send

_METHODS = b"GET, HEAD, POST, DELETE"
_SENT = b"Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Prefer, X-Ticket-Secret"
_SHOWN = (
    b"Location, Retry-After, ETag, Link, Idempotent-Replayed, Idempotency-Replayed, Preference-Applied, X-Request-Id"
)
_ASKED = b"access-control-request-method"
_KNOWN_FOR_S = b"7200"
_VARY = (b"vary", b"Origin")
_VARY_LINE = b"%b: %b\r\n" % _VARY
_OF_THE_PROCESS = frozenset({"/healthz", "/readyz", "/metrics", "/ops"})


class CrossOrigin:
    """Answers and marks what scripts of other origins ask; of ops' calls and the process's own it says nothing."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._fields: dict[bytes, Headers] = {}
        self._lines: dict[bytes, bytes] = {}
        for origin in origins:
            allowed = [(b"access-control-allow-origin", origin.encode()), (b"access-control-expose-headers", _SHOWN)]
            self._fields[origin.encode()] = [*allowed, _VARY]
            self._lines[origin.encode()] = b"".join(b"%b: %b\r\n" % field for field in (*allowed, _VARY))

    def lines(self, origin: bytes) -> bytes:
        """Return the header lines for an answer to this origin, none for one that is not allowed."""
        return self._lines.get(origin, b"")

    def lines_of_all(self, origin: bytes) -> bytes:
        """Return the header lines for any answer: where origins are allowed also that answers differ by it."""
        return self._lines.get(origin, _VARY_LINE if self._lines else b"")

    async def answer(self, scope: Scope, receive: Receive, send: Send, application: Application) -> None:
        """Answer a preflight, without a store and whatever is in work; else pass on, and mark what is answered."""
        if scope["path"].startswith(OPS) or scope["path"] in _OF_THE_PROCESS:
            await application(scope, receive, send)
            return
        preflight = self._preflight(scope) if scope["method"] == "OPTIONS" else None
        if preflight is None:
            await application(scope, receive, self._marking(scope, send))
            return
        await send(preflight[0])
        await send(preflight[1])

    def _preflight(self, scope: Scope) -> Answer | None:
        by_name = dict(scope["headers"])
        fields = self._fields.get(by_name.get(b"origin", b""))
        if fields is None or _ASKED not in by_name:
            return None
        headers = [
            *fields,
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _SENT),
            (b"access-control-max-age", _KNOWN_FOR_S),
        ]
        start = {"type": "http.response.start", "status": 204, "headers": headers}
        return start, {"type": "http.response.body", "body": b""}

    def _marking(self, scope: Scope, send: Send) -> Send:
        fields: Headers = [_VARY]
        for name, value in scope["headers"]:
            if name == b"origin":
                fields = self._fields.get(value, fields)

        async def marking(message: Message) -> None:
            if message["type"] == "http.response.start":
                # A copy: fast paths send the same message to many.
                message = message | {"headers": [*message["headers"], *fields]}
            await send(message)

        return marking
