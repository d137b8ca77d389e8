"""From a sale to the configuration of its room. Owns that mapping and the defaults; pure, knows a sale by its shape.

The defaults here are the ones docs/waiting-room.md shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from doorbuster.orderstore.gate import opens_ms, unix_ms
from doorbuster.values.timeline import Phase, PlanEntry, phase_after, room_after
from waitingroom.room import Mode, PlannedChange, RoomConfig
from waitingroom.shuffle import commitment


class SaleShape(Protocol):
    """As much of a sale as a room asks for."""

    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def version(self) -> int: ...  # noqa: D102
    @property
    def base_phase(self) -> Phase: ...  # noqa: D102
    @property
    def to_come(self) -> Sequence[PlanEntry]: ...  # noqa: D102
    @property
    def starts_at(self) -> datetime: ...  # noqa: D102
    @property
    def ends_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def read_at(self) -> datetime: ...  # noqa: D102
    @property
    def room(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def base_room(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def room_secret(self) -> bytes: ...  # noqa: D102
    @property
    def room_epoch(self) -> int: ...  # noqa: D102


_SAME = ("rate_per_s", "burst", "max_active", "orders_allowed", "waiting_max", "one_per_customer", "beacon", "message")
_MODES = {str(mode): mode for mode in Mode}
_SECONDS = {"grace_s": "grace_ms", "admission_s": "admission_ms"}


def mode_of(sale: SaleShape) -> Mode:
    """Return when an order of the sale needs an admission, at the moment of its reading."""
    return _MODES[sale.room.get("mode", "off")]


def room_config(sale: SaleShape) -> RoomConfig:
    """Return the configuration of the sale's room, with what its plan makes of it.

    Raises:
        InvalidError: a value is out of bounds.
    """
    given, phase = room_after(sale.base_room, ()), sale.base_phase
    base, changes = _with(sale, given, phase), []
    for entry in sale.to_come:
        given, phase = room_after(given, (entry,)), phase_after(phase, (entry,))
        changes.append(PlannedChange(unix_ms(entry.at), _with(sale, given, phase)))
    return replace(base, changes=tuple(changes)) if changes else base


def _with(sale: SaleShape, given: Mapping[str, Any], phase: Phase) -> RoomConfig:
    """Return the configuration of a room as given, in a phase."""
    terms: dict[str, Any] = {name: given[name] for name in _SAME if name in given}
    terms |= {to: int(given[name] * 1000) for name, to in _SECONDS.items() if name in given}
    if "rate_per_s" in terms and "burst" not in terms:
        terms["burst"] = max(1, round(terms["rate_per_s"]))
    return RoomConfig(
        sale_number=sale.number,
        version=sale.version,
        mode=_MODES[given.get("mode", "off")],
        phase=phase,
        opens_ms=opens_ms(sale.starts_at, sale.read_at),
        lobby_opens_ms=unix_ms(lobby_opens_at(sale)),
        closes_ms=unix_ms(sale.ends_at),
        epoch=sale.room_epoch,
        commitment=commitment(sale.room_secret),
        **terms,
    )


def lobby_opens_at(sale: SaleShape) -> datetime | None:
    """Return from when visitors of the sale register, None if it has no lobby."""
    value: str | datetime | None = sale.base_room.get("lobby_opens_at")
    return datetime.fromisoformat(value) if isinstance(value, str) else value
