"""Refusing a request before the application sees it, as ASGI messages or as bytes. Owns how it is sent, never when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from doorbuster.contract.problems import FAULTS, PROBLEM_JSON, problem
from intake.server.connection.date_header import DATES

if TYPE_CHECKING:
    from intake.server.asgi import Send
    from intake.server.connection.framing import FramingFault

NOT_KEPT = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""Headers of every problem: it is about one request at one moment, and is JSON whatever it quotes."""
_FIXED = [
    (b"content-type", PROBLEM_JSON.encode()),
    *((name.encode(), value.encode()) for name, value in NOT_KEPT.items()),
]


async def send_problem(send: Send, code: str, detail: str, headers: list[tuple[bytes, bytes]]) -> None:
    """Answer with a problem without the application."""
    refusal = problem(code, detail)
    body = msgspec.json.encode(refusal)
    fixed = [*_FIXED, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": refusal.status, "headers": fixed + headers})
    await send({"type": "http.response.body", "body": body})


async def send_page(send: Send, code: str, page: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Answer with a problem that a page tells a person."""
    length = (b"content-length", b"%d" % len(page))
    await send({"type": "http.response.start", "status": FAULTS[code].status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": page})


async def send_last_problem(send: Send, code: str, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Answer with a problem and close the connection; the protocol throws away what is still being sent."""
    await send_problem(send, code, detail, [*headers, (b"connection", b"close")])


def last_words(fault: FramingFault) -> bytes:
    """Return the whole answer to what is no request; the connection ends with it."""
    refusal = problem(*fault)
    body = msgspec.json.encode(refusal)
    fixed = b"".join(b"%b: %b\r\n" % field for field in _FIXED)
    values = STATUS_LINE[refusal.status], DATES.line(), fixed, len(body)
    return b"%b%b%bcontent-length: %d\r\nconnection: close\r\n\r\n" % values + body
