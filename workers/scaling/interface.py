"""What an adapter of scaling does. Owns the interface and its failure; knows no platform."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

Counts = Mapping[str, int]
"""How many of a role there are to be: `intake`, `workers`; a role that is left out stays as it was."""
ROLES = ("intake", "workers")


class ScalingError(Exception):
    """A platform did not do what was asked of it; the text says what and why."""


class Adapter(Protocol):
    """Scales the intake and the workers of one platform; every call may be repeated."""

    name: str

    async def look(self) -> dict[str, Any]:
        """Return what it is now, in the form that `apply` takes as `before`.

        Raises:
            ScalingError: it cannot be asked.
        """

    async def apply(self, before: Mapping[str, Any], wanted: Counts) -> None:
        """Bring each role to what is wanted or to what it was before, whichever is more; without a wish, to before.

        Raises:
            ScalingError: it was not done, or not in full; what could be done was done.
        """

    async def falls_short(self, wanted: Counts) -> bool:
        """Say whether it is less than wanted, because somebody or something set it back.

        Raises:
            ScalingError: it cannot be asked.
        """

    async def plan(self, name: str, at: datetime, wanted: Counts) -> None:
        """Have the platform scale out at a time by itself; the same name again replaces the plan.

        Raises:
            ScalingError: it was not taken.
        """

    async def unplan(self, name: str) -> None:
        """Take a plan back; one that is gone is no fault.

        Raises:
            ScalingError: it may still be there.
        """

    async def close(self) -> None:
        """Close what is open."""


class NoScaling:
    """Starts nothing: whoever runs the processes does."""

    name = "none"

    async def look(self) -> dict[str, Any]:
        """Return nothing: nobody knows."""
        return {}

    async def apply(self, before: Mapping[str, Any], wanted: Counts) -> None:
        """Do nothing."""

    async def falls_short(self, wanted: Counts) -> bool:  # noqa: ARG002  an adapter's shape
        """Say no: the check of processes tells."""
        return False

    async def plan(self, name: str, at: datetime, wanted: Counts) -> None:
        """Do nothing."""

    async def unplan(self, name: str) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Close nothing."""


class Unplanned:
    """For adapters of platforms that are told at the time itself."""

    async def plan(self, name: str, at: datetime, wanted: Counts) -> None:
        """Do nothing."""

    async def unplan(self, name: str) -> None:
        """Do nothing."""
