"""The scenes of a Locust run: which people come when, to which sale. Owns their make-up; starts nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec

from doorbuster.contract.room import RoomRequest
from loadtests.generate.shapes import Shape, herd, recorded, spike
from loadtests.scene.stage import NO_ROOM

RECORDED = Path("../shared/data/wc98_spike_1998-05-12.csv")
CALM_S = 4.0
NAMES = ("spike", "real", "herd", "refresh", "bots", "retry")


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """A scene."""

    name: str
    what: str
    shape: Shape
    kinds: dict[str, float] = msgspec.field(default_factory=lambda: {"shopper": 1.0})
    room: RoomRequest = NO_ROOM
    stock: int = 1_000
    """Units of every product, half of it of the hot one."""
    opens_s: float | None = None
    """Second of the shape at which the sale starts; its lobby is open before. None: it is open all along."""
    seconds_each: float = 1.0
    """How long a person is busy, about."""

    @property
    def has_room(self) -> bool:
        """Whether people wait in a room."""
        return self.room.mode == "always"


def storm(name: str, *, base: float = 6.0, peak: float = 300.0, seconds: float = 40.0, csv: Path = RECORDED) -> Storm:
    """Return a scene by its name.

    Raises:
        FileNotFoundError: the recorded spike is not there.
        ValueError: there is no scene of that name, or the recorded spike is none.

    """
    if name == "real":
        shape = recorded(csv, peak=peak, seconds=seconds)
        return Storm(name=name, what=f"a recorded spike, {csv.name}", shape=shape)
    people = peak * 2
    quick = spike(base=base, rise_s=3.0, peak_s=10.0)
    scenes = {
        "spike": Storm(name="spike", what="fifty times as many within three seconds", shape=quick),
        "herd": Storm(
            name="herd", what="everybody at the opening", shape=herd(people=people, calm_s=CALM_S),
            room=_room(people / 10), opens_s=CALM_S, seconds_each=12.0,
        ),
        "refresh": Storm(
            name="refresh", what="most reload the pages before they order", shape=spike(base=base / 4, rise_s=3.0),
            kinds={"reloading": 0.8, "shopper": 0.2}, room=_room(peak / 3), seconds_each=6.0,
        ),
        "bots": Storm(
            name="bots", what="bots beside shoppers who wait for their turn", shape=spike(base=base / 2, rise_s=3.0),
            kinds={"bot": 0.5, "shopper": 0.5}, room=_room(peak / 3), seconds_each=4.0,
        ),
        "retry": Storm(
            name="retry", what="most send again at once whatever they hear", shape=spike(base=base / 2, rise_s=3.0),
            kinds={"insisting": 0.7, "shopper": 0.3}, seconds_each=2.0,
        ),
    }  # fmt: skip
    if name not in scenes:
        raise ValueError(f"there is no scene {name!r}: {', '.join(NAMES)}")
    return scenes[name]


def _room(rate_per_s: float) -> RoomRequest:
    burst = max(int(rate_per_s / 5), 1)
    return RoomRequest(mode="always", rate_per_s=rate_per_s, burst=burst, grace_s=30, admission_s=60)
