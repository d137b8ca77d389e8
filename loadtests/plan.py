"""What one run of the load generator is told and what it hands back. Owns the bounds; sends nothing itself."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Annotated

import msgspec
from msgspec import Meta

from loadtests.loopback import target_of
from loadtests.samples import Samples

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
    path: str
    """Where orders are posted: the path of the request."""
    prefix: str
    """Begins each customer's id and idempotency key; another run has another."""
    seed: int = 1


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
    keep_ids: bool = True
    """Whether the ids of accepted orders are handed back."""

    def __post_init__(self) -> None:
        target_of(self.base)
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
    """Open loop: the most that a request was sent after its intended arrival."""
    accepted: bytes = b""
    """Latencies to accepted, from the intended arrival: `Samples.to_bytes`."""
    answered: bytes = b""
    """Latencies of every other final answer."""
    order_ids: bytes = b""
    """16 bytes for each order answered 202."""
    retries: int = 0

    @property
    def accepted_count(self) -> int:
        """How many orders were answered 202 (or a replay of it)."""
        return self.outcomes.get("accepted", 0)

    @property
    def rate(self) -> float:
        """Final answers a second."""
        return sum(self.outcomes.values()) / self.seconds if self.seconds else 0.0


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
        answered=answered.to_bytes(),
        order_ids=b"".join(result.order_ids for result in results),
        retries=sum(result.retries for result in results),
    )
