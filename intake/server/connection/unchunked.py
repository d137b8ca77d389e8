"""Answers of unknown length to HTTP/1.0, which knows no chunks: they end with their connection. Owns that end.

Nobody who speaks HTTP/1.0 is sent a transfer coding (RFC 9112, 6.1), which uvicorn does. Its readers take the closing
of the connection for the end of the answer; one that is broken off ends in a reset, which no reader takes for it.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

if TYPE_CHECKING:
    from intake.server.asgi import Application, Message

BODILESS = 204, 304
LENGTH = b"content-length"
AT_ONCE = struct.pack("ii", 1, 0)
"""How a socket lingers that is reset when it is closed: what is unsent is thrown away."""


class UnchunkedCycle(RequestResponseCycle):
    """A request of HTTP/1.0 and its answer."""

    ends_with_connection = False
    """The answer has no length: it lasts until the connection is closed."""

    async def run_asgi(self, app: Any) -> None:
        """Run the application; reset the connection of an answer that does not come to its end."""
        await super().run_asgi(self._broken_off_by_reset(app))

    def _broken_off_by_reset(self, app: Application) -> Any:
        async def run(*words: Any) -> None:
            try:
                await app(*words)
            finally:
                if self.ends_with_connection and not self.response_complete and not self.disconnected:
                    self._reset()

        return run

    def _reset(self) -> None:
        if (wire := self.transport.get_extra_info("socket")) is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.transport.abort()

    async def send(self, message: Any) -> None:
        """Send a message of the answer."""
        if message["type"] == "http.response.start":
            self._begin(message)
        elif self.ends_with_connection:  # uvicorn counts what is left of the answer's length: this part, and the rest
            self.expected_content_length = len(message.get("body", b"")) + bool(message.get("more_body", False))
        await super().send(message)

    def _begin(self, message: Message) -> None:
        has_length = any(name.lower() == LENGTH for name, _value in message.get("headers", ()))
        if not has_length and self.scope["method"] != "HEAD" and message["status"] not in BODILESS:
            self.ends_with_connection, self.chunked_encoding = True, False
