"""Load goes to another machine only with the proof that one owns it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from loadtests.scene import loopback, ownership
from loadtests.scene.loopback import NotLoopbackError, target_of
from loadtests.scene.ownership import NotOwnedError, digest_of, require_proof

PROOF = "a-proof-of-sixteen-or-more"


class _Target(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []
    answer = (200, digest_of(PROOF))

    def do_GET(self) -> None:
        self.asked.append(self.path)
        status, text = self.answer
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A target that serves the digest."""
    monkeypatch.setattr(ownership, "_proven", {})
    monkeypatch.setattr(_Target, "asked", [])
    monkeypatch.setenv(ownership.VARIABLE, PROOF)
    server = HTTPServer(("127.0.0.1", 0), _Target)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_right_digest_is_a_proof_and_is_asked_for_once(origin: str) -> None:
    require_proof(origin)
    require_proof(origin)
    assert _Target.asked == [ownership.PATH]


@pytest.mark.parametrize(
    "answer",
    [(404, digest_of(PROOF)), (200, PROOF), (200, digest_of("another of sixteen")), (302, ""), (200, "x" * 9_999)],
)  # fmt: skip
def test_anything_else_is_none(origin: str, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str]) -> None:
    monkeypatch.setattr(_Target, "answer", answer)
    with pytest.raises(NotOwnedError, match="LOADTEST_PROOF"):
        require_proof(origin)
    assert _Target.asked == [ownership.PATH]  # no redirect is followed


def test_a_short_proof_is_none_and_asks_nobody(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ownership.VARIABLE, "short")
    with pytest.raises(NotOwnedError, match="16 characters"):
        require_proof(origin)
    assert _Target.asked == []


def test_targets_are_few(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "_proven", {f"http://{number}": 0.0 for number in range(ownership.TARGETS_MAX)})
    with pytest.raises(NotOwnedError, match="at most"):
        require_proof(origin)


def test_a_proven_host_is_a_target_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(loopback, "require_proof", asked.append)
    monkeypatch.setenv(ownership.VARIABLE, PROOF)
    assert target_of("https://shop.example") == ("shop.example", 443, True)
    assert target_of("http://shop.example:8000").authority == "shop.example:8000"
    assert target_of("http://127.0.0.1:8000") == ("127.0.0.1", 8000, False)
    assert asked == ["https://shop.example", "http://shop.example:8000"]
    for url in ("ftp://shop.example", "http://shop.example"):
        with pytest.raises(NotLoopbackError):
            target_of(url)
    monkeypatch.delenv(ownership.VARIABLE)
    with pytest.raises(NotLoopbackError):
        target_of("https://shop.example:443")
