"""On a uvicorn whose inside is another, its own protocol serves: slower, but the sale goes on, and ops are told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from intake.server.connection import http_protocol
from intake.server.connection.http_protocol import IntakeHttpProtocol
from intake.server.connection.probe import fault_in, protocol_for
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.versions

Change = Callable[[pytest.MonkeyPatch], None]


def _marks_the_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    """As uvicorn once did at the end of a process, where a request of the fast path has no such attribute."""

    def shutdown(self: IntakeHttpProtocol) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.shutting_down = True  # type: ignore[attr-defined]
            self.cycle.keep_alive = False

    monkeypatch.setattr(IntakeHttpProtocol, "shutdown", shutdown)


def _asks_the_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    def pause_writing(self: IntakeHttpProtocol) -> None:
        self.cycle.hold()  # type: ignore[attr-defined]

    monkeypatch.setattr(IntakeHttpProtocol, "pause_writing", pause_writing)


def _makes_cycles_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(**given: object) -> RequestResponseCycle:
        raise TypeError(f"an unexpected keyword argument {sorted(given)[0]!r}")

    monkeypatch.setattr(http_protocol, "RequestResponseCycle", made)


def _starts_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IntakeHttpProtocol, "_start_asgi_task", None)


def _never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IntakeHttpProtocol, "_start_asgi_task", lambda *_: None)


CHANGES = [_marks_the_cycle, _asks_the_cycle, _makes_cycles_otherwise, _starts_no_task, _never_answers]


async def test_the_installed_uvicorn_has_the_inside_that_ours_stands_on() -> None:
    assert await fault_in(IntakeHttpProtocol) == ""
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        await fault_in(IntakeHttpProtocol)
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 0.05


@pytest.mark.parametrize("change", CHANGES)
async def test_another_inside_is_found_out(monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    change(monkeypatch)
    assert await fault_in(IntakeHttpProtocol)


@pytest.mark.parametrize("change", [_marks_the_cycle, _makes_cycles_otherwise])
async def test_the_sale_goes_on_by_the_full_path(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, change: Change
) -> None:
    change(monkeypatch)
    intake = await serve()
    await intake.open_sale()
    for _ in range(2):
        assert (await intake.post("sale")).status_code == 202
    assert intake.fast_orders() == 0
    ready = await intake.http.get("/readyz")
    check = ready.json()["checks"]["http_protocol"]
    assert (ready.status_code, check["ok"]) == (200, True)
    assert f"degraded: the intake's HTTP protocol does not work on uvicorn {uvicorn.__version__}" in check["notes"][0]
    [told] = [record for record in caplog.records if record.name == "doorbuster.intake.http_protocol"]
    assert told.levelno == logging.ERROR
    assert uvicorn.__version__ in told.getMessage()
    assert "HEAD_BYTES_MAX" in str(told.__dict__["lost"])

    async def counted() -> bool:
        return await _shown(intake) == {"full": 2.0, "fallbacks": 1.0}

    await eventually(counted, what="the metrics to tell of the full path and the fallback")


async def test_nothing_is_noted_where_ours_serves(intake: Intake) -> None:
    assert await protocol_for(intake.guard) is not HttpToolsProtocol
    assert "http_protocol" not in (await intake.http.get("/readyz")).json()["checks"]
    assert (await _shown(intake))["fallbacks"] == 0


async def _shown(intake: Intake) -> dict[str, float]:
    names = {
        'doorbuster_orders_by_path_total{path="full"}': "full",
        "doorbuster_http_protocol_fallbacks": "fallbacks",
    }
    lines = [line.split() for line in (await intake.http.get("/metrics")).text.splitlines()]
    return {names[line[0]]: float(line[1]) for line in lines if line[0] in names}
