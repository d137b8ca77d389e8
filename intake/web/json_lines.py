"""Bodies of JSON Lines, a thing a line. Owns how they come to disk and are read in lines; knows no line's meaning."""

from __future__ import annotations

import asyncio
from typing import IO, TYPE_CHECKING, NamedTuple

from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from falcon.asgi import Request

MEDIA = "application/x-ndjson"
_WRITE_BYTES = 2**20


def require_json_lines(req: Request) -> None:
    """Refuse what says it is something else: read as JSON Lines, each of its lines would be wrong."""
    media = (req.content_type or "").partition(";")[0].strip().lower()
    if media and "json" not in media and media != "application/octet-stream":
        raise RefusedError("unsupported_media_type", f"The body must be JSON Lines: {MEDIA}")
    if (req.get_header("Content-Encoding") or "identity").strip().lower() != "identity":
        raise RefusedError("unsupported_media_type", "The body must not be compressed")


async def keep(req: Request, file: IO[bytes]) -> None:
    """Write the body to disk, a MiB at a time and not in the loop's own time; leave the file at its beginning."""
    parts: list[bytes] = []
    size = 0
    async for part in req.stream:
        parts.append(part)
        size += len(part)
        if size >= _WRITE_BYTES:
            await asyncio.to_thread(file.writelines, parts)
            parts, size = [], 0
    await asyncio.to_thread(file.writelines, parts)
    file.seek(0)


class BodyLine(NamedTuple):
    """A line of a body, counted from 1; None: it is longer than lines may be."""

    number: int
    text: bytes | None


def lines_of(file: IO[bytes], *, most: int) -> Iterator[BodyLine]:
    """Yield the lines that are not blank, of at most so many bytes without their end, which may be CRLF."""
    number, at_once = 0, most + 2
    while text := file.readline(at_once):
        number += 1
        is_cut = len(text) == at_once and not text.endswith(b"\n")
        is_long = is_cut or len(text.rstrip(b"\r\n")) > most
        while is_cut and not text.endswith(b"\n") and (rest := file.readline(at_once)):
            text = rest
        if is_long:
            yield BodyLine(number, None)
        elif text.strip():
            yield BodyLine(number, text.strip())
