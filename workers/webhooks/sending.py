"""One attempt: a signed post, and what came of it. Owns its HTTP; follows nothing, believes nothing, reads little.

No redirect is followed, no proxy of the environment used, no cookie kept, nothing unpacked; of an answer 2 KiB are
read.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import aiohttp

from doorbuster.failures import Failures
from workers.webhooks.guarded import RefusedAddressError, connector
from workers.webhooks.signing import headers_of

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

    from db.webhooks.endpoints import Receiver
    from doorbuster.settings import Settings

READ_MAX = 2_048
"""Bytes of an answer that are read."""
READ_S = 1.0
"""How long its body is waited for, once the status is there."""
WORDS_MAX = 200
GONE = 410
_SENDING_FAILED: Failures = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
"""No answer, or none that could be read; ValueError: a URL that no connection can be made for."""


class Answer(NamedTuple):
    """What came of an attempt."""

    status_code: int | None
    """None: there was no answer."""
    error: str | None
    """None: the receiver took it."""
    retry_after: str | None = None


class Sender:
    """Sends deliveries; one for all endpoints, with a connection pool."""

    def __init__(self, settings: Settings, resolver: AbstractResolver | None = None) -> None:
        self._timeout_s = settings.webhook_timeout_s
        self._session = aiohttp.ClientSession(
            connector=connector(allow_private=settings.webhook_allow_private, resolver=resolver),
            timeout=aiohttp.ClientTimeout(total=settings.webhook_timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("accept-encoding",),
        )

    async def send(self, receiver: Receiver, event_id: str, body: str) -> Answer:
        """Post a delivery once; every failure is an answer too."""
        headers = headers_of(receiver, event_id, body)
        try:
            async with self._session.post(
                receiver.url, data=body.encode(), headers=headers, allow_redirects=False
            ) as response:
                return await _read(response)
        except TimeoutError:
            return Answer(None, f"no answer within {self._timeout_s:g} s")
        except _SENDING_FAILED as error:
            return Answer(None, _words(error))

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


async def _read(response: aiohttp.ClientResponse) -> Answer:
    # Also of one that took it: a connection whose answer was read whole is used again.
    said = b""
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(READ_S):
            said = await response.content.read(READ_MAX)
    if 200 <= response.status < 300:
        return Answer(response.status, None)
    words = f"answered {response.status}"
    if 300 <= response.status < 400:
        words += ", and redirects are not followed"
    if text := _printable(said.decode(errors="replace")):
        words += f": {text}"
    return Answer(response.status, words, response.headers.get("Retry-After"))


def _words(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, RefusedAddressError):
            return str(cause)
        cause = cause.__cause__
    return _printable(f"{type(error).__name__}: {error}") or type(error).__name__


def _printable(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:WORDS_MAX]
