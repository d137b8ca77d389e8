"""Refusing a request before the application sees it: a problem as ASGI messages. Owns how it is sent, never when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from doorbuster.contract import FAULTS, PROBLEM_JSON, problem

if TYPE_CHECKING:
    from intake.limits import Receive, Send

NOT_KEPT = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
"""Headers of every problem: it is about one request at one moment, and is JSON whatever it quotes."""
_FIXED = [
    (b"content-type", PROBLEM_JSON.encode()),
    *((name.encode(), value.encode()) for name, value in NOT_KEPT.items()),
]
LINGER_S = 2.0
LINGER_BYTES = 64 * 1024 * 1024
"""How long, and how much of, what is still being sent is thrown away before a connection is closed."""


async def send_problem(
    send: Send, code: str, detail: str, headers: list[tuple[bytes, bytes]], *, more: bool = False
) -> None:
    """Answer with a problem without the application; with `more` the answer is complete but the exchange is not."""
    refusal = problem(code, detail)
    body = msgspec.json.encode(refusal)
    fixed = [*_FIXED, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": refusal.status, "headers": fixed + headers})
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def send_page(send: Send, code: str, page: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Answer with a problem that a page tells a person."""
    length = (b"content-length", b"%d" % len(page))
    await send({"type": "http.response.start", "status": FAULTS[code].status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": page})


async def send_last_problem(
    receive: Receive, send: Send, code: str, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Answer with a problem and close the connection, throwing away for a while what is still being sent.

    Closed at once, the kernel would answer the rest of the body with a reset, and the sender might never read why.
    """
    await send_problem(send, code, detail, [*headers, (b"connection", b"close")], more=True)
    seen = 0
    try:
        async with asyncio.timeout(LINGER_S):
            while seen < LINGER_BYTES:
                message = await receive()
                if not message.get("more_body", False):
                    break
                seen += len(message.get("body", b""))
    except TimeoutError:
        pass  # long enough: whoever sends on has had the answer
    await send({"type": "http.response.body", "body": b""})
