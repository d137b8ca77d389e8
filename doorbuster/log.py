"""Structured logs: one JSON object a line on stderr, with the ids of order, sale and request where there is one.

Owns the format, the redaction of passwords in URLs, and how much of the same is worth a line: what a client can bring
about as often as it likes must fill no disk. Never logs by itself.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections import OrderedDict
from contextvars import Context, ContextVar
from datetime import UTC, datetime
from typing import NamedTuple, TextIO

import msgspec

FIELD_MAX, LINE_MAX = 4_000, 16_000
"""Characters of a field, of which the end is kept in a traceback and the beginning elsewhere; and bytes of a line."""
SAME_MAX, SAME_S = 50, 10.0
"""So many lines of a kind are written in so many seconds; the next one after them says how many were not."""
KINDS_MAX = 1_000
_PASSWORD_IN_URL = re.compile(r"(\w{1,20}://[^\s:/@]*:)[^\s/@]+@")  # bounded, for lines hold what clients send
_PASSWORD_IN_QUERY = re.compile(r"([?&](?:\w{1,20}_)?password=)[^\s&\"]+")
_NAMED = re.compile(r"/(sales|orders)/([\w.-]{1,64})")
"""What a path may name."""
_OPS_KEY = re.compile(r"(dbops_)[\w-]{8,100}")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class Request(NamedTuple):
    """The request that is answered here: what its log lines say of it."""

    request_id: str
    path: str

    def fields(self) -> dict[str, object]:
        """Return its id, and those of the sale and the order that its path names."""
        named = {f"{kind[:-1]}_id": name for kind, name in _NAMED.findall(self.path)}
        return {"request_id": self.request_id, **named}


_request: ContextVar[Request | None] = ContextVar("request", default=None)


def begin_request(request: Request) -> None:
    """Have each line that is logged from here on in this task say of which request it is."""
    _request.set(request)


def current_request_id() -> str:
    """Return the id of the request that is answered here, empty where there is none."""
    request = _request.get()
    return "" if request is None else request.request_id


def shared_context() -> Context:
    """Return the context for a task that works for many requests: its lines are not those of the one that began it."""
    return Context()


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; what was given as `extra` becomes fields (`order_id`, `sale_id`, ...).

    An exception among them becomes its kind and its words: `repr` of one of redis has no words.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage())[:FIELD_MAX],
            "process_id": record.process,
        }
        if (request := _request.get()) is not None:
            fields |= {name: _bounded(value) for name, value in request.fields().items()}
        fields |= {name: _bounded(value) for name, value in record.__dict__.items() if name not in _STANDARD}
        if record.exc_info:
            fields["error"] = redact(self.formatException(record.exc_info))[-FIELD_MAX:]
        line = msgspec.json.encode(fields, enc_hook=str)
        if len(line) > LINE_MAX:
            few = {name: fields[name] for name in ("at", "level", "logger", "message", "process_id")}
            line = msgspec.json.encode(few | {"left_out": len(line)})
        return redact(line.decode())


class Sampler(logging.Filter):
    """Lets so many records of a kind through in a while, and counts the rest.

    A kind is where a record comes from: logger, level and words before anything is put into them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written; whoever asks for debug lines gets all of them."""
        if record.levelno <= logging.DEBUG:
            return True
        kind, now = (record.name, record.levelno, str(record.msg)[:200]), time.monotonic()
        began, seen = self._kinds.pop(kind, (now, 0))
        passed = seen - SAME_MAX
        if now - began >= SAME_S:
            began, seen = now, 0
        self._kinds[kind] = (began, seen + 1)
        if len(self._kinds) > KINDS_MAX:
            self._kinds.popitem(last=False)
        if seen == 0 and passed > 0:
            record.not_written = passed
        return seen < SAME_MAX


def _bounded(value: object) -> object:
    if isinstance(value, BaseException):
        value = f"{type(value).__name__}: {value}".removesuffix(": ")
    # Redacted first: of a URL that is cut in its password nobody could tell that it is one.
    return redact(value)[:FIELD_MAX] if isinstance(value, str) else value


def redact(text: str) -> str:
    """Return the text without the passwords of the URLs in it, and without ops keys."""
    return _OPS_KEY.sub(r"\1***", _PASSWORD_IN_QUERY.sub(r"\1***", _PASSWORD_IN_URL.sub(r"\1***@", text)))


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log record of this process to the stream (stderr by default), one JSON object a line."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(Sampler())
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
