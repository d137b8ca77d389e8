"""Reads pages at fixed times of arrival, from a process of its own: an open loop, whatever the server does.

Loopback only, bounded in reads, time and connections, as the generator of orders is; a read is asked once.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from array import array
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from time import perf_counter
from typing import Annotated

import msgspec
import uvloop
from msgspec import Meta

from loadtests.scene.servers import ended
from loadtests.traffic.connection import Attempt, Reply
from loadtests.traffic.fleet import Fleet
from loadtests.traffic.plan import MAX_CONNECTIONS, MAX_REQUESTS, Mix, Plan

_GRACE_S = 30.0
REASONS_MAX = 50
"""So many reasons are told apart; what the answers say has no end by itself."""
REASON_CHARACTERS = 120
_NOTHING = Mix(products=[], weights=[], path="/", prefix="")


class Browse(msgspec.Struct, frozen=True, kw_only=True):
    """One run: the n-th arrival reads the `order[n]`-th path."""

    base: str
    paths: list[str]
    order: bytes
    """An array('I') of places in `paths`."""
    arrivals: bytes
    """Intended times of arrival in seconds from the start, an array('d'), ascending."""
    connections: Annotated[int, Meta(ge=1, le=MAX_CONNECTIONS)] = 256
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0

    def __post_init__(self) -> None:
        if len(self.order) // 4 != len(self.arrivals) // 8 or len(self.order) // 4 > MAX_REQUESTS:
            raise ValueError(f"a path for each arrival, at most {MAX_REQUESTS} of them")


class Browsed(msgspec.Struct, kw_only=True):
    """What came of a run, in the order of arrivals."""

    began: float
    """The start, by the clock of `time.perf_counter`, which all processes of a machine share."""
    took: bytes
    """Seconds from the intended arrival to the answer, an array('d')."""
    statuses: bytes
    """An array('H'); 0: no answer came."""
    late_s: float
    """The most that a read was sent after its intended arrival."""
    refused: dict[str, int] = {}
    """Why reads were refused, and how often: the first part of the path and what the answer said."""

    @property
    def latencies(self) -> array[float]:
        """Seconds to each answer."""
        return array("d", self.took)

    @property
    def answers(self) -> array[int]:
        """Status of each answer."""
        return array("H", self.statuses)


class Browsing:
    """A run under way in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, began: float) -> None:
        self._process = process
        self.began = began
        """When its clock started, by `time.perf_counter`."""

    async def over(self) -> None:
        """Wait until the run has ended.

        Raises:
            RuntimeError: the process failed; what it said is in the message.
        """
        assert self._process.stderr is not None
        complaint = await self._process.stderr.read()
        if await self._process.wait():
            raise RuntimeError(complaint.decode(errors="replace")[-2_000:])


@asynccontextmanager
async def browsing(plan: Browse, told: Path) -> AsyncIterator[Browsing]:
    """Carry out a plan beside the block, which must wait until it is `over`; the result is then in `told`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.traffic.browsing", str(told)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(msgspec.msgpack.encode(plan))
        await process.stdin.drain()
        process.stdin.close()
        async with asyncio.timeout(_GRACE_S):
            began = await process.stdout.readline()
        yield Browsing(process, float(began or "nan"))
    finally:
        if process.returncode is None:
            process.kill()
        await ended(process)


async def browse(plan: Browse) -> Browsed:
    """Carry out a plan in a process of its own to its end."""
    with tempfile.NamedTemporaryFile(prefix="doorbuster-browsing-") as told:
        async with browsing(plan, Path(told.name)) as run:
            await run.over()
        return msgspec.msgpack.decode(told.read(), type=Browsed)


class _Look(Attempt):
    """A read on its way."""

    __slots__ = ("number",)

    def __init__(self, request: bytes, due: float, number: int) -> None:
        super().__init__(request, due)
        self.number = number


class _Browsers(Fleet):
    """The connections of a run."""

    def __init__(self, plan: Browse) -> None:
        super().__init__(
            Plan(
                base=plan.base, mix=_NOTHING, connections=plan.connections, arrivals=plan.arrivals,
                seconds=plan.timeout_s, timeout_s=plan.timeout_s, tries=1, keep_ids=False,
            ),
            made=iter(()),
        )  # fmt: skip
        host = f"{self._target.host}:{self._target.port}"
        self._requests = [f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() for path in plan.paths]
        self._order = array("I", plan.order)
        self._took = array("d", bytes(8 * len(self._order)))
        self._statuses = array("H", bytes(2 * len(self._order)))
        self._refused = Counter[str]()

    @property
    def began(self) -> float:
        """When the clock started."""
        return self._start

    def browsed(self) -> Browsed:
        """Return what came of the run."""
        return Browsed(
            began=self._start,
            took=self._took.tobytes(),
            statuses=self._statuses.tobytes(),
            late_s=self.tally.late_s,
            refused=dict(self._refused),
        )

    def _offer(self, due: float) -> None:
        number = self.tally.offered
        self.tally.offered += 1
        self._dispatch(_Look(self._requests[self._order[number]], due, number))

    def _answered(self, attempt: Attempt, reply: Reply) -> None:
        assert isinstance(attempt, _Look)
        self._took[attempt.number] = perf_counter() - attempt.due
        self._statuses[attempt.number] = reply.status
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._note_refused(attempt, reply)
        self.tally.finished += 1
        self._done()

    def _note_refused(self, attempt: Attempt, reply: Reply) -> None:
        try:
            told = msgspec.json.decode(reply.body, type=_Refusal)
        except msgspec.DecodeError:  # whoever stands in between answers otherwise
            told = _Refusal()
        what = attempt.request.split(b"/", 2)[1].partition(b"?")[0].decode()
        why = f"{what}: {reply.status} {told.code}, {told.detail}"[:REASON_CHARACTERS]
        if why in self._refused or len(self._refused) < REASONS_MAX:
            self._refused[why] += 1


class _Refusal(msgspec.Struct):
    """What a refusal says of itself."""

    code: str = ""
    detail: str = ""


async def _run(plan: Browse) -> Browsed:
    browsers = _Browsers(plan)
    await browsers.connect()
    running = asyncio.ensure_future(browsers.run())
    await asyncio.sleep(0)
    sys.stdout.write(f"{browsers.began!r}\n")
    sys.stdout.flush()
    try:
        await running
    finally:
        browsers.close()
    return browsers.browsed()


def main() -> None:
    """Read a plan from standard input, say when the clock started, write the result to a file."""
    plan = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Browse)
    Path(sys.argv[1]).write_bytes(msgspec.msgpack.encode(uvloop.run(_run(plan))))


if __name__ == "__main__":
    main()
