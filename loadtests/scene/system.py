"""Starts and stops a whole Doorbuster as its users do: `doorbuster up`, the ops API, `doorbuster import`.

Owns the processes it starts: whatever happens, they end with the block. Knows only the command line and the contract.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil

from doorbuster.contract.sales import SaleRequest
from loadtests.scene.loopback import check_database, target_of
from loadtests.scene.servers import ServerError, stop

MACHINE = "the whole machine"
_START_S = 60.0
_STOP_S = 40.0
_READY_MAX = 1 << 20


class Ready(msgspec.Struct):
    """The ready line."""

    base: str
    ops_base: str
    ops_key: str
    data: str
    pids: dict[str, list[int] | int | None]
    urls: dict[str, str]

    def __post_init__(self) -> None:
        target_of(self.base)
        target_of(self.ops_base)
        check_database(self.urls["database"])


class Figure(msgspec.Struct):
    """One figure of the audit."""

    promise: str
    what: str
    value: int
    breaches: int = 0


class Audit(msgspec.Struct):
    """What `doorbuster audit --json` says; without breaches every promise holds."""

    figures: list[Figure]
    states: dict[str, int]
    breaches: int

    def with_figures(self, more: list[Figure]) -> Audit:
        """Return the audit with figures that only who sent the load can know."""
        return Audit([*self.figures, *more], self.states, self.breaches + sum(figure.breaches for figure in more))


class System:
    """A running Doorbuster."""

    def __init__(self, ready: Ready, ready_file: Path) -> None:
        self.ready = ready
        self._ready_file = ready_file

    async def ops(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Any:
        """Call the ops API and return the decoded answer.

        Raises:
            httpx.HTTPStatusError: it refused; the problem is in the message's notes.
        """
        headers = {"Authorization": f"Bearer {self.ready.ops_key}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        async with httpx.AsyncClient(base_url=self.ready.ops_base, trust_env=False, timeout=30) as client:
            content = None if body is None else msgspec.json.encode(body)
            answer = await client.request(method, path, content=content, headers=headers)
            if answer.is_error:
                error = httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
                raise error
            return answer.json()

    async def create_sale(self, sale: SaleRequest) -> None:
        """Make a sale that is open at once."""
        await self.ops("POST", "/ops/sales", sale)

    async def import_catalogue(self, file: Path) -> str:
        """Import a catalogue file by the command line; return what it said."""
        return (await output_of("import", str(file), "--data", self.ready.data)).decode().strip()

    async def view_key(self, name: str) -> str:
        """Make an ops key that reads everything and changes nothing."""
        made = await self.ops("POST", "/ops/keys", {"name": name, "role": "view"})
        return str(made["key"])

    async def write_report(self, sale: str, file: Path) -> None:
        """Write the report of a sale that is over as a page."""
        await output_of("sale", "report", sale, "--html", str(file), "--data", self.ready.data)

    async def audit(self) -> Audit:
        """Hold the stores against the promises (`doorbuster audit`)."""
        output = await output_of("audit", "--json", "--data", self.ready.data, allowed=(0, 1))
        return msgspec.json.decode(output, type=Audit)

    def processor_s(self) -> dict[str, float]:
        """Return the seconds of processor that each role's living processes have used, and the whole machine."""
        pids = msgspec.json.decode(self._ready_file.read_bytes(), type=Ready).pids
        used = {role: sum(_used_s(process) for process in _with_children(some)) for role, some in pids.items()}
        whole = psutil.cpu_times()
        return used | {MACHINE: sum(whole) - whole.idle - whole.iowait - whole.guest - whole.guest_nice}

    def resident_bytes(self, *roles: str) -> int:
        """Return the memory of the largest living process of these roles."""
        pids = msgspec.json.decode(self._ready_file.read_bytes(), type=Ready).pids
        return max(_resident(process) for role in roles for process in _with_children(pids.get(role)))

    def memory_mb(self) -> dict[str, float]:
        """Return by role what its living processes have in memory together, but for what they share."""
        pids = msgspec.json.decode(self._ready_file.read_bytes(), type=Ready).pids
        return {role: sum(_own_bytes(process) for process in _with_children(some)) / 1e6 for role, some in pids.items()}

    def disk_mb(self) -> float:
        """Return what the data folder takes on disk; files come and go meanwhile."""
        blocks = 0
        for folder, _, names in os.walk(self.ready.data):
            for name in names:
                with suppress(OSError):
                    blocks += Path(folder, name).lstat().st_blocks
        return blocks * 512 / 1e6

    @contextmanager
    def draining_paused(self) -> Iterator[None]:
        """Stop workers and scheduler (SIGSTOP) for the block: the stream fills and nothing drains it."""
        pids = msgspec.json.decode(self._ready_file.read_bytes(), type=Ready).pids
        held: list[psutil.Process] = []
        try:
            while running := [
                process
                for role in ("scheduler", "worker")
                for process in _with_children(pids.get(role))
                if process not in held
            ]:  # until none is found: one that was running may have started another meanwhile, or ended
                for process in running:
                    held.append(process)
                    _signal(process, signal.SIGSTOP)
            yield
        finally:
            for process in reversed(held):
                _signal(process, signal.SIGCONT)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):  # it ended by itself
        process.send_signal(number)


def _used_s(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # Of its children that have ended too: work-horses and sessions come and go.
    return float(used.user + used.system + used.children_user + used.children_system)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _own_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().uss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # it ended by itself, or only root may look into it
        return _resident(process)


def _with_children(pids: list[int] | int | None) -> list[psutil.Process]:
    found = []
    for pid in [pids] if isinstance(pids, int) else pids or []:
        with suppress(psutil.NoSuchProcess):  # it ended by itself
            parent = psutil.Process(pid)
            found += [parent, *parent.children(recursive=True)]
    return found


@asynccontextmanager
async def running(
    data: Path, *, workers: int = 4, intake: int = 1, replicas: int = 0, topology: str = "single", **environment: str
) -> AsyncIterator[System]:
    """Run `doorbuster up` on a data folder for the block.

    Raises:
        ServerError: it did not start, or did not stop cleanly.
    """
    ready_file, log = data / "loadtest-ready.json", data / "loadtest-up.log"
    await asyncio.to_thread(data.mkdir, parents=True, exist_ok=True)
    with log.open("ab") as err:
        process = await asyncio.create_subprocess_exec(
            *(command(), "up", "--port", "0", "--data", str(data)),
            *("--workers", str(workers), "--intake", str(intake), "--replicas", str(replicas)),
            *("--ready-file", str(ready_file)),
            *(() if topology == "single" else ("--topology", topology)),
            stdout=asyncio.subprocess.PIPE,
            stderr=err,
            env={**os.environ, "LOG_LEVEL": "warning", **environment},
            limit=_READY_MAX,
        )
    try:
        yield System(await _ready(process, log), ready_file)
    except BaseException:
        await stop(process, _STOP_S)  # what went wrong before is what is to be told
        raise
    code = await stop(process, _STOP_S)
    if code not in (0, -signal.SIGTERM):
        raise ServerError(f"doorbuster up ended with code {code}: {_tail(log)}")


async def _ready(process: asyncio.subprocess.Process, log: Path) -> Ready:
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_S)
    except TimeoutError:
        line = b""
    if not line:
        raise ServerError(f"doorbuster up did not become ready: {_tail(log)}")
    return msgspec.json.decode(line, type=Ready)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-3_000:]


def command() -> str:
    """Return the path of the `doorbuster` command of this environment."""
    return str(Path(sys.executable).with_name("doorbuster"))


async def output_of(*arguments: str, allowed: tuple[int, ...] = (0,), **environment: str) -> bytes:
    """Run a `doorbuster` command to its end and return what it printed.

    Raises:
        ServerError: it failed; what it said is in the message.
    """
    process = await asyncio.create_subprocess_exec(
        command(),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    output, complaint = await process.communicate()
    if process.returncode not in allowed:
        raise ServerError(f"doorbuster {arguments[0]} ended with {process.returncode}: {complaint.decode()[-2_000:]}")
    return output
