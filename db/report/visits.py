"""Waits, estimates and fairness of the room, from what it remembers of visits. Pure.

The types are the room's in form: this floor stands below it, so it names what it reads of them itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from db.report.ranks import DECIMALS, kendall_tau, median, spread
from doorbuster.contract.night.report import Estimates, Spread

# ruff: noqa: D102  what each says is told where it is made: waitingroom/records/visits.py


class TellsEstimate(Protocol):
    """What a visitor was told."""

    @property
    def eta_s(self) -> float | None: ...

    @property
    def range_s(self) -> tuple[float, float] | None: ...

    @property
    def look_s(self) -> float: ...


class TellsVisit(Protocol):
    """One place in the queue."""

    @property
    def place(self) -> int: ...

    @property
    def joined_ms(self) -> int | None: ...

    @property
    def told(self) -> TellsEstimate | None: ...

    @property
    def admitted_ms(self) -> int | None: ...

    @property
    def turn(self) -> int: ...

    @property
    def bypassed(self) -> bool: ...

    @property
    def ordered_ms(self) -> int | None: ...


class TellsCounts(Protocol):
    """What a room counted."""

    @property
    def joined(self) -> int: ...

    @property
    def admitted(self) -> int: ...

    @property
    def bypassed(self) -> int: ...

    @property
    def lapsed(self) -> int: ...

    @property
    def left(self) -> int: ...

    @property
    def ordered(self) -> int: ...

    @property
    def expired(self) -> int: ...

    @property
    def throttled(self) -> int: ...


class TellsRoom(Protocol):
    """What is known of a room's visits."""

    @property
    def counts(self) -> TellsCounts: ...

    @property
    def step(self) -> int: ...

    @property
    def visits(self) -> Sequence[TellsVisit]: ...


class RoomTimes(NamedTuple):
    """What the visits tell."""

    to_admission: Spread
    to_order: Spread
    estimates: Estimates
    tau: float | None
    """Place in line against the order of admission."""
    compared: int


def room_times(visits: Sequence[TellsVisit]) -> RoomTimes:
    """Return what these visits tell; who came by access code stood in no line."""
    queued = [one for one in visits if not one.bypassed and one.joined_ms is not None]
    turns = [one for one in visits if not one.bypassed and one.admitted_ms is not None]
    turns.sort(key=lambda one: one.turn)
    tau = kendall_tau([one.place for one in turns])
    return RoomTimes(
        to_admission=spread(_between(one.joined_ms, one.admitted_ms) for one in queued if one.admitted_ms is not None),
        to_order=spread(_between(one.joined_ms, one.ordered_ms) for one in queued if one.ordered_ms is not None),
        estimates=_estimates([one for one in queued if one.admitted_ms is not None]),
        tau=tau,
        compared=len(turns),
    )


def _estimates(admitted: Sequence[TellsVisit]) -> Estimates:
    differences: list[float] = []
    within = longer = shorter = 0
    for one in admitted:
        told = None if one.told is None else one.told.eta_s
        between = None if one.told is None else one.told.range_s
        if told is None or between is None:
            continue
        took = _between(one.joined_ms, one.admitted_ms)
        differences.append(took - told)
        at_most = between[1] + (0.0 if one.told is None else one.told.look_s)
        longer += took > at_most
        shorter += took < between[0]
        within += between[0] <= took <= at_most
    lean = median(differences)
    return Estimates(
        told=len(differences),
        not_told=len(admitted) - len(differences),
        within=within,
        longer=longer,
        shorter=shorter,
        error_s=spread(abs(one) for one in differences),
        lean_s=None if lean is None else round(lean, DECIMALS),
    )


def _between(began_ms: int | None, ended_ms: int | None) -> float:
    return ((ended_ms or 0) - (began_ms or 0)) / 1000
