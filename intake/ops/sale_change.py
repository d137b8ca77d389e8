"""What a change of a sale comes to, held against the sale as it is: new values or a refusal. Owns that; pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from doorbuster.contract.night.schedule import PrewarmRequest
from doorbuster.contract.room import RoomChange
from doorbuster.errors import ConflictError, InvalidError
from intake.sales.plan import entries_of, prewarm_terms
from intake.sales.plan_check import PlannedWindow, check_past, check_timeline
from waitingroom.sale_config import lobby_opens_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from db.sales import Sale
    from doorbuster.contract.room import RoomTerms
    from doorbuster.contract.sales import SaleChange, SaleView


def kept_room(room: RoomTerms) -> dict[str, Any]:
    """Return a room as it is stored: what was given, nothing of what has its default."""
    fields: dict[str, Any] = msgspec.to_builtins(room)
    return {name: value for name, value in fields.items() if value is not None}


def check_lobby(starts_at: datetime, opens_at: datetime | None) -> None:
    """Check that a lobby opens before the start.

    Raises:
        InvalidError: it does not.
    """
    if opens_at is not None and opens_at >= starts_at:
        problem = "must be before starts_at: a lobby is where visitors wait for the start"
        raise InvalidError("the lobby opens after the start", [("room.lobby_opens_at", problem)])


def changes_of(sale: Sale, change: SaleChange, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new values of what a change names, but for products; `raw` is its body as sent.

    Raises:
        InvalidError: they do not fit together, or change what is past.
        ConflictError: it is too late for one.
    """
    given = msgspec.structs.asdict(change)
    changes = {name: value for name, value in given.items() if value is not UNSET and name not in _BY_HAND}
    _check_changed_lobby(sale, change)
    if change.prewarm is not UNSET or change.prewarm_lead_s is not UNSET:
        asked = PrewarmRequest() if change.prewarm is UNSET else change.prewarm
        lead_s, prewarm = prewarm_terms(asked, change.prewarm_lead_s, sale if asked else None)
        changes |= {"prewarm_lead_s": lead_s, "prewarm_given": prewarm}
    if isinstance(change.room, RoomChange):
        changes["room"] = _changed_room(sale, change.room, frozenset(raw["room"]))
    if change.timeline is not UNSET:
        changes["timeline"] = entries_of(change.timeline or [], raw["timeline"] or [])
        check_past(sale, changes["timeline"])
    if not changes.keys().isdisjoint(("timeline", "starts_at", "ends_at")):
        window = PlannedWindow(changes.get("starts_at", sale.starts_at), changes.get("ends_at", sale.ends_at))
        check_timeline(changes.get("timeline", sale.timeline), window, after=sale.read_at)
    return changes


_BY_HAND = ("prewarm", "prewarm_lead_s", "room", "timeline", "products")


def before(view: SaleView, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return how what a change names was: for the log, which has the body for how it is then."""
    was: dict[str, Any] = {name: value for name, value in msgspec.to_builtins(view).items() if name in raw}
    if "room" in was:
        was["room"] = {name: was["room"].get(name) for name in raw["room"]}
    return was


def _changed_room(sale: Sale, change: RoomChange, named: frozenset[str]) -> dict[str, Any]:
    """Return the sale's room with what the change names: null is the default again."""
    if change.beacon is not None and change.beacon != sale.room.get("beacon") and sale.starts_at <= sale.read_at:
        raise ConflictError("the sale has started: the beacon is in its shuffle already")
    return {name: value for name, value in sale.room.items() if name not in named} | kept_room(change)


def _check_changed_lobby(sale: Sale, change: SaleChange) -> None:
    """Refuse a lobby after the start where either is changed; a sale that ops opened early may have one."""
    named = change.room.lobby_opens_at if isinstance(change.room, RoomChange) else None
    if isinstance(change.starts_at, datetime):
        check_lobby(change.starts_at, named or lobby_opens_at(sale))
    elif named is not None:
        check_lobby(sale.starts_at, named)
