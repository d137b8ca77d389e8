"""What a request carries: JSON bodies, idempotency keys, tokens. Owns how they are read; decides nothing by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard, TypeVar

import msgspec

from doorbuster.contract.decoding import read
from doorbuster.contract.problems import JSON
from intake.server.asgi import BODY, OPS_BODY_MAX, BodyError
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from falcon.asgi import Request

T = TypeVar("T")

BEARER = "Bearer"
KEY_MAX = 255
"""Characters of an idempotency key."""


def require_json(req: Request) -> None:
    """Refuse a body that says it is something else than JSON."""
    media = req.content_type
    if media == JSON or media is None or media.partition(";")[0].strip().lower() == JSON:
        return
    raise RefusedError("unsupported_media_type", f"The body must be {JSON}")


def is_key(key: str | None) -> TypeGuard[str]:
    """Say whether a header makes an idempotency key."""
    return key is not None and 0 < len(key) <= KEY_MAX and key.isascii() and key.isprintable()


def token_of(authorization: str) -> str | None:
    """Return the token of an Authorization header, None if there is none; schemes are compared in any case."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme == BEARER or scheme.lower() == BEARER.lower() else None


async def body_of(req: Request, decoder: msgspec.json.Decoder[T]) -> T:
    """Read and check a JSON body of at most `OPS_BODY_MAX` bytes, and leave its bytes in the request's scope."""
    require_json(req)
    body = b""
    async for part in req.stream:
        body += part
        if len(body) > OPS_BODY_MAX:
            raise BodyError("too_large", f"The body may have at most {OPS_BODY_MAX} bytes")
    req.scope[BODY] = body
    return read(body, decoder)
