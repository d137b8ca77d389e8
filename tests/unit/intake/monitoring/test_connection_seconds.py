"""How long connections are held: what is long is in the log, with the id of the request that it was for."""

from __future__ import annotations

import logging
from contextvars import copy_context

import pytest

from doorbuster.log import JsonFormatter, Request, begin_request
from intake.monitoring.metrics import Metrics


@pytest.mark.parametrize(("seconds", "is_told"), [(0.999, False), (1.0, True), (4.25, True)])
def test_a_long_hold_is_told_with_its_request(caplog: pytest.LogCaptureFixture, seconds: float, is_told: bool) -> None:
    def serve() -> list[str]:
        begin_request(Request("req-1", "/orders/1"))
        Metrics().held("orders", seconds)
        return [JsonFormatter().format(record) for record in caplog.records]

    with caplog.at_level(logging.INFO, "doorbuster.intake.metrics"):
        said = copy_context().run(serve)
    assert bool(said) is is_told
    for part in ('"request_id":"req-1"', '"purpose":"orders"', f'"held_s":{seconds}') if is_told else ():
        assert part in said[0]
