"""What one run of the load generator is told and what it hands back. Owns the bounds; sends nothing itself."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Annotated

import msgspec
from msgspec import Meta

from loadtests.scene.loopback import target_of
from loadtests.traffic.samples import Samples

MAX_REQUESTS = 2_000_000
MAX_SECONDS = 900
MAX_CONNECTIONS = 2_048
MAX_TRIES = 10

Count = Annotated[int, Meta(ge=1, le=MAX_REQUESTS)]


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """What shoppers order: every order has one line, and some a second one of another product."""

    products: list[str]
    weights: list[float]
    second_line: float = 0.0
    """Share of orders with a second line."""
    tokens: dict[str, float] = {}
    """Payment tokens and the share of orders that carry each."""
    standby: float = 0.0
    """Share of orders that stand by for units when there are none."""
    people: bool = False
    """Whether orders say who is behind their customer, each somebody else."""
    path: str
    """Where orders are posted: the path of the request."""
    prefix: str
    """Begins each customer's id and idempotency key; another run has another."""
    seed: int = 1
    admissions: list[str] = []
    """Orders carry these by turns."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The way through a sale's waiting room, and who does not go it as they should."""

    base: str
    """Path of the room, `/sales/{sale}/room`."""
    no_shows: float = 0.0
    """Share of those let in that have gone by then."""
    gatecrashers: float = 0.0
    """Share of all that never join and order without an admission."""
    impatient: float = 0.0
    """Share of the accepted that send the same order once more."""
    customers: bool = False
    """Whether visitors name their customer when they join: the admission is then theirs alone."""


class Visits(msgspec.Struct, kw_only=True):
    """What came of a room's visitors."""

    joined: int = 0
    admitted: int = 0
    no_shows: int = 0
    looks: int = 0
    """Times a waiting visitor looked at the status document."""
    fetches: int = 0
    """Times that document came from the server; the others had the copy that Cache-Control allows for a second."""
    claims: int = 0
    early: int = 0
    """Claims answered 202: not yet."""
    replayed: int = 0
    """Accepted orders sent once more that were answered by the first acceptance."""
    gatecrashed: int = 0
    """Who ordered without having been in the room; sold out is answered sooner than that an admission is needed."""
    unadmitted: int = 0
    """Orders accepted without an admission."""
    ends: dict[str, int] = {}
    """Admissions by the second at which they end."""
    to_join: bytes = b""
    """From the intended arrival to the ticket: `Samples.to_bytes`."""
    waited: bytes = b""
    """From the ticket to the admission."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run: closed loop (each of `connections` clients waits for its answer) or open loop (`arrivals` given)."""

    base: str
    mix: Mix
    connections: Annotated[int, Meta(ge=1, le=MAX_CONNECTIONS)] = 64
    count: Count = MAX_REQUESTS
    """Closed loop: at most so many orders."""
    seconds: Annotated[float, Meta(gt=0, le=MAX_SECONDS)] = 60.0
    """Closed loop: no new order after that long. Open loop: added to the last arrival, everything ends there."""
    arrivals: bytes = b""
    """Open loop: intended times of arrival in seconds from the start, an array('d')."""
    bodies: list[bytes] = []
    """These orders and no others, in this order; `mix` then only says where to and under which keys."""
    tries: Annotated[int, Meta(ge=1, le=MAX_TRIES)] = 6
    """How often a shopper sends an order that was answered 503, or not at all, with the same key."""
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0
    room: Way | None = None
    """Through a waiting room, open loop."""
    gives_way: bool = False
    """Whether all else on the machine goes before the load, which is late then, and says so."""
    keep_ids: bool = True
    """Whether the ids of accepted orders are handed back."""

    def __post_init__(self) -> None:
        target_of(self.base)
        if self.room and not self.arrivals:
            raise ValueError("visitors of a room come at times of their own: give arrivals")
        if len(self.arrivals) > MAX_REQUESTS * 8:
            raise ValueError(f"at most {MAX_REQUESTS} arrivals in a run")
        if self.times and self.times[-1] > MAX_SECONDS:
            raise ValueError(f"a run lasts at most {MAX_SECONDS} s")

    @property
    def times(self) -> array[float]:
        """The intended times of arrival; empty in a closed loop."""
        times: array[float] = array("d")
        times.frombytes(self.arrivals)
        return times


class Result(msgspec.Struct, kw_only=True):
    """What came of a run. Every order sent is in exactly one of `outcomes`."""

    outcomes: dict[str, int] = {}
    """`accepted`, a problem's code, `unanswered` (bound of tries or time reached) or `http_<status>`."""
    answers: dict[str, int] = {}
    """Answers by status, retries included; `lost` where the connection went first."""
    offered: int = 0
    seconds: float = 0.0
    """From the start to the last answer."""
    late_s: float = 0.0
    """Open loop: the most that a request was sent after its intended arrival, also for want of a free connection."""
    offered_late: bytes = b""
    """Open loop: how late the generator itself was with each arrival: `Samples.to_bytes`."""
    offered_at: bytes = b""
    """When each was meant, in seconds from the start, an array('d')."""
    accepted: bytes = b""
    """Latencies to accepted, from the intended arrival: `Samples.to_bytes`."""
    accepted_at: bytes = b""
    """When each of these was answered, seconds from the start: an array('d')."""
    answered: bytes = b""
    """Latencies of every other final answer."""
    order_ids: bytes = b""
    """16 bytes for each order answered 202."""
    retries: int = 0
    processor_s: float = 0.0
    """What the generator itself used from the start to the end; making its requests before the clock is not in it."""
    visits: Visits | None = None

    def accepted_between(self, start: float, end: float) -> Samples:
        """Return the latencies of the orders that were answered 202 from one second of the run to another."""
        return _between(self.accepted, self.accepted_at, start, end)

    def late_between(self, start: float, end: float) -> Samples:
        """Return how late the generator itself was from one second of the run to another."""
        return _between(self.offered_late, self.offered_at, start, end)

    @property
    def accepted_count(self) -> int:
        """How many orders were answered 202 (or a replay of it)."""
        return self.outcomes.get("accepted", 0)

    @property
    def rate(self) -> float:
        """Final answers a second."""
        return sum(self.outcomes.values()) / self.seconds if self.seconds else 0.0


def _between(samples: bytes, at: bytes, start: float, end: float) -> Samples:
    moments: array[float] = array("d")
    moments.frombytes(at)
    return Samples(
        sample for sample, moment in zip(Samples.from_bytes(samples), moments, strict=True) if start <= moment < end
    )


def merged(results: list[Result]) -> Result:
    """Return what several processes did side by side as one result."""
    accepted, answered = Samples(), Samples()
    for result in results:
        accepted.extend(Samples.from_bytes(result.accepted))
        answered.extend(Samples.from_bytes(result.answered))
    outcomes = sum((Counter(result.outcomes) for result in results), Counter[str]())
    answers = sum((Counter(result.answers) for result in results), Counter[str]())
    return Result(
        outcomes=dict(outcomes),
        answers=dict(answers),
        offered=sum(result.offered for result in results),
        seconds=max((result.seconds for result in results), default=0.0),
        late_s=max((result.late_s for result in results), default=0.0),
        accepted=accepted.to_bytes(),
        offered_late=b"".join(result.offered_late for result in results),
        offered_at=b"".join(result.offered_at for result in results),
        accepted_at=b"".join(result.accepted_at for result in results),
        answered=answered.to_bytes(),
        order_ids=b"".join(result.order_ids for result in results),
        retries=sum(result.retries for result in results),
        processor_s=sum(result.processor_s for result in results),
        visits=_merged_visits([result.visits for result in results if result.visits]),
    )


def _merged_visits(found: list[Visits]) -> Visits | None:
    if not found:
        return None
    to_join, waited = Samples(), Samples()
    for one in found:
        to_join.extend(Samples.from_bytes(one.to_join))
        waited.extend(Samples.from_bytes(one.waited))
    counted = (
        "joined",
        "admitted",
        "no_shows",
        "looks",
        "fetches",
        "claims",
        "early",
        "replayed",
        "unadmitted",
        "gatecrashed",
    )
    return Visits(
        **{name: sum(getattr(one, name) for one in found) for name in counted},
        ends=dict(sum((Counter(one.ends) for one in found), Counter[str]())),
        to_join=to_join.to_bytes(),
        waited=waited.to_bytes(),
    )
