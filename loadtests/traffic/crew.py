"""Runs the generator in processes of its own, so that it does not share an interpreter with what measures or shows."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import msgspec

from loadtests.scene.servers import ended
from loadtests.traffic.generator import Progress
from loadtests.traffic.plan import Plan, Result, merged

_GRACE_S = 60.0
NICEST = 19


class GeneratorError(RuntimeError):
    """A process of the generator ended without a result."""


async def carry_out(plan: Plan, *, processes: int = 1, progress: Progress | None = None) -> Result:
    """Carry out a plan shared out over processes; `progress` is told the sums.

    Raises:
        GeneratorError: a process failed; what it said on standard error is in the message.

    """
    told = [(0, 0)] * processes

    def tell(place: int, offered: int, finished: int) -> None:
        told[place] = (offered, finished)
        if progress:
            progress(sum(one for one, _ in told), sum(two for _, two in told))

    shares = [_share(plan, place, processes) for place in range(processes)]
    work = (_one(share, lambda *counts, place=place: tell(place, *counts)) for place, share in enumerate(shares))
    return merged(list(await asyncio.gather(*work)))


def _share(plan: Plan, place: int, processes: int) -> Plan:
    if processes == 1:
        return plan
    mix = msgspec.structs.replace(plan.mix, prefix=f"{plan.mix.prefix}.{place}")
    return msgspec.structs.replace(
        plan,
        mix=mix,
        arrivals=plan.times[place::processes].tobytes(),
        connections=max(plan.connections // processes, 1),
        count=max(plan.count // processes, 1),
        bodies=plan.bodies[place::processes],
    )


async def _one(plan: Plan, tell: Progress) -> Result:
    with tempfile.NamedTemporaryFile(prefix="doorbuster-generator-") as told:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loadtests.traffic.generator", told.name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=plan.gives_way,
        )
        if plan.gives_way:
            give_way(process.pid)
        bound = plan.seconds + plan.timeout_s + (plan.times[-1] if plan.arrivals else 0.0) + _GRACE_S
        try:
            async with asyncio.timeout(bound):
                await _listen(process, plan, tell)
            return msgspec.msgpack.decode(told.read(), type=Result)
        finally:
            if process.returncode is None:
                process.kill()
            await ended(process)


def give_way(pid: int) -> None:
    """Let everything else on the machine run before a process that leads a session of its own.

    Where Linux shares processors out by session, a nice value counts within the session alone: so that is as nice, too.
    """
    with suppress(ProcessLookupError):  # it has ended: that is told by whoever waits for it
        os.setpriority(os.PRIO_PROCESS, pid, NICEST)
    with suppress(OSError):  # not there, or not shared out by session
        Path(f"/proc/{pid}/autogroup").write_text(f"{NICEST}")


async def _listen(process: asyncio.subprocess.Process, plan: Plan, tell: Progress) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdin.write(msgspec.msgpack.encode(plan))
    await process.stdin.drain()
    process.stdin.close()
    while line := await process.stdout.readline():
        offered, finished = line.split()
        tell(int(offered), int(finished))
    complaint = await process.stderr.read()
    if await process.wait():
        raise GeneratorError(complaint.decode(errors="replace")[-2_000:])
