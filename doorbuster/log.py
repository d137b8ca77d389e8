"""Structured logs: one JSON object a line on stderr, with the order's and the sale's id where there is one.

Owns the format and the redaction of passwords in URLs; never logs by itself.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

import msgspec

_PASSWORD_IN_URL = re.compile(r"(\w+://[^\s:/@]*:)[^\s/@]+@")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; what was given as `extra` becomes fields (`order_id`, `sale_id`, ...)."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process_id": record.process,
        }
        fields |= {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return redact(msgspec.json.encode(fields, enc_hook=str).decode())


def redact(text: str) -> str:
    """Return the text without the passwords of the URLs in it."""
    return _PASSWORD_IN_URL.sub(r"\1***@", text)


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send every log record of this process to the stream (stderr by default), one JSON object a line."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for chatty in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
