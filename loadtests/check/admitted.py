"""Promise P7 held against what visitors of a room were given. Owns the arithmetic; reads no store and sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor

from doorbuster.contract.room import RoomRequest
from loadtests.scene.system import Figure
from loadtests.traffic.plan import Result


def figures(result: Result, room: RoomRequest, orders: int) -> list[Figure]:
    """Return the figures of P7; `orders` is what the database has of the sale, not what the answers said.

    Orders that ended without units do not count: their use of an admission comes back.
    """
    visits = result.visits
    assert visits is not None
    allowed = (room.orders_allowed or 1) * visits.admitted
    excess = most_over(visits.ends, room.rate_per_s or 0)
    burst = room.burst or 0
    return [
        Figure(
            "P7",
            f"admissions over {room.rate_per_s:g}/s x t, any window, at most {burst}",
            excess,
            _over(excess, burst),
        ),
        Figure(
            "P7", f"orders, of {allowed:,} that {visits.admitted:,} admissions allow", orders, _over(orders, allowed)
        ),
        Figure("P7", "orders accepted without an admission", visits.unadmitted, visits.unadmitted),
    ]


def most_over(ends: Mapping[str, int], rate_per_s: float) -> int:
    """Return by how much the admissions of the worst window exceed the rate times its length.

    Each admission ends a fixed time after it was given, by the room's clock, told in whole seconds: so many seconds
    hold admissions of as many seconds. The worst window is the maximum subarray (Kadane, 1977).
    """
    if not ends:
        return 0
    counts = {int(second): count for second, count in ends.items()}
    worst = running = 0.0
    for second in range(min(counts), max(counts) + 1):
        running = max(0.0, running + counts.get(second, 0) - rate_per_s)
        worst = max(worst, running)
    return floor(worst)


def _over(found: int, bound: int) -> int:
    return max(0, found - bound)
