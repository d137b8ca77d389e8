"""A room: what a sale wants of it, and what its store says of it now. Owns both types; never does I/O.

Postgres is the truth of `RoomConfig`, the room's store of the rest of `RoomState`. A state is read as a whole by one
`tick` and may be served for a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from typing import Any

from doorbuster.errors import InvalidError
from waitingroom.polling import Paces, paces
from waitingroom.shuffle import place_of


class Mode(StrEnum):
    """When an order needs an admission."""

    OFF = "off"
    SAFETY_NET = "safety_net"
    """Only while the net is on: see `RoomState.needs_admission`."""
    ALWAYS = "always"


class Phase(StrEnum):
    """What a room does now. Ops set open, hold, drain and closed; the window makes the rest of it."""

    CLOSED = "closed"
    """Before the lobby: nobody joins."""
    LOBBY = "lobby"
    """Before the start: visitors join, nobody is let in; at the start the lobby is shuffled."""
    OPEN = "open"
    HOLD = "hold"
    """Ops stopped the outflow: visitors join and keep their places; no grace and no bucket runs."""
    DRAIN = "drain"
    """Nobody joins or is let in any more; who has an admission may use it as far as the sale takes orders."""
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomConfig:
    """What a sale wants of its room. Times in Unix milliseconds; 0: none."""

    sale_number: int
    version: int
    """The sale's row version: an older configuration never replaces a newer one."""
    mode: Mode = Mode.ALWAYS
    phase: str = "open"
    """As ops set it: open, hold, drain or closed."""
    opens_ms: int = 0
    lobby_opens_ms: int = 0
    """Start of registration; 0: no lobby, hence no shuffle."""
    closes_ms: int = 0
    rate_per_s: float = 10.0
    """The operator's cap; admissions in any window of w seconds never exceed burst + rate x w, nor rate x (w + 1)
    where a burst below a second's rate is owed what stalls spilt."""
    burst: int = 10
    max_active: int = 0
    """Most admissions out at once; 0: no cap."""
    grace_ms: int = 300_000
    """How long a released place waits for its claim."""
    admission_ms: int = 600_000
    orders_allowed: int = 1
    epoch: int = 1
    one_per_customer: bool = False
    waiting_max: int = 5_000_000
    """Most visitors waiting; bounds the store's memory."""
    commitment: str = ""
    """SHA-256 of the shuffle's secret, in hexadecimal digits."""
    beacon: str = ""
    """Public value in the seed; taken until the cohort is fixed."""
    message: str = ""
    changes: tuple[PlannedChange, ...] = ()
    """What the sale's plan makes of this, in time order; the store takes each over by its own clock."""

    def __post_init__(self) -> None:
        """Check the bounds.

        Raises:
            InvalidError: a value is out of bounds; each is named.
        """
        least = {
            "sale_number": 1, "version": 0, "opens_ms": 0, "lobby_opens_ms": 0, "closes_ms": 0, "rate_per_s": 0,
            "burst": 1, "max_active": 0, "grace_ms": 1_000, "admission_ms": 1_000, "orders_allowed": 1, "epoch": 1,
            "waiting_max": 1,
        }  # fmt: skip
        wrong = [(name, f"must be at least {bound}") for name, bound in least.items() if getattr(self, name) < bound]
        if self.phase not in ("open", "hold", "drain", "closed"):
            wrong.append(("phase", "must be open, hold, drain or closed"))
        if wrong:
            raise InvalidError("the room's configuration is out of bounds", wrong)

    @property
    def tick_s(self) -> float:
        """How often to tick: a bucket that fills between two ticks would lose what it earns."""
        return min(1.0, max(0.05, self.burst / (2 * self.rate_per_s))) if self.rate_per_s else 1.0

    def at(self, now_ms: int) -> RoomConfig:
        """Return what holds at a moment of the store's clock; the scripts take changes over the same way."""
        return next((one.config for one in reversed(self.changes) if one.at_ms <= now_ms), self)

    def as_fields(self) -> list[str]:
        """Return name, value, name, value ... as the store keeps them."""
        before, changes = self._texts(), []
        flat = [text for pair in before.items() for text in pair]
        for one in self.changes:
            after = one.config._texts()
            changes.append((str(one.at_ms), {name: text for name, text in after.items() if text != before[name]}))
            before = after
        next_ms = changes[0][0] if changes else "0"
        return [*flat, "next_ms", next_ms, "changes", json.dumps(changes) if changes else ""]

    def _texts(self) -> dict[str, str]:
        values = {name: getattr(self, name) for name in _kinds()}
        return {name: str(int(value)) if isinstance(value, bool) else str(value) for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What holds from a moment of the store's clock on, Unix milliseconds."""

    at_ms: int
    config: RoomConfig


@cache
def _kinds() -> dict[str, str]:
    """Return the fields that the store keeps one by one, with their types."""
    aside = ("sale_number", "changes")
    return {field.name: str(field.type) for field in fields(RoomConfig) if field.name not in aside}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Lifecycle events since the room was made."""

    joined: int = 0
    admitted: int = 0
    bypassed: int = 0
    """Of the admitted, those that came by access code."""
    lapsed: int = 0
    """Released places that nobody claimed within the grace."""
    left: int = 0
    ordered: int = 0
    """Slots given back by orders."""
    expired: int = 0
    """Admissions that ran out with their slot still held."""
    throttled: int = 0
    """Claims and bypasses told to ask again in a moment, because the cap was reached."""
    waiting_s: float = 0.0
    """Visitor-seconds waited from the start on. Over `joined`: the mean time to release (Little's law)."""
    pending_s: float = 0.0
    """Visitor-seconds from release to claim. Over `admitted` and `lapsed`: the mean."""
    active_s: float = 0.0
    """Visitor-seconds from claim to the slot's return. Over `admitted`: the mean time to the order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomState:
    """What the room's store said at `now_ms`."""

    config: RoomConfig
    now_ms: int
    """The store's clock."""
    phase: Phase
    tail: int
    """Last ticket number."""
    frontier: int
    """Last place released."""
    waiting: int
    active: int
    """Admissions out: claimed, not given back, not run out."""
    pending: int
    """Places released, neither claimed nor lapsed."""
    tokens: float
    """What the frontier could still spend."""
    cohort: int | None
    """Size of the shuffled lobby; None before the start."""
    seed: bytes
    """Of the shuffle; empty before it, and for good when there was no lobby."""
    rate_now: float | None
    """The controller's rate; None: it has not spoken."""
    pace_per_s: float
    """Measured: how fast the frontier moves while people wait."""
    pace_samples: float
    """How many places that measuring remembers."""
    net: bool
    """Safety-net mode: whether it is on."""
    sold_out: bool
    sold_out_products: tuple[str, ...]
    counts: Counts
    decision: str = ""
    """Why `rate_now` is what it is, see `waitingroom.outflow.Decision`."""

    @property
    def shuffling(self) -> bool:
        """Whether the cohort is fixed and its seed not yet set: `Room.open_lobby` is due."""
        return self.config.lobby_opens_ms > 0 and self.cohort is not None and not self.seed

    @property
    def needs_admission(self) -> bool:
        """Whether an order needs an admission now."""
        return self.config.mode is Mode.ALWAYS or (self.config.mode is Mode.SAFETY_NET and self.net)

    @property
    def rate_per_s(self) -> float:
        """The rate that is set now: the operator's cap, or the controller's under it."""
        return self.config.rate_per_s if self.rate_now is None else min(self.config.rate_per_s, self.rate_now)

    @property
    def paces(self) -> Paces:
        """Between which bounds the frontier goes on."""
        return paces(self.pace_per_s, self.rate_per_s, self.pace_samples)

    @property
    def places_known(self) -> bool:
        """Whether numbers have places yet."""
        return self.cohort is not None and not self.shuffling

    def place(self, number: int) -> int | None:
        """Return the place of a ticket's number; None before the shuffle."""
        return place_of(number, self.cohort or 0, self.seed) if self.places_known else None

    def position(self, number: int) -> int | None:
        """Return how many places a number is behind the frontier (0: released); None before the shuffle."""
        place = self.place(number)
        return None if place is None else max(place - self.frontier, 0)


def effective_phase(config: RoomConfig, now_ms: int) -> Phase:
    """Return what a room does at a moment of the store's clock; the scripts decide the same way."""
    config = config.at(now_ms)
    if config.phase == "closed" or (config.closes_ms and now_ms >= config.closes_ms):
        return Phase.OVER
    if config.phase == "drain":
        return Phase.DRAIN
    if now_ms < config.opens_ms and not (config.lobby_opens_ms and now_ms >= config.lobby_opens_ms):
        return Phase.CLOSED
    if config.phase == "hold":
        return Phase.HOLD
    return Phase.LOBBY if now_ms < config.opens_ms else Phase.OPEN


def state_from(sale_number: int, reply: list[Any]) -> RoomState:
    """Read what the tick script returns: names and values in turn."""
    raw: dict[str, str] = {}
    seed = b""
    for name, value in zip(reply[::2], reply[1::2], strict=True):
        if name == b"seed":
            seed = value
        elif name not in (b"config", b"running"):  # the packed form of what else stands here
            raw[name.decode()] = value.decode() if isinstance(value, bytes) else str(value)
    return RoomState(
        config=_config_from(sale_number, raw),
        now_ms=int(raw["now_ms"]),
        phase=Phase(raw["effective"]),
        tail=_whole(raw, "tail"),
        frontier=_whole(raw, "frontier"),
        waiting=_whole(raw, "tail") - _whole(raw, "frontier") - _whole(raw, "gone_ahead"),
        active=_whole(raw, "active"),
        pending=_whole(raw, "pending"),
        tokens=float(raw.get("tokens") or 0),
        cohort=_whole(raw, "cohort") if _whole(raw, "cohort_fixed") else None,
        seed=seed,
        rate_now=float(raw["rate_now"]) if _whole(raw, "has_rate_now") else None,
        pace_per_s=float(raw.get("pace") or 0),
        pace_samples=float(raw.get("pace_samples") or 0),
        net=raw.get("net") == "1",
        sold_out=raw.get("sold_out") == "1",
        sold_out_products=tuple(filter(None, raw.get("sold_out_products", "").split("\n"))),
        counts=_counts_from(raw),
        decision=raw.get("decision", ""),
    )


def _whole(raw: dict[str, str], name: str) -> int:
    return int(float(raw.get(name) or 0))


def _counts_from(raw: dict[str, str]) -> Counts:
    return Counts(**{field.name: _READ[str(field.type)](raw.get(field.name) or "0") for field in fields(Counts)})


_READ: dict[str, Callable[[str], Any]] = {
    "int": int, "float": float, "str": str, "bool": lambda text: text == "1", "Mode": Mode,
}  # fmt: skip


def _config_from(sale_number: int, raw: dict[str, str]) -> RoomConfig:
    values = {name: _READ[kind](raw[name]) for name, kind in _kinds().items() if name in raw}
    return RoomConfig(sale_number=sale_number, **values)
