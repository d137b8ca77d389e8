"""What each part of the way takes: microseconds of processor, seconds of disk. Owns the figures; measures nothing.

`costs.json` beside it are those of one machine, by `make simulate ARGS=calibrate`; anybody may measure their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

REFERENCE = Path(__file__).with_name("costs.json")
"""Of the machine that docs/scaling.md names."""


class Company(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many times as much processor a part takes where all parts share the cores as where it has one to itself.

    A process that comes back to a core finds caches and address translations of others, and the kernel switches between
    more of them. Measured by part, with everything at work; see measured/company.py. 1: not measured.
    """

    intake: float = 1.0
    store: float = 1.0
    drain: float = 1.0
    drain_pg: float = 1.0
    relay: float = 1.0
    relay_pg: float = 1.0
    pg_rest: float = 1.0
    generator: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"company.{name} is {getattr(self, name)}: a factor is a number above 0")


class Work(NamedTuple):
    """What was done in a time: what costs are reckoned by."""

    accepted: float
    calls: float
    """Of the accept script."""
    drained: float
    batches: float
    tellings: float
    """Batches of the relay."""


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
    company: Company = Company()
    about: dict[str, str] = {}
    """Where, when and how they were measured."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name not in ("about", "company") and not 0 <= value < float("inf"):
                raise ValueError(f"{name} is {value}: a cost is a number of at least 0")

    def of(self, work: Work) -> dict[str, float]:
        """Return the seconds of processor that some work takes by part, each with a core to itself."""
        accepted, calls, drained, batches, tellings = work
        us = {
            "intake": accepted * self.intake_order_us + calls * self.intake_call_us,
            "store": accepted * self.store_order_us + calls * self.store_call_us
            + drained * self.store_after_order_us + batches * self.store_after_batch_us,
            "drain": drained * self.drain_order_us + batches * self.drain_batch_us,
            "drain_pg": drained * self.drain_pg_order_us + batches * self.drain_pg_batch_us,
            "relay": drained * self.relay_order_us + tellings * self.relay_batch_us,
            "relay_pg": drained * self.relay_pg_order_us + tellings * self.relay_pg_batch_us,
            "pg_rest": drained * self.pg_rest_order_us,
            "generator": accepted * self.generator_order_us,
        }  # fmt: skip
        return {part: microseconds / 1e6 for part, microseconds in us.items()}

    def in_company(self) -> Costs:
        """Return what the parts take where all of them share the cores."""
        dearer = {
            name: getattr(self, name) * getattr(self.company, part)
            for part, names in _PARTS.items()
            for name in names
        }  # fmt: skip
        return msgspec.structs.replace(self, **dearer, company=Company())


_PARTS = {
    "intake": ("intake_order_us", "intake_call_us"),
    "store": ("store_order_us", "store_call_us", "store_after_order_us", "store_after_batch_us"),
    "drain": ("drain_order_us", "drain_batch_us"),
    "drain_pg": ("drain_pg_order_us", "drain_pg_batch_us"),
    "relay": ("relay_order_us", "relay_batch_us"),
    "relay_pg": ("relay_pg_order_us", "relay_pg_batch_us"),
    "pg_rest": ("pg_rest_order_us",),
    "generator": ("generator_order_us",),
}


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
