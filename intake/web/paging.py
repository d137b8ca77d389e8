"""Lists, a page at a time. Owns limits and cursors of ops' lists; what is listed is the resources'."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from doorbuster.errors import InvalidError
from intake.web.responses import write

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

LIMIT_MAX = 500
LIMIT = 50


def write_page(resp: Response, items: list[Any], next_cursor: str | None) -> None:
    """Answer with one page of a list."""
    write(resp, {"items": items} if next_cursor is None else {"items": items, "next_cursor": next_cursor})


def limit_of(req: Request) -> int:
    """Return how many items a page is to have."""
    text = req.get_param("limit")
    if text is None:
        return LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= LIMIT_MAX):
        raise _invalid("limit", f"must be a number from 1 to {LIMIT_MAX}")
    return int(text)


def number_cursor_of(req: Request) -> int | None:
    """Return the number a page begins below."""
    text = req.get_param("cursor")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _invalid("cursor", "is not one that a list gave")
    return int(text)


def order_cursor(accepted_at: datetime, order_id: UUID) -> str:
    """Return the cursor behind an order of a list."""
    raw = f"{accepted_at.isoformat()} {order_id}".encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def order_cursor_of(req: Request) -> tuple[datetime, UUID] | None:
    """Return the place in the list of orders that a page begins behind."""
    text = req.get_param("cursor")
    if text is None:
        return None
    try:
        at, _, order_id = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition(" ")
        return datetime.fromisoformat(at), UUID(order_id)
    except (ValueError, binascii.Error) as error:
        raise _invalid("cursor", "is not one that a list gave") from error


def _invalid(field: str, problem: str) -> InvalidError:
    return InvalidError.naming([(field, problem)])
