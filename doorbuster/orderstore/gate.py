"""The gate of a partition: whether the order store takes orders for it now. Owns its shape and how it is published.

Postgres is the truth of a sale, the gate its copy beside the stream, so that the accept script decides on one clock.
Published after each change, by the intake when a gate is missing, and every second by the scheduler.
Never read to decide anything outside the order store's scripts. Each verb touches the slot of one partition: `gate`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from doorbuster import keys
from doorbuster.lua_script import Script
from doorbuster.values.timeline import follows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from redis.asyncio import Redis

    from doorbuster.values.timeline import PlanEntry

_publish = Script.beside(__file__, "publish_gate")


@dataclass(frozen=True, slots=True)
class Gate:
    """What a partition's gate is to say."""

    sale_number: int
    partition: int
    version: int
    phase: str
    opens_ms: int
    closes_ms: int
    """0: no end."""
    epoch: int
    """Of the sale's room: admissions of an earlier one are revoked."""
    changes: tuple[tuple[int, str], ...] = ()
    """To which phases the sale's plan takes it, in time order: Unix milliseconds and the phase."""


class GatedSale(Protocol):
    """What a gate is made of: a sale as Postgres had it at `read_at`, by the database's clock."""

    @property
    def sale_number(self) -> int:
        """Of the sale."""

    @property
    def version(self) -> int:
        """Which state of its row this is."""

    @property
    def base_phase(self) -> str:
        """As ops set it, before what of the plan is to come."""

    @property
    def to_come(self) -> Sequence[PlanEntry]:
        """What of the plan applies on top, each entry from its moment on."""

    @property
    def starts_at(self) -> datetime:
        """When its window opens."""

    @property
    def ends_at(self) -> datetime | None:
        """When it closes; None: never."""

    @property
    def read_at(self) -> datetime:
        """When the row was read."""

    @property
    def room_epoch(self) -> int:
        """Of its room."""


def gate_of(sale: GatedSale, partition: int) -> Gate:
    """Return what a partition's gate is to say."""
    return Gate(
        sale_number=sale.sale_number,
        partition=partition,
        version=sale.version,
        phase=sale.base_phase,
        opens_ms=opens_ms(sale.starts_at, sale.read_at),
        closes_ms=unix_ms(sale.ends_at),
        epoch=sale.room_epoch,
        changes=tuple((unix_ms(one.at), one.phase) for one in sale.to_come if one.phase is not None),
    )


def phase_at(gate: Gate, now_ms: float) -> str:
    """Return the phase at a moment; the accept script decides the same way."""
    phase = gate.phase
    for at_ms, named in gate.changes:
        if at_ms <= now_ms and follows(phase, named):
            phase = named
    return phase


def unix_ms(at: datetime | None) -> int:
    """Return Unix milliseconds, 0 for None alone."""
    return 0 if at is None else max(1, int(at.timestamp() * 1000))


def opens_ms(starts_at: datetime, read_at: datetime) -> int:
    """Return when a window opens, by the database's clock at `read_at`: one that has begun is 0.

    Whatever the order store's and the room store's clocks say, it stays open then.
    """
    return 0 if starts_at <= read_at else unix_ms(starts_at)


COUNTED = ("accepted", "drained", "accepted_bytes", "drained_bytes", "bytes_at")
"""Fields of a gate that say how large its backlog is."""


def backlog_of(counted: Sequence[bytes | None]) -> tuple[int, int]:
    """Return a backlog's entries and their bytes from those fields; 0 bytes while a drain tells none."""
    accepted, drained, accepted_bytes, drained_bytes, bytes_at = (int(count or 0) for count in counted)
    held = accepted_bytes - drained_bytes if bytes_at == drained else 0
    return max(accepted - drained, 0), max(held, 0)


async def publish_each(redis: Redis, gates: Iterable[Gate]) -> None:
    """Set several gates; of several servers one that is away keeps none from the others. Safe to repeat.

    Raises:
        RedisError, OSError, TimeoutError: of the first that could not be set, when all were tried.
    """
    done = await asyncio.gather(*(publish(redis, gate) for gate in gates), return_exceptions=True)
    for failure in done:
        if isinstance(failure, BaseException):
            raise failure


async def publish(redis: Redis, gate: Gate) -> bool:
    """Set the gate unless a newer version stands; say whether it was set. Safe to repeat."""
    name = keys.gate(gate.sale_number, gate.partition)
    terms = (gate.version, gate.phase, gate.opens_ms, gate.closes_ms, gate.epoch)
    changes = ",".join(f"{at_ms}:{phase}" for at_ms, phase in gate.changes)
    return bool(await _publish.run(redis, [name], *terms, changes))
