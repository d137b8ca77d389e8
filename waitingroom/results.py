"""What the verbs of a room answer: values, since every one of them happens all day. Owns types alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from waitingroom.admissions import Admission
from waitingroom.tickets import Ticket


class No(StrEnum):
    """Why a verb does nothing; each says what the visitor should do."""

    CLOSED = "closed"
    """The lobby is not open yet: come back at its opening."""
    OVER = "over"
    """The sale is over or draining: go."""
    SOLD_OUT = "sold_out"
    """Nothing is left: go."""
    CONFLICT = "conflict"
    """The visitor id, or the customer, has a place under another secret or customer: show that one's ticket."""
    FULL = "full"
    """As many wait as the room takes: try again later."""
    UNKNOWN = "unknown"
    """The store knows no such place (superseded, or lost with the store): join again."""
    LAPSED = "lapsed"
    """The place was released and nobody claimed it within the grace: join again."""
    LEFT = "left"
    """The visitor left: join again."""
    FINISHED = "finished"
    """The admission ran out or its order was placed: join again."""
    REVOKED = "revoked"
    """The admission's wave was revoked: join again."""
    QUOTA = "quota"
    """The access code has no admissions left: wait like the others."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The visitor has a place; again gives the same one."""

    ticket: Ticket
    again: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet. `position` 0: released, but the cap asks for a moment of patience; None: not known yet (lobby)."""

    position: int | None
    pace_per_s: float
    retry_after_s: float | None = None
    """When the store says when; else by the poll policy."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The visitor is in; again, within its life, gives the same admission."""

    admission: Admission
    again: bool


@dataclass(frozen=True, slots=True)
class Holding:
    """The visitor has, or had, an admission: it has to end where orders are accepted before its slot comes back."""

    admission: Admission


@dataclass(frozen=True, slots=True)
class Left:
    """The place or slot is given back; `held` says which of them there was: place, slot, or none."""

    held: str
