"""Starts the floor and the baseline as servers of their own: gunicorn with one uvicorn worker, as the intake has.

Owns those processes: whatever happens, they end with the block that started them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import psutil

from doorbuster.ports import reserve

_START_S = 15.0
_STOP_S = 10.0


class ServerError(RuntimeError):
    """A server did not start."""


@asynccontextmanager
async def serving(app: str, log: Path, **environment: str) -> AsyncIterator[str]:
    """Serve the application that factory `app` makes ("module:function()") and yield its base URL.

    Raises:
        ServerError: it did not answer in time; the end of its log is in the message.
    """
    port = reserve()
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gunicorn", "--config", "python:loadtests.rivals.gunicorn_conf"),
            *("--bind", f"127.0.0.1:{port}", app),
            env={**os.environ, **environment},
            stdout=out,
            stderr=out,
        )
    try:
        base = f"http://127.0.0.1:{port}"
        await _answering(process, base, log)
        yield base
    finally:
        await stop(process)


def processor_s(app: str) -> float:
    """Return the seconds of processor that this process's servers of an application have used."""
    used = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended by itself
            if app in process.cmdline():
                times = process.cpu_times()
                used += times.user + times.system
    return used


async def stop(process: asyncio.subprocess.Process, grace_s: float = _STOP_S) -> int:
    """End a process: SIGTERM, then SIGKILL after the grace; return its exit code."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), grace_s)
        except TimeoutError:
            process.kill()
    return await ended(process)


async def ended(process: asyncio.subprocess.Process) -> int:
    """Wait until a process has ended and its pipes with it; return its exit code.

    `wait` alone returns while a pipe's end is still to be read. On a busy machine the loop may be over before that, and
    the transport is complained of wherever it happens to be collected.
    """
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            await pipe.read()
    return await process.wait()


async def _answering(process: asyncio.subprocess.Process, base: str, log: Path) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_S), httpx.AsyncClient(trust_env=False) as client:
            while process.returncode is None:
                try:
                    await client.get(base)
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return
    raise ServerError(await asyncio.to_thread(lambda: log.read_text()[-2_000:]))
