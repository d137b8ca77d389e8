"""What HTTP/1.1 asks of a head, beyond what the parser checks (RFC 9112). Owns those rules; knows no routes."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import httptools

if TYPE_CHECKING:
    from intake.server.asgi import Headers

log = logging.getLogger("doorbuster.intake.framing")

VERSIONS = frozenset({"1.1", "1.0"})
_HOST = re.compile(rb"(?:[\w.~!$&'()*+,;=%-]*|\[[0-9A-Za-z:.]+\])(?::\d*)?", re.ASCII)
_CHUNKED = re.compile(rb"[ ,]*chunked *", re.IGNORECASE)
"""What the parser decodes: with a comma or a tab behind it, it takes all that comes for the body."""
_CODES = {
    "Invalid HTTP version": "version_not_supported",
    "Pause on PRI/Upgrade": "version_not_supported",
}
"""What the parser says of heads that are not merely malformed."""


class FramingFault(NamedTuple):
    """Why a message cannot be read: the problem's code and words for developers."""

    code: str
    detail: str


class FaultyError(Exception):
    """Ends a message from within the parser."""

    def __init__(self, fault: FramingFault) -> None:
        super().__init__(fault.detail)
        self.fault = fault


@lru_cache(maxsize=64)
def is_host(value: bytes | None) -> bool:
    """Say whether a Host header is there and is a host and perhaps a port (RFC 9112 section 3.2)."""
    return value is not None and _HOST.fullmatch(value) is not None


def fault_of(version: str, head: Headers) -> FramingFault | None:
    """Return what is wrong with a head that the parser let pass; None: nothing."""
    if version not in VERSIONS:
        return FramingFault("version_not_supported", "HTTP/1.1 and HTTP/1.0 are spoken here")
    hosts = [value for name, value in head if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        return FramingFault("malformed", f"HTTP/1.1 asks for one Host header; there are {len(hosts)}")
    if hosts and not is_host(hosts[0]):
        return FramingFault("malformed", "The Host header is no host")
    codings = [value for name, value in head if name == b"transfer-encoding"]
    return _fault_of_codings(version, b",".join(codings)) if codings else None


def _fault_of_codings(version: str, codings: bytes) -> FramingFault | None:
    if version == "1.0":
        return FramingFault("malformed", "HTTP/1.0 has no Transfer-Encoding")
    if _CHUNKED.fullmatch(codings):
        return None
    named = [coding.strip().lower() for coding in codings.split(b",")]
    if any(coding not in (b"", b"chunked") for coding in named):
        return FramingFault("coding_not_supported", "Of the transfer codings only chunked is decoded here")
    return FramingFault("malformed", "A body is chunked once, and nothing stands behind that")


def fault_in(error: Exception, cause: BaseException | None) -> FramingFault:
    """Return the fault behind an error of the parser; `cause` is what happened within it, if anything did."""
    if isinstance(cause, FaultyError):
        return cause.fault
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        return FramingFault("method_unknown", "There is no such method")
    if isinstance(error, httptools.HttpParserCallbackError) and not isinstance(cause, httptools.HttpParserError):
        log.error("request reading failed: internal error", exc_info=cause)
        return FramingFault("internal", "The cause is in the log of the server")
    reason = str(cause or error)
    return FramingFault(_CODES.get(reason, "malformed"), f"This is no request of HTTP/1.1: {reason}")


def size_of(url: bytes, head: Headers) -> int:
    """Return about how many bytes a head has: exactly, but for spaces that the parser leaves out."""
    return len(url) + 16 + sum(len(name) + len(value) + 4 for name, value in head)


def without_upgrade(method: bytes, url: bytes, version: str, head: Headers) -> bytes:
    """Return a head as it would be had it not asked for another protocol: a server may ignore that (RFC 9110 7.8)."""
    lines = [b"%b %b HTTP/%b" % (method, url, version.encode())]
    for name, value in head:
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            kept = b", ".join(option for option in options if option and option.lower() != b"upgrade")
            if kept:
                lines.append(b"connection: " + kept)
        elif name != b"upgrade":
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])
