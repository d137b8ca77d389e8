"""The simulator's store: a real Valkey of its own, the real scripts, a virtual clock. Owns its process and its calls.

Calls of one moment go in one pipeline: a million visitors would otherwise wait for a million round trips.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from doorbuster import keys
from doorbuster.embedded.processes import spawn
from doorbuster.embedded.stores.valkey import Valkey
from doorbuster.ports import reserve
from waitingroom.room import RoomConfig, RoomState, state_from
from waitingroom.room_store import keys_of
from waitingroom.script_loader import Argument, source_of
from waitingroom.simulator.clock import VIRTUAL
from waitingroom.simulator.scenario import SALE

_PIPELINE_MAX = 5_000
_VERBS = ("configure", "tick", "join", "claim", "leave", "release", "open_lobby", "set_rate")
_BASE = keys_of(SALE)

Call = tuple[str, bytes, Sequence[Argument]]
"""Verb, the visitor's digest, arguments."""


class SimulatedStore:
    """A Valkey server with the room in it."""

    def __init__(self, folder: Path) -> None:
        password = secrets.token_hex()
        self._server = Valkey("room", folder / "room", folder / "room.log", port=reserve(), password=password)
        self._server.prepare()
        self._process = spawn(self._server.command({"PATH": os.environ["PATH"]}))
        self._client = redis.Redis.from_url(self._server.url, retry=Retry(NoBackoff(), 0))
        self._wait()
        self._sources = {verb: source_of(verb, VIRTUAL) for verb in _VERBS}
        self._load()
        self.asked = 0
        """Calls of scripts made so far."""

    def _wait(self) -> None:
        deadline = time.monotonic() + 120
        while not self._server.is_ready():
            if time.monotonic() > deadline:
                raise TimeoutError("the simulated store did not start")
            time.sleep(0.05)

    def _load(self) -> None:
        self._shas = {verb: str(self._client.script_load(source)) for verb, source in self._sources.items()}

    def kill_and_restart(self) -> None:
        """Kill the server, once what it has said is on disk, and start it again on its data."""
        self._client.execute_command("WAITAOF", 1, 0, 10_000)  # type: ignore[no-untyped-call]
        self._process.kill()
        self._process.wait()
        self._client.connection_pool.disconnect()
        self._process = spawn(self._server.command({"PATH": os.environ["PATH"]}))
        self._wait()
        self._load()

    def stop(self) -> None:
        """End the server."""
        self._client.close()
        self._process.kill()
        self._process.wait()

    def set_clock(self, now_ms: int) -> None:
        """Set the virtual time."""
        self._client.hset(_BASE[0], "virtual_ms", str(now_ms))

    def configure(self, config: RoomConfig) -> None:
        """Make the room."""
        self.run("configure", *config.as_fields())

    def tick(self) -> RoomState:
        """Advance the room and read it."""
        return state_from(SALE, self.run("tick"))

    def run(self, verb: str, *arguments: Argument) -> Any:
        """Call a verb that concerns no visitor."""
        self.asked += 1
        return self._client.evalsha(self._shas[verb], len(_BASE), *_BASE, *arguments)

    def run_all(self, calls: Sequence[Call]) -> list[Any]:
        """Call verbs of visitors in their order; return their answers."""
        answers: list[Any] = []
        self.asked += len(calls)
        for start in range(0, len(calls), _PIPELINE_MAX):
            pipeline = self._client.pipeline(transaction=False)
            for verb, digest, arguments in calls[start : start + _PIPELINE_MAX]:
                bucket = keys.room_places(SALE, digest)
                pipeline.evalsha(self._shas[verb], len(_BASE) + 1, *_BASE, bucket, *arguments)
            answers += pipeline.execute()
        return answers

    def memory(self) -> int:
        """Return the bytes the server has allocated."""
        return int(self._client.info("memory")["used_memory"])

    def commands(self) -> int:
        """Return how many calls the server has had from outside."""
        stats: dict[str, dict[str, int]] = self._client.info("commandstats")
        return sum(stats[name]["calls"] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in stats)


@contextmanager
def simulated_store() -> Iterator[SimulatedStore]:
    """Run a store of its own until the block ends."""
    with tempfile.TemporaryDirectory(prefix="doorbuster-room-") as folder:
        store = SimulatedStore(Path(folder))
        try:
            yield store
        finally:
            store.stop()
