"""Scaling of the processes of `doorbuster up` on this machine. Owns what is written to its supervisor, and its reading.

The supervisor is told by a file in a folder that it made for that, and says in another what it runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from doorbuster.embedded.data import wanted_scale
from workers.scaling.interface import ROLES, Counts, ScalingError, Unplanned


class LocalScaling(Unplanned):
    """Tells the supervisor of this machine."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def look(self) -> dict[str, Any]:
        """Return how many processes the supervisor runs."""
        try:
            return dict(wanted_scale.read_running(self._folder))
        except (OSError, ValueError) as error:
            raise ScalingError(f"the supervisor does not say what it runs: {error}") from error

    async def apply(self, before: Mapping[str, Any], wanted: Counts) -> None:
        """Write the counts; the supervisor takes them up within a second, without a wish what it was started with."""
        counts = {role: max(int(before.get(role, 0)), wanted[role]) for role in ROLES if role in wanted}
        over = {role: count for role, count in counts.items() if count > wanted_scale.MOST}
        try:
            wanted_scale.write_wanted(self._folder, {role: min(n, wanted_scale.MOST) for role, n in counts.items()})
        except OSError as error:
            raise ScalingError(f"the supervisor cannot be told: {error}") from error
        if over:
            raise ScalingError(f"one machine runs {wanted_scale.MOST} of a role at most, {over} are wanted")

    async def falls_short(self, wanted: Counts) -> bool:
        """Say whether the supervisor runs less: it may have been started anew."""
        running = await self.look()
        return any(running.get(role, 0) < count for role, count in wanted.items())

    async def close(self) -> None:
        """Close nothing."""
