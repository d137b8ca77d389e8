"""What a request carries: JSON bodies, idempotency keys, tokens. Owns how they are read; decides nothing by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard, TypeVar

import msgspec

from doorbuster.contract.bodies.decoding import read
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


def idempotency_key_of(req: Request, purpose: str) -> str:
    """Return a request's idempotency key; `purpose` says for each of what one is to be made.

    Raises:
        RefusedError: there is none, or it is none.
    """
    key = req.get_header("Idempotency-Key") or ""
    if "," in key and _header_lines(req, b"idempotency-key") > 1:
        problem = "is given several times"
        raise RefusedError("malformed", f"The header Idempotency-Key {problem}", [("Idempotency-Key", problem)])
    if (refusal := key_refusal(key, "Idempotency-Key", purpose)) is not None:
        raise refusal
    return key


def key_refusal(key: str, name: str, purpose: str) -> RefusedError | None:
    """Return why a key that came under a name is none, None if it is one; empty: there was none."""
    if is_key(key):
        return None
    if not key:
        return RefusedError(
            "idempotency_key_required", f"Make an {name} for each {purpose}, and send it again with it",
            [(name, "is required")],
        )  # fmt: skip
    problem = f"must be 1 to {KEY_MAX} printable ASCII characters"
    where = "The header " if name == "Idempotency-Key" else ""
    return RefusedError("malformed", f"{where}{name} {problem}", [(name, problem)])


def _header_lines(req: Request, name: bytes) -> int:
    """Return how many header lines have this name; what reads them by name joins them with commas."""
    return sum(line == name for line, _ in req.scope["headers"])


def token_of(authorization: str) -> str | None:
    """Return the token of an Authorization header, None if there is none; schemes are compared in any case."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme == BEARER or scheme.lower() == BEARER.lower() else None


async def body_of(req: Request, decoder: msgspec.json.Decoder[T], *, empty: bytes = b"") -> T:
    """Read and check a JSON body of at most `OPS_BODY_MAX` bytes, and leave its bytes in the request's scope.

    `empty` stands for a body without any.
    """
    require_json(req)
    body = b""
    async for part in req.stream:
        body += part
        if len(body) > OPS_BODY_MAX:
            raise BodyError("too_large", f"The body may have at most {OPS_BODY_MAX} bytes")
    req.scope[BODY] = body or empty
    return read(body or empty, decoder)
