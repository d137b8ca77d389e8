"""Which orders a list or an export is asked for. Owns how the parameters are read; finds no order."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from db.orders.states import Status
from doorbuster.contract.fields import EARLIEST, LATEST
from doorbuster.errors import InvalidError

if TYPE_CHECKING:
    from falcon.asgi import Request

EXAMPLE = "2026-03-01T10:00:00Z"
REASON_MAX = 200


def status_of(req: Request) -> Status | None:
    """Return the state that is asked for."""
    text = req.get_param("status")
    if text is None:
        return None
    try:
        return Status(text)
    except ValueError as error:
        raise InvalidError.naming([("status", f"must be one of {', '.join(Status)}")]) from error


def reason_of(req: Request) -> str | None:
    """Return the reason that is asked for."""
    text = req.get_param("reason")
    if text is not None and len(text) > REASON_MAX:
        raise InvalidError.naming([("reason", f"must have at most {REASON_MAX} characters")])
    return text


def moments_of(req: Request) -> tuple[datetime | None, datetime | None]:
    """Return from when and until before when orders were accepted that are asked for."""
    since, until = _moment(req, "from"), _moment(req, "to")
    if since is not None and until is not None and until <= since:
        raise InvalidError.naming([("to", "must be after from")])
    return since, until


def _moment(req: Request, name: str) -> datetime | None:
    text = req.get_param(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        hint = "; + is written as %2B in an address" if " " in text else ""
        raise InvalidError.naming([(name, f"is no time: write it like {EXAMPLE}{hint}")]) from error
    if found.tzinfo is None:
        raise InvalidError.naming([(name, f"has no time zone: write it like {EXAMPLE}")])
    if not EARLIEST <= found <= LATEST:
        raise InvalidError.naming([(name, f"must be from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}")])
    return found
