"""Runs one OpenSearch node for a block, as `make opensearch` does. Owns its process and folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from doorbuster.ports import reserve
from loadtests.scene.servers import ServerError

_START = Path(__file__).parents[2] / "deploy" / "opensearch" / "start"
_START_S = 300.0
"""The jars are fetched at first."""


def missing() -> str | None:
    """Return what the node needs and is not there."""
    lacking = [tool for tool in ("javac", "mvn") if shutil.which(tool) is None]
    return " and ".join(lacking) or None


@asynccontextmanager
async def node(*, heap: str = "1g") -> AsyncIterator[str]:
    """Run a node and give its URL.

    Raises:
        ServerError: it did not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="doorbuster-opensearch-"))
    port = reserve()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220 - starting takes no time
            [str(_START), str(folder / "node"), str(port)],
            stdin=subprocess.PIPE, stdout=log, stderr=log, env=os.environ | {"OPENSEARCH_HEAP": heap},
        )  # fmt: skip
    try:
        await _serving(f"http://127.0.0.1:{port}", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        await asyncio.to_thread(process.communicate, timeout=60)
        shutil.rmtree(folder)


async def _serving(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client, asyncio.timeout(_START_S):
        while process.poll() is None:
            try:
                if (await client.get(url)).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.2)
    raise ServerError(f"OpenSearch did not start: {_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2_000:]
