"""What each part of the way takes: microseconds of processor, seconds of disk. Owns the figures; measures nothing.

`costs.json` beside it are those of one machine, by `make simulate ARGS=calibrate`; anybody may measure their own.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

REFERENCE = Path(__file__).with_name("costs.json")
"""Of the machine that docs/scaling.md names."""


class Costs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Service times of one machine's cores; `_us` are microseconds of processor, `_s` seconds that nobody computes."""

    intake_order_us: float
    """Taking an order, checking it, answering it."""
    intake_call_us: float
    """A call of the accept script: packing, sending, reading, timers; shared by the orders of a batch."""
    store_order_us: float
    """The accept script, an order."""
    store_call_us: float
    """The same, a call."""
    store_after_order_us: float
    """What the drain and the relay ask of the order store for an order: reading, publishing, trimming, the event."""
    store_after_batch_us: float
    """The same for a batch."""
    fsync_s: float
    """A sync of the order store's log."""
    drain_order_us: float
    drain_batch_us: float
    drain_overlap: float
    """Share of the drain's own time in which Postgres is at work, too."""
    drain_pg_order_us: float
    """The drain's session, an order."""
    drain_pg_batch_us: float
    relay_order_us: float
    """An order's events in the relay."""
    relay_batch_us: float
    relay_pg_order_us: float
    relay_pg_batch_us: float
    pg_rest_order_us: float
    """What Postgres does beside the sessions: WAL writer, checkpointer, vacuum."""
    settle_order_us: float
    """A payment at a provider that takes its time: Python."""
    settle_pg_order_us: float
    commit_s: float
    """A flush of Postgres' write-ahead log."""
    wal_bytes_order: float
    wal_bytes_per_s: float
    generator_order_us: float
    """The load generator, where it is on the machine."""
    rest_cores: float
    """Cores' worth of time that all processes use while nothing is ordered."""
    join_intake_us: float
    """A visitor joins the room."""
    join_store_us: float
    status_us: float
    """The status document, asked of an intake process."""
    claim_us: float
    """Claiming an admission; half of it again is counted for the room's store in the table of sizes."""
    about: dict[str, str] = {}
    """Where, when and how they were measured."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name != "about" and not 0 <= value < float("inf"):
                raise ValueError(f"{name} is {value}: a cost is a number of at least 0")


def load(file: Path = REFERENCE) -> Costs:
    """Return the costs of a file.

    Raises:
        msgspec.MsgspecError: it is not one of costs.
    """
    return msgspec.json.decode(file.read_bytes(), type=Costs)


def save(costs: Costs, file: Path) -> None:
    """Write the costs to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(costs), indent=2) + b"\n")
