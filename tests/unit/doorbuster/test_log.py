"""Logs: one JSON object a line, the order's id as a field, no password."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from redis.exceptions import OutOfMemoryError

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


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OutOfMemoryError("OOM command not allowed"), "OutOfMemoryError: OOM command not allowed"),
        (TimeoutError(), "TimeoutError"),
        (ConnectionError("redis://:hidden@127.0.0.1/0 is away"), "ConnectionError: redis://:***@127.0.0.1/0 is away"),
    ],
)
def test_an_exception_is_told_with_its_words(stream: io.StringIO, error: Exception, said: str) -> None:
    logging.getLogger("doorbuster.test").warning("odd", extra={"error": error})
    assert _lines(stream)[0]["error"] == said


def test_what_json_does_not_know_is_written_as_text(stream: io.StringIO) -> None:
    logging.getLogger("doorbuster.test").info("odd", extra={"value": object})
    assert _lines(stream)[0]["value"] == str(object)


def test_what_is_logged_again_and_again_is_sampled(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(log.time, "monotonic", lambda: now[0])
    logger = logging.getLogger("doorbuster.test")
    for n in range(1000):
        logger.warning("number %d is wrong", n, extra={"path": f"/{n}"})
    logger.warning("another kind")
    assert len(_lines(stream)) == log.SAME_MAX + 1
    now[0] += log.SAME_S
    logger.warning("number %d is wrong", 1000)
    assert _lines(stream)[-1]["not_written"] == 1000 - log.SAME_MAX
    logger.warning("number %d is wrong", 1001)
    assert "not_written" not in _lines(stream)[-1]


def test_kinds_are_remembered_in_bounded_number(stream: io.StringIO) -> None:
    filters = [one for handler in logging.getLogger().handlers for one in handler.filters]
    (sampler,) = (one for one in filters if isinstance(one, log.Sampler))
    for n in range(log.KINDS_MAX + 100):
        logging.getLogger("doorbuster.test").info("kind" + "x" * n)
    assert len(sampler._kinds) <= log.KINDS_MAX


def test_a_line_is_short_whatever_is_in_it(stream: io.StringIO) -> None:
    url = "redis://:hidden-in-the-middle@127.0.0.1/0"
    long = "x" * (log.FIELD_MAX - 20) + " " + url
    began = log.time.process_time()
    logging.getLogger("doorbuster.test").info("a" * 200_000, extra={"path": long, "many": ["y" * 1000] * 100})
    logging.getLogger("doorbuster.test").info("b", extra={"path": long})
    assert log.time.process_time() - began < 1.0
    first, second = _lines(stream)
    assert max(map(len, stream.getvalue().splitlines())) <= log.LINE_MAX
    assert first["left_out"] > 100_000
    assert len(second["path"]) == log.FIELD_MAX
    assert "hidden" not in stream.getvalue()


def test_of_a_long_traceback_the_end_is_kept(stream: io.StringIO) -> None:
    def deep(n: int) -> None:
        if not n:
            raise ValueError("x" * 10_000 + " the cause")
        deep(n - 1)

    try:
        deep(50)
    except ValueError:
        logging.getLogger("doorbuster.test").exception("failed")
    (line,) = _lines(stream)
    assert len(line["error"]) == log.FIELD_MAX
    assert line["error"].endswith("the cause")


def test_ops_keys_are_no_part_of_a_line() -> None:
    key = "dbops_" + "aB3-_" * 9
    assert log.redact(f"GET /ops/sales?key={key}&x=1") == "GET /ops/sales?key=dbops_***&x=1"
    assert log.redact("a key begins with dbops_") == "a key begins with dbops_"
