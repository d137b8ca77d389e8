"""Each request's id: as its sender named it, or made here; answered back, and in each of its log lines.

Owns what a sane id is. An answer that is at hand has none, for nothing is logged of it and a CDN may keep it.
"""

from __future__ import annotations

import re
import secrets
from itertools import count
from typing import TYPE_CHECKING

from doorbuster.log import Request, begin_request

if TYPE_CHECKING:
    from intake.server.asgi import Headers, Message, Scope, Send

HEADER = b"x-request-id"
# In OpenMetrics an exemplar, which has it, may have 128 characters.
_SANE = re.compile(rb"[A-Za-z0-9_.:+/=@-]{1,100}")
_PROCESS = secrets.token_hex(4).encode()
"""Begins the ids that this process makes: what it counts begins anew in each."""
_numbers = count(1)


def request_id(named: bytes | None) -> bytes:
    """Return the id that the sender named, if it is sane, else a new one."""
    if named is not None and _SANE.fullmatch(named):
        return named
    return b"%s-%x" % (_PROCESS, next(_numbers))


def named(scope: Scope, send: Send) -> Send:
    """Begin a request in this task under its id, and return what answers it with that."""
    given = header_of(scope["headers"])
    identity = request_id(given)
    begin_request(Request(identity.decode(), scope["path"]))

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (HEADER, identity)]}
        await send(message)

    return answer


def header_of(headers: Headers) -> bytes | None:
    """Return what a request calls itself."""
    for name, value in headers:
        if name == HEADER:
            return value
    return None
