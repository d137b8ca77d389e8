"""What of a sale changes at which moment, by its plan. Owns how a plan is evaluated; pure, knows no clock.

A sale's row says its phase and its room as they were at one moment (`terms_at`): when ops last set either. What the
timeline names after that moment applies on top, entry by entry. So an act of ops holds until the next entry that names
the same, and whoever reads the row knows what is in force at any moment, without anybody having been there to apply it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

Phase = Literal["open", "hold", "drain", "closed"]


class PlanEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What changes at a moment."""

    at: datetime
    phase: Phase | None = None
    room: dict[str, Any] = {}
    """Fields of the room that change; null is the default again."""


Timeline = tuple[PlanEntry, ...]


def due(timeline: Sequence[PlanEntry], after: datetime | None, until: datetime | None) -> Timeline:
    """Return the entries after one moment, up to and with another; None: without end."""
    return tuple(one for one in timeline if (until is None or one.at <= until) and (after is None or one.at > after))


def closes_at(timeline: Sequence[PlanEntry], after: datetime | None) -> datetime | None:
    """Return when the plan closes the sale for good, None if it does not."""
    return next((one.at for one in due(timeline, after, None) if one.phase == "closed"), None)


def follows(phase: str, named: str) -> bool:
    """Say whether a plan may lead from a phase to another: it takes back neither the close nor the drain."""
    return phase != "closed" and (phase != "drain" or named == "closed")


def phase_after(phase: Phase, entries: Sequence[PlanEntry]) -> Phase:
    """Return the phase when these entries have applied."""
    for entry in entries:
        if entry.phase is not None and follows(phase, entry.phase):
            phase = entry.phase
    return phase


def room_after(room: Mapping[str, Any], entries: Sequence[PlanEntry]) -> dict[str, Any]:
    """Return the room when these entries have applied: null is the default again."""
    whole = dict(room)
    for entry in entries:
        whole |= entry.room
    return {name: value for name, value in whole.items() if value is not None}
