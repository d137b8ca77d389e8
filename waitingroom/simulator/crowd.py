"""The crowd: who comes when and does what, drawn from a seed. Owns behaviour; never calls the store."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from dataclasses import dataclass, field

from waitingroom.simulator.scenario import LOBBY_S, START_MS, Scenario

REACTION_S = 1.2
"""A released visitor sees it at its next look at the status document: the shortest interval and its jitter."""
NEVER = -1


@dataclass(slots=True)
class Crowd:
    """Visitors by index, and what falls due in which step."""

    scenario: Scenario
    draw: random.Random
    digests: list[bytes] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    joined_ms: list[int] = field(default_factory=list)
    released_ms: list[int] = field(default_factory=list)
    admitted_ms: list[int] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    joins: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    claims: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    leaves: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    orders: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def step_of(self, at_ms: float) -> int:
        """Return the step a moment falls into, counted from the start of the sale."""
        return int((at_ms - START_MS) // self.scenario.step_ms)

    def released(self, who: int, now_ms: int) -> None:
        """Note that the frontier reached a visitor; it will claim, or not."""
        self.released_ms[who] = now_ms
        if who not in self.left and self.draw.random() >= self.scenario.no_show:
            self.claim_later(who, now_ms, self.draw.random() * REACTION_S)

    def claim_later(self, who: int, now_ms: int, after_s: float) -> None:
        """Let a visitor claim after a while."""
        self.claims[self.step_of(now_ms + after_s * 1000) + 1].append(who)

    def admitted(self, who: int, now_ms: int) -> None:
        """Note an admission; its order will come, or not."""
        self.admitted_ms[who] = now_ms
        if self.draw.random() >= self.scenario.never_order:
            after_s = self.draw.lognormvariate(0, 0.5) * self.scenario.order_s
            self.orders[self.step_of(now_ms + after_s * 1000) + 1].append(who)


def gather(scenario: Scenario, seed: int) -> Crowd:
    """Return the crowd of a scenario; the same seed gives the same one."""
    crowd = Crowd(scenario, random.Random(seed))  # noqa: S311 - a simulation must repeat
    draw = crowd.draw
    total = scenario.registered + scenario.latecomers
    crowd.digests = [hashlib.blake2b(who.to_bytes(8, "big"), digest_size=8).digest() for who in range(total)]
    for name in ("number", "place", "joined_ms", "released_ms", "admitted_ms"):
        setattr(crowd, name, [NEVER] * total)
    for who in range(total):
        late = who >= scenario.registered
        at_s = draw.random() * scenario.late_s if late else (draw.random() - 1) * LOBBY_S
        at_ms = START_MS + at_s * 1000
        crowd.joins[crowd.step_of(at_ms)].append(who)
        if draw.random() < scenario.leaving:
            crowd.leaves[crowd.step_of(at_ms + draw.random() * scenario.ends_s * 500) + 1].append(who)
    for _ in range(scenario.bots):
        who = draw.randrange(total)
        first = START_MS - LOBBY_S * 1000 if who < scenario.registered else START_MS
        for _ in range(scenario.bot_joins):
            crowd.joins[crowd.step_of(first + draw.random() * scenario.ends_s * 500)].append(who)
    return crowd
