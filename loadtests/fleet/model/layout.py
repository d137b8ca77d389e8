"""What is simulated: how many of each part, the load, and what fails when. Owns bounds; simulates nothing."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

PARTITIONS_MAX = 64
Count = Annotated[int, Meta(ge=1, le=1_000)]
Seconds = Annotated[float, Meta(ge=0, le=3_600)]


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet. By default every part has machines of its own."""

    partitions: Annotated[int, Meta(ge=1, le=PARTITIONS_MAX)] = 1
    intakes: Count = 1
    """Processes, a core each."""
    nodes: Count = 1
    """Primaries of the order store; partitions are dealt out to them by turns."""
    replicas: Annotated[int, Meta(ge=0, le=5)] = 0
    """`DURABILITY=replicas:N`: each call also waits for them; 0: the store's own sync is enough."""
    workers: Count = 4
    """Processes, one shift at a time each."""
    worker_cores: Count = 4
    postgres_cores: Count = 4
    together: Annotated[int, Meta(ge=0, le=1_000)] = 0
    """Cores of one machine that has everything, the load generator too; 0: every part has its own."""
    shared_stock: bool = True
    """Whether all partitions sell the same products: a batch locks them until its commit."""
    network_s: Annotated[float, Meta(ge=0, le=1)] = 0.000_1
    """From machine to machine, one way; nothing where all is together."""
    provider_s: Annotated[float, Meta(ge=0, le=60)] = 0.0
    """How long a payment takes; 0: it is answered at once, and the drain confirms."""
    settle_concurrency: Annotated[int, Meta(ge=1, le=5_000)] = 500
    batch_max: Annotated[int, Meta(ge=1, le=2_000)] = 256
    drain_batch_max: Annotated[int, Meta(ge=1, le=5_000)] = 2_000
    backlog_max: Annotated[int, Meta(ge=1, le=50_000_000)] = 500_000
    """Orders that may wait in a partition; more are refused, and come again."""
    lease_s: Annotated[float, Meta(ge=1, le=60)] = 4.0

    def __post_init__(self) -> None:
        if self.nodes > self.partitions:
            raise ValueError(f"{self.nodes} nodes have only {self.partitions} partitions to hold")


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Who orders: `clients` that wait for their answers, or orders at a rate, perhaps through a waiting room."""

    seconds: Seconds
    clients: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    rate_per_s: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    room_per_s: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    """The room's rate, of those who come at `rate_per_s`; 0: there is no room."""

    def __post_init__(self) -> None:
        if bool(self.clients) == bool(self.rate_per_s):
            raise ValueError("a load has clients that wait for their answers, or a rate")


Kind = Literal["node", "intake", "workers", "postgres", "standstill"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What goes away: the first node of the order store, the first intake, half of the workers, or Postgres.

    In a standstill nothing goes away, but no shift takes a step.
    """

    kind: Kind
    at_s: Seconds
    for_s: Seconds
    """Until it, or what takes over from it, is there."""
