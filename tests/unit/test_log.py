"""Logs: one JSON object a line, the order's id as a field, no password."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from doorbuster import log


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    log.configure("info", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_extras_are_fields(stream: io.StringIO) -> None:
    logging.getLogger("doorbuster.test").info("so\nbe it", extra={"order_id": "0001", "sale_id": "friday"})
    (line,) = _lines(stream)
    assert line["message"] == "so\nbe it"
    assert (line["level"], line["order_id"], line["sale_id"]) == ("info", "0001", "friday")
    assert line["at"].endswith("Z")


def test_passwords_of_urls_are_left_out(stream: io.StringIO) -> None:
    url = "redis://:hidden@127.0.0.1:6379/0"
    logging.getLogger("doorbuster.test").warning("cannot reach %s", url, extra={"url": "postgresql://shop:hidden@db/x"})
    assert "hidden" not in stream.getvalue()
    assert _lines(stream)[0]["message"] == "cannot reach redis://:***@127.0.0.1:6379/0"


def test_an_exception_stays_on_its_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("doorbuster.test").exception("failed")
    (line,) = _lines(stream)
    assert "ValueError: broken" in line["error"]


def test_what_json_does_not_know_is_written_as_text(stream: io.StringIO) -> None:
    logging.getLogger("doorbuster.test").info("odd", extra={"value": object})
    assert _lines(stream)[0]["value"] == str(object)
