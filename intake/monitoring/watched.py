"""What is seen of stores, processes and promises at one look. Owns the shape; looks at nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from readiness.shift_costs import ShiftCost
    from waitingroom.room import RoomState


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesNow:
    """What sales have waiting; what was not read is left out."""

    backlog: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """Sale and partition -> orders accepted and not drained, bytes of their entries."""
    rooms: dict[str, RoomState] = field(default_factory=dict)
    """Sale -> its room."""
    failures: dict[str, int] = field(default_factory=dict)
    """Part of the scheduler -> failures that lie in the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What was seen at one look."""

    stores: dict[str, bool] = field(default_factory=dict)
    """Store -> whether it answers."""
    processes: dict[str, int] = field(default_factory=dict)
    """Role -> how many live, as the jobs store says."""
    durable: bool = True
    memory_ratio: float | None = None
    """Of the order store's memory, used; None: nothing bounds it, or it was not read yet."""
    dead_letters: dict[str, int] = field(default_factory=dict)
    """Kind -> how many wait for a person."""
    ledger_breaches: int | None = None
    store_losses: dict[str, int] = field(default_factory=dict)
    """What the order store lost within a day -> how many."""
    standby: int | None = None
    """Orders that stand by for units."""
    audit_breaches: dict[str, int] = field(default_factory=dict)
    """Promise -> breaches that the last audit found."""
    audit_age_s: float | None = None
    costs: dict[str, ShiftCost] = field(default_factory=dict)
    """Kind of shift -> what it did and took."""
    jobs_waiting: int | None = None
    """Shifts that wait for a worker."""
    no_go: dict[str, int] = field(default_factory=dict)
    """Sale -> how many checks of its last pre-warm said no-go."""
