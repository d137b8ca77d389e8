"""Conditional requests (RFC 9110 section 13.1.2). Owns when the answer is 304; makes no entity tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

import falcon

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from catalogue.responses import Shown


def answer(req: Request, resp: Response, shown: Shown) -> None:
    """Send what is shown, or 304 if the asker has it."""
    send(req, resp, shown.body, shown.headers)


def send(req: Request, resp: Response, body: bytes, headers: dict[str, str]) -> None:
    """Send a body, or 304 if the asker has it; the headers hold its `ETag`."""
    resp.set_headers(headers)
    if has(req.get_header("If-None-Match"), headers["ETag"]):
        resp.status = falcon.HTTP_304
        return
    resp.content_type = falcon.MEDIA_JSON
    resp.data = body


def has(if_none_match: str | None, etag: str) -> bool:
    """Say whether an If-None-Match header names this entity tag, or any."""
    return if_none_match is not None and (etag in if_none_match or if_none_match.strip() == "*")
