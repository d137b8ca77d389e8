"""Processes that load tests start are over with their pipes, and leave nothing to be complained of later."""

from __future__ import annotations

import asyncio
import gc
import warnings

from loadtests.scene.servers import ended, stop

PIPE = asyncio.subprocess.PIPE


async def test_a_process_is_over_when_its_pipes_are() -> None:
    # Its own child keeps the pipe a little longer than the process lives, as a busy machine does.
    process = await asyncio.create_subprocess_exec("sh", "-c", "sleep 0.3 & echo on; exit 3", stdout=PIPE, stderr=PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"on\n"
    assert await ended(process) == 3
    assert process.stdout.at_eof()


def test_no_transport_outlives_the_loop() -> None:
    async def run() -> None:
        process = await asyncio.create_subprocess_exec("sh", "-c", "echo on; exec sleep 60", stdout=PIPE)
        assert process.stdout is not None
        await process.stdout.readline()
        await stop(process)

    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        asyncio.run(run())
        gc.collect()
    assert [str(one.message) for one in complaints if "unclosed" in str(one.message)] == []
