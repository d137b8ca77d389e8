"""Refusing a request before the application sees it, as ASGI messages or as bytes. Owns how it is sent, never when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from doorbuster.contract import PROBLEM_JSON, problem
from intake.dates import DATES

if TYPE_CHECKING:
    from intake.framing import Fault
    from intake.limits import Send


async def send_problem(send: Send, code: str, detail: str, headers: list[tuple[bytes, bytes]]) -> None:
    """Answer with a problem without the application."""
    refusal = problem(code, detail)
    body = msgspec.json.encode(refusal)
    fixed = [(b"content-type", PROBLEM_JSON.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": refusal.status, "headers": fixed + headers})
    await send({"type": "http.response.body", "body": body})


async def send_last_problem(send: Send, code: str, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Answer with a problem and close the connection; the protocol throws away what is still being sent."""
    await send_problem(send, code, detail, [*headers, (b"connection", b"close")])


def last_words(fault: Fault) -> bytes:
    """Return the whole answer to what is no request; the connection ends with it."""
    said = problem(*fault)
    body = msgspec.json.encode(said)
    fixed = STATUS_LINE[said.status], DATES.line(), PROBLEM_JSON.encode(), len(body)
    return b"%b%bcontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % fixed + body
