"""Whatever transfer codings are let through, the parser ends the body where its chunks end."""

from __future__ import annotations

import itertools

import httptools

from intake.server.connection.framing import fault_of

_PARTS = (b"chunked", b"Chunked", b"gzip", b",", b" ", b"\t", b";q=1")


class _Seen:
    def __init__(self) -> None:
        self.head: list[tuple[bytes, bytes]] = []
        self.body, self.ended = b"", False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.head.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended = True


def test_what_is_let_through_is_decoded() -> None:
    passed = 0
    for size in (1, 2, 3, 4):
        for parts in itertools.product(_PARTS, repeat=size):
            seen = _Seen()
            parser = httptools.HttpRequestParser(seen)
            parser.set_dangerous_leniencies(lenient_data_after_close=True, lenient_transfer_encoding=True)
            codings = b"".join(parts)
            head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: " + codings + b"\r\n\r\n"
            try:
                parser.feed_data(head + b"1\r\nx\r\n0\r\n\r\n")
            except httptools.HttpParserError:
                continue
            if fault_of("1.1", seen.head) is None:
                passed += 1
                assert (seen.body, seen.ended) == (b"x", True), codings
    assert passed > 10
