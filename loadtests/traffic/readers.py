"""Asks as fast as answers come, from a process of its own: a closed loop over given requests.

Loopback only, bounded in time and connections, as the generator of orders is.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Annotated

import msgspec
import uvloop
from msgspec import Meta

from loadtests.scene.loopback import target_of
from loadtests.scene.servers import ended
from loadtests.traffic.connection import Attempt, Connection, Reply
from loadtests.traffic.samples import Samples

_GRACE_S = 30.0


class ReadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One run: `paths` are read in turn, over and over unless `once`."""

    base: str
    paths: list[str]
    headers: dict[str, str] = {}
    bodies: list[bytes] = []
    """With these the paths are posted to: the n-th body to the n-th path, from the first again when one list ends."""
    connections: Annotated[int, Meta(ge=1, le=2048)] = 64
    seconds: Annotated[float, Meta(gt=0, le=300)] = 5.0
    once: bool = False
    keep: bool = False
    """Hand the answers' bodies back."""


class ReadResult(msgspec.Struct, kw_only=True):
    """What came of a run."""

    statuses: dict[int, int]
    """Answers by status; 0: the connection went before one came."""
    seconds: float
    latencies: bytes
    answers: list[bytes] = []
    """Bodies of the answers of a run with `once` and `keep`, in no order."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return sum(self.statuses.values()) / self.seconds

    @property
    def samples(self) -> Samples:
        """Time to each answer."""
        return Samples.from_bytes(self.latencies)


async def read(plan: ReadPlan) -> ReadResult:
    """Carry out a plan in a process of its own.

    Raises:
        RuntimeError: the process failed; what it said is in the message.

    """
    with tempfile.NamedTemporaryFile(prefix="doorbuster-readers-") as told:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loadtests.traffic.readers", told.name),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(plan.seconds + _GRACE_S):
                _, complaint = await process.communicate(msgspec.msgpack.encode(plan))
        finally:
            if process.returncode is None:
                process.kill()
            await ended(process)
        if process.returncode:
            raise RuntimeError(complaint.decode(errors="replace")[-2_000:])
        return msgspec.msgpack.decode(told.read(), type=ReadResult)


class _Loop:
    """The connections of a run."""

    def __init__(self, plan: ReadPlan) -> None:
        self._plan = plan
        self._target = target_of(plan.base)
        prepared = _requests(plan, f"{self._target.host}:{self._target.port}")
        self._source = iter(prepared) if plan.once else cycle(prepared)
        self._statuses: Counter[int] = Counter()
        self._samples = Samples()
        self._answers: list[bytes] = []
        self._busy = 0
        self._ends = 0.0
        self._over = asyncio.Event()

    async def run(self) -> ReadResult:
        loop = asyncio.get_running_loop()
        host, port, tls = self._target
        opened = [
            (await loop.create_connection(lambda: Connection(self._on_reply), host, port, ssl=tls or None))[1]
            for _ in range(self._plan.connections)
        ]
        began = perf_counter()
        self._ends = began + self._plan.seconds
        for connection in opened:
            self._next(connection)
        await self._over.wait()
        seconds = perf_counter() - began
        for connection in opened:
            connection.abort()
        return ReadResult(
            statuses=dict(self._statuses),
            seconds=seconds,
            latencies=self._samples.to_bytes(),
            answers=self._answers,
        )

    def _next(self, connection: Connection) -> None:
        now = perf_counter()
        request = next(self._source, None) if connection.usable and now < self._ends else None
        if request is not None:
            self._busy += 1
            connection.send(Attempt(request, now))
        elif not self._busy:
            self._over.set()

    def _on_reply(self, connection: Connection, attempt: Attempt, reply: Reply) -> None:
        self._busy -= 1
        self._statuses[reply.status] += 1
        self._samples.add(perf_counter() - attempt.due)
        if self._plan.keep:
            self._answers.append(reply.body)
        self._next(connection)


def _requests(plan: ReadPlan, host: str) -> Sequence[bytes]:
    head = "".join(f"{name}: {value}\r\n" for name, value in plan.headers.items())
    if not plan.bodies:
        return [f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{head}\r\n".encode() for path in plan.paths]
    head += "Content-Type: application/json\r\n"
    return [
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        for path, body in zip(cycle(plan.paths), plan.bodies, strict=False)
    ]


def main() -> None:
    """Read a plan from standard input, write the result to a file."""
    plan = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=ReadPlan)
    Path(sys.argv[1]).write_bytes(msgspec.msgpack.encode(uvloop.run(_Loop(plan).run())))


if __name__ == "__main__":
    main()
