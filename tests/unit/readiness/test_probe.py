"""What a platform is answered: what makes a process unready, and that no store that is away has one started anew."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from doorbuster import keys
from doorbuster.ports import reserve
from readiness import probe
from readiness.processes import SILENT_S

Checks = dict[str, dict[str, Any]]
WELL: Checks = {"postgres": {"ok": True}, "orders_store": {"ok": True}, "durability": {"ok": True}}
KEY = "the-ops-key-of-this-test"


class Answering:
    """An intake that says of itself what the test wants."""

    def __init__(self) -> None:
        self.checks, self.status, self.body = WELL, 0, b""
        answering = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_ours = self.headers["Authorization"] == f"Bearer {KEY}"
                well = all(check["ok"] for check in answering.checks.values())
                status = answering.status or (200 if well else 503)
                if self.path == "/healthz":
                    status = answering.status or 200
                elif not is_ours:
                    status = 404
                body = answering.body or json.dumps({"checks": answering.checks}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def intake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    monkeypatch.setenv("OPS_KEY", KEY)
    answering = Answering()
    thread = threading.Thread(target=answering.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield answering
    answering.server.shutdown()
    answering.server.server_close()
    thread.join()


def answers(url: str) -> tuple[int, int, int]:
    started, ready, alive = (probe.main(["intake", question, url]) for question in probe.QUESTIONS)
    return started, ready, alive


def test_all_is_well(intake: Answering) -> None:
    assert answers(intake.url) == (0, 0, 0)


@pytest.mark.parametrize(
    ("store", "expected"),
    [("postgres", (1, 0, 0)), ("orders_store", (1, 1, 0)), ("durability", (1, 1, 0)), ("process", (1, 1, 0))],
)
def test_a_store_that_is_away(
    intake: Answering, store: str, expected: tuple[int, int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Orders are taken without Postgres once it has begun; for no store is it started anew."""
    intake.checks = WELL | {store: {"ok": False, "reason": f"{store} is away"}}
    assert answers(intake.url) == expected
    assert f"{store} is away" in capsys.readouterr().err


def test_without_the_key_nothing_is_known(intake: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPS_KEY")
    monkeypatch.delenv("SECRETS_DIR", raising=False)
    assert answers(intake.url) == (1, 1, 0)


def test_what_is_no_intake(intake: Answering, capsys: pytest.CaptureFixture[str]) -> None:
    intake.body = b"<html>"
    assert answers(intake.url) == (1, 1, 0)
    intake.status = 500
    assert answers(intake.url) == (1, 1, 1)
    assert answers(f"http://127.0.0.1:{reserve()}") == (1, 1, 1)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["intake"], ["worker", "alive", "http://x"], ["web", "ready"], ["intake", "ready", "a", "b"]]
)
def test_what_is_no_question(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


class Jobs:
    """What the jobs store knows."""

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, str]] = {}

    def worker(self, name: str, silent_s: float) -> None:
        heard = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - silent_s)) + ".000000Z"
        self.hashes[f"rq:worker:{name}"] = {"last_heartbeat": heard, "birth": heard}

    async def smembers(self, key: str) -> set[bytes]:
        assert key == keys.RQ_WORKERS
        return {name.encode() for name in self.hashes if name.startswith("rq:worker:")}

    async def hmget(self, key: bytes, *names: str) -> list[bytes | None]:
        return [value.encode() if (value := self.hashes[key.decode()].get(name)) else None for name in names]

    async def hgetall(self, key: str) -> dict[bytes, bytes]:
        return {name.encode(): value.encode() for name, value in self.hashes.get(key, {}).items()}

    async def aclose(self) -> None:
        pass


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    found = Jobs()
    monkeypatch.setenv("JOBS_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr("doorbuster.redis_clients.plain_client", lambda *_, **__: found)
    return found


HOST = socket.gethostname()
Set = Callable[[Jobs, float], None]
ROLES: dict[str, Set] = {
    "worker": lambda jobs, silent_s: jobs.worker(f"{HOST}-1-a1b2c3", silent_s),
    "scheduler": lambda jobs, silent_s: jobs.hashes.update(
        {keys.SCHEDULERS: {f"{HOST}-1": f"1.0 {time.time() - silent_s:.3f}"}}
    ),
}


@pytest.mark.parametrize("role", ROLES)
def test_a_process_behind_is_ready_once_it_is_heard_of(jobs: Jobs, role: str) -> None:
    assert [probe.main([role, question]) for question in probe.QUESTIONS] == [1, 1, 1]
    ROLES[role](jobs, 2.0)
    assert [probe.main([role, question]) for question in probe.QUESTIONS] == [0, 0, 0]
    ROLES[role](jobs, SILENT_S + 5)
    assert [probe.main([role, question]) for question in probe.QUESTIONS] == [1, 1, 1]


def test_another_host_or_a_former_process_is_not_it(jobs: Jobs) -> None:
    for name in ("elsewhere-1-a1b2c3", f"{HOST}-else-1-a1b2c3", f"{HOST}0-1-a1b2c3"):
        jobs.worker(name, 1.0)
    assert probe.main(["worker", "ready"]) == 1
    jobs.worker(f"{HOST}-1-000000", 400.0)
    jobs.worker(f"{HOST}-1-ffffff", 1.0)
    assert probe.main(["worker", "ready"]) == 0


@pytest.mark.parametrize("role", ROLES)
def test_no_process_is_started_anew_because_the_jobs_store_is_away(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    monkeypatch.setenv("JOBS_REDIS_URL", f"redis://127.0.0.1:{reserve()}/0")
    assert [probe.main([role, question]) for question in probe.QUESTIONS] == [1, 1, 0]
