"""One keep-alive HTTP/1.1 connection of the load generator. Owns bytes in and out; knows nothing of orders.

Written on the raw protocol because the generator shares the machine with the server it measures: an ordinary client
costs more per request than the server does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools


class Reply(NamedTuple):
    """An answer, or (status 0) the news that the connection went before one came."""

    status: int
    body: bytes
    retry_after_s: float
    replayed: bool


LOST = Reply(0, b"", 0.0, False)


class Attempt:
    """One order on its way: its request, when it was meant to be sent, and how often it was."""

    __slots__ = ("due", "request", "sent", "tries")

    def __init__(self, request: bytes, due: float) -> None:
        self.request = request
        self.due = due
        self.sent = 0.0
        self.tries = 0


class Connection(asyncio.Protocol):
    """Sends one request at a time and reports each answer to `on_reply`."""

    def __init__(self, on_reply: Callable[[Connection, Attempt, Reply], None]) -> None:
        self._on_reply = on_reply
        self._transport: asyncio.Transport | None = None
        self._attempt: Attempt | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._retry_after_s = 0.0
        self._replayed = False
        self.usable = False

    @property
    def attempt(self) -> Attempt | None:
        """The order that waits for its answer."""
        return self._attempt

    def send(self, attempt: Attempt) -> None:
        """Send an order's request; the connection must be usable and idle."""
        assert self._transport is not None
        self._attempt = attempt
        self._transport.write(attempt.request)

    def abort(self) -> None:
        """Cut the connection; a waiting order is reported as lost."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no common class
        self.usable = True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Report the waiting order, if any, as lost."""
        self.usable = False
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            self._on_reply(self, attempt, LOST)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is no HTTP cuts the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the two headers that matter to a shopper."""
        if len(name) == 11 and name.lower() == b"retry-after" and value.isdigit():
            self._retry_after_s = float(value)
        elif len(name) == 20 and name.lower() == b"idempotency-replayed":
            self._replayed = value == b"true"

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Report the answer and be ready for the next."""
        attempt, self._attempt = self._attempt, None
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        reply = Reply(self._parser.get_status_code(), body, self._retry_after_s, self._replayed)
        self._body, self._retry_after_s, self._replayed = [], 0.0, False
        if not self._parser.should_keep_alive():
            self.usable = False
            self.abort()
        if attempt is not None:
            self._on_reply(self, attempt, reply)
