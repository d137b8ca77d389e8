"""What is simulated: rooms and the crowds before them. Owns the scenarios of the report; decides nothing of a room."""

from __future__ import annotations

from dataclasses import dataclass, replace

from waitingroom.room import RoomConfig

SALE = 1
START_MS = 1_800_000_000_000
LOBBY_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A crowd before a room. Times in virtual seconds from the start of the sale."""

    name: str
    about: str
    registered: int
    """Visitors that join in the lobby, in its last minute before the start."""
    latecomers: int
    """Visitors that join evenly over `late_s` after the start."""
    late_s: int
    rate_per_s: float
    burst: int
    ends_s: int
    max_active: int = 0
    grace_s: int = 20
    admission_s: int = 120
    no_show: float = 0.0
    """Share of visitors that never claim."""
    leaving: float = 0.0
    """Share of visitors that give their place up while they wait."""
    bots: int = 0
    """Visitors that join `bot_joins` times."""
    bot_joins: int = 50
    order_s: float = 30.0
    """Median time from admission to order."""
    never_order: float = 0.1
    """Share of the admitted whose slot comes back by expiry alone."""
    pause_at_s: int = 0
    """The store stands still from here for a minute; 0: never."""
    kill_at_s: int = 0
    """The store is killed here and started again on its data; 0: never."""
    slow_at_s: int = 0
    """The controller halves the rate from here for a minute; 0: never."""
    step_ms: int = 100

    def config(self) -> RoomConfig:
        """Return the room's configuration."""
        return RoomConfig(
            sale_number=SALE,
            version=1,
            opens_ms=START_MS,
            lobby_opens_ms=START_MS - LOBBY_S * 1000,
            rate_per_s=self.rate_per_s,
            burst=self.burst,
            max_active=self.max_active,
            grace_ms=self.grace_s * 1000,
            admission_ms=self.admission_s * 1000,
        )

    def scaled(self, factor: float) -> Scenario:
        """Return a smaller or larger crowd before the same room, and a time that fits."""
        return replace(
            self,
            registered=int(self.registered * factor),
            latecomers=int(self.latecomers * factor),
            bots=int(self.bots * factor),
        )


SCENARIOS = (
    Scenario(
        name="rate",
        about="the rate is the cap; no-shows, leavers and bots",
        registered=10_000, latecomers=10_000, late_s=200, rate_per_s=50, burst=50, ends_s=600,
        no_show=0.25, leaving=0.1, bots=200,
    ),
    Scenario(
        name="slots",
        about="concurrent admissions are the cap; some never order",
        registered=3_000, latecomers=3_000, late_s=300, rate_per_s=50, burst=50, ends_s=900, max_active=400,
        no_show=0.1,
    ),
    Scenario(
        name="outages",
        about="the store stands still for a minute, is killed and started again, and the controller halves the rate",
        registered=10_000, latecomers=2_000, late_s=100, rate_per_s=40, burst=40, ends_s=600, no_show=0.2,
        pause_at_s=60, kill_at_s=180, slow_at_s=240,
    ),
    Scenario(
        name="million",
        about="a million registrants, shuffled at the start",
        registered=1_000_000, latecomers=20_000, late_s=60, rate_per_s=5_000, burst=5_000, ends_s=320, no_show=0.2,
        order_s=20, admission_s=60,
    ),
)  # fmt: skip
