"""Answers in JSON. Owns their media type; what is in them is the resources'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from doorbuster.contract.problems import JSON

if TYPE_CHECKING:
    from falcon.asgi import Response

_encode = msgspec.json.Encoder().encode


def write(resp: Response, body: Any, status: int = 200) -> None:
    """Answer with JSON."""
    resp.status = status
    resp.content_type = JSON
    resp.data = _encode(body)
