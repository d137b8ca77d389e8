"""Oddities of framing, and what each must come to: answered and read on behind it, or refused and closed."""

from __future__ import annotations

from typing import NamedTuple

from tests.fixtures.raw import ORDER_BODY

N = len(ORDER_BODY)
_BODY = ORDER_BODY.decode()
_CHUNK = f"{N:x}\r\n{_BODY}\r\n"


class Oddity(NamedTuple):
    """A message."""

    sent: bytes
    status: int
    is_end: bool
    """The connection is closed behind the answer; what follows is never taken for a request."""


def _message(line: str, *headers: str, body: str = "") -> bytes:
    return ("\r\n".join([line, *headers, "", ""]) + body).encode("latin-1")


def _post(*headers: str, body: str = _BODY) -> bytes:
    return _message(
        "POST /sales/sale/orders HTTP/1.1", "Host: shop", "Content-Type: application/json", "Idempotency-Key: odd",
        *headers, body=body,
    )  # fmt: skip


def _get(*headers: str, line: str = "GET /healthz HTTP/1.1", body: str = "") -> bytes:
    return _message(line, "Host: shop", *headers, body=body)


def _chunks(body: str, *headers: str) -> bytes:
    return _post("Transfer-Encoding: chunked", *headers, body=body)


LENGTH = f"Content-Length: {N}"

_TAKEN = {
    "plain": (_post(LENGTH), 202),
    "length with zeros before": (_post(f"Content-Length: 00{N}"), 202),
    "length in other case": (_post(f"cOnTeNt-LeNgTh: {N}"), 202),
    "length without a space": (_post(f"Content-Length:{N}"), 202),
    "length with spaces and tabs around": (_post(f"Content-Length: \t {N} \t"), 202),
    "no length": (_post(body=""), 400),
    "length zero": (_post("Content-Length: 0", body=""), 400),
    "chunked": (_chunks(_CHUNK + "0\r\n\r\n"), 202),
    "chunk size in capitals and zeros": (_chunks(f"00{N:X}\r\n{_BODY}\r\n000\r\n\r\n"), 202),
    "byte by byte in chunks": (_chunks("".join(f"1\r\n{c}\r\n" for c in _BODY) + "0\r\n\r\n"), 202),
    "chunk extensions": (_chunks(f'{N:x};a=b;c="d"\r\n{_BODY}\r\n0;e=f\r\n\r\n'), 202),
    "a trailer": (_chunks(_CHUNK + "0\r\nX-Sum: 1\r\n\r\n"), 202),
    "a trailer of framing": (_chunks(_CHUNK + "0\r\nX-Content-Length: 5\r\n\r\n"), 202),
    "no chunks": (_chunks("0\r\n\r\n"), 400),
    "chunked in other case": (_post("TRANSFER-ENCODING: Chunked", body=_CHUNK + "0\r\n\r\n"), 202),
    "an underscore in a name": (_post(LENGTH, "Transfer_Encoding: chunked"), 202),
    "a name that only begins alike": (_post(LENGTH, "Content-Length-: 5"), 202),
    "a name that only ends alike": (_post(LENGTH, "X-Transfer-Encoding: chunked"), 202),
    "blank lines before": (b"\r\n\r\n" + _post(LENGTH), 202),
    "a body of blank lines": (_post("Content-Length: 8", body="\r\n\r\n\r\n\r\n"), 400),
    "a body that is a request": (_post("Content-Length: 37", body="GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n"), 400),
    "get with a body": (_get("Content-Length: 5", body="12345"), 200),
    "get with chunks": (_get("Transfer-Encoding: chunked", body="5\r\n12345\r\n0\r\n\r\n"), 200),
    "get with a body that is a request": (_get("Content-Length: 23", body="GET /x HTTP/1.1\r\nHost: "[:23]), 200),
    "options": (_get(line="OPTIONS /healthz HTTP/1.1"), 200),
    "delete with a body": (_get("Content-Length: 3", line="DELETE /healthz HTTP/1.1", body="abc"), 405),
    "propfind with a body": (_get("Content-Length: 3", line="PROPFIND /healthz HTTP/1.1", body="abc"), 405),
    "purge with a body": (_get("Content-Length: 3", line="PURGE /healthz HTTP/1.1", body="abc"), 405),
    "an absolute target": (_get(line="GET http://other/healthz HTTP/1.1"), 200),
    "an absolute target without a path": (_get(line="GET http://other HTTP/1.1"), 200),
    "a target with a fragment": (_get(line="GET /healthz#x HTTP/1.1"), 200),
    "a target with two slashes": (_get(line="GET //healthz HTTP/1.1"), 200),
    "a target with dots": (_get(line="GET /a/../healthz HTTP/1.1"), 404),
    "an escaped slash": (_get(line="GET /%2fhealthz HTTP/1.1"), 200),
    "an escaped end of line": (_get(line="GET /x%0d%0aHost:%20y HTTP/1.1"), 404),
    "an upgrade": (_post("Connection: Upgrade", "Upgrade: h2c", LENGTH), 202),
    "an upgrade with chunks": (
        _post("Connection: Upgrade", "Upgrade: h2c", "Transfer-Encoding: chunked", body=_CHUNK + "0\r\n\r\n"), 202,
    ),
    "an upgrade without its option": (_post("Upgrade: h2c", LENGTH), 202),
    "the option without an upgrade": (_post("Connection: Upgrade", LENGTH), 202),
    "a length named as an option": (_post("Connection: Content-Length", LENGTH), 202),
    "expecting to go on": (_post("Expect: 100-continue", LENGTH), 202),
    "an empty header": (_get("X-Empty:"), 200),
    "bytes beyond ascii in a value": (_get("X-Name: \xe4\xff"), 200),
    "a hundred lines": (_get(*(f"a{n}: b" for n in range(99))), 200),
}  # fmt: skip

_REFUSED = {
    "two lengths": (_post(LENGTH, LENGTH), 400),
    "two lengths that differ": (_post(LENGTH, "Content-Length: 0"), 400),
    "a list of lengths": (_post(f"Content-Length: {N}, {N}"), 400),
    "a signed length": (_post(f"Content-Length: +{N}"), 400),
    "a negative length": (_post("Content-Length: -1"), 400),
    "a length in hexadecimal": (_post(f"Content-Length: 0x{N:x}"), 400),
    "a length with a fraction": (_post(f"Content-Length: {N}.0"), 400),
    "a length of spaces": (_post("Content-Length: 1 0"), 400),
    "an empty length": (_post("Content-Length:"), 400),
    "a length beyond numbers": (_post("Content-Length: 99999999999999999999"), 400),
    "a length in other digits": (_post("Content-Length: \xb2"), 400),
    "a space before the colon": (_post(f"Content-Length : {N}"), 400),
    "a folded line": (_post("X-Fold: a\r\n b", LENGTH), 400),
    "a folded length": (_post(f"Content-Length:\r\n {N}"), 400),
    "a line without a colon": (_post("X-None", LENGTH), 400),
    "a line without a name": (_post(": x", LENGTH), 400),
    "a name with a space": (_post("X Y: z", LENGTH), 400),
    "a name with a nul": (_post("X\x00: z", LENGTH), 400),
    "a value with a nul": (_post("X: a\x00b", LENGTH), 400),
    "a value with a bare return": (_post(f"X: a\rContent-Length: {N}"), 400),
    "a value with a bare line feed": (_post("X: a\nTransfer-Encoding: chunked", LENGTH), 400),
    "lines that end in line feeds": (_post(LENGTH).replace(b"\r\n", b"\n"), 400),
    "a head that ends in a line feed": (_get().replace(b"\r\n\r\n", b"\r\n\n"), 400),
    "length and chunks": (_chunks(_CHUNK + "0\r\n\r\n", LENGTH), 400),
    "chunks and length": (_post(LENGTH, "Transfer-Encoding: chunked", body=_CHUNK + "0\r\n\r\n"), 400),
    "gzip before chunked": (_post("Transfer-Encoding: gzip, chunked", body="0\r\n\r\n"), 501),
    "chunked before gzip": (_post("Transfer-Encoding: chunked, gzip", body="0\r\n\r\n"), 501),
    "chunked in two lines": (_post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body="0\r\n\r\n"), 400),
    "identity": (_post("Transfer-Encoding: identity", LENGTH), 400),
    "nearly chunked": (_post("Transfer-Encoding: xchunked", body="0\r\n\r\n"), 501),
    "quoted chunked": (_post('Transfer-Encoding: "chunked"', body="0\r\n\r\n"), 501),
    "a vertical tab before chunked": (_post("Transfer-Encoding: \x0bchunked", body="0\r\n\r\n"), 400),
    "a space behind the name of chunked": (_post("Transfer-Encoding : chunked", body="0\r\n\r\n"), 400),
    "a chunk size with a sign": (_chunks(f"+{N:x}\r\n{_BODY}\r\n0\r\n\r\n"), 400),
    "a chunk size with 0x": (_chunks(f"0x{N:x}\r\n{_BODY}\r\n0\r\n\r\n"), 400),
    "a chunk size with a space": (_chunks(f"{N:x} \r\n{_BODY}\r\n0\r\n\r\n"), 400),
    "a chunk size beyond numbers": (_chunks("f" * 17 + "\r\nx\r\n0\r\n\r\n"), 400),
    "an empty chunk size": (_chunks(f"\r\n{_BODY}\r\n0\r\n\r\n"), 400),
    "a chunk longer than its size": (_chunks(f"{N - 1:x}\r\n{_BODY}\r\n0\r\n\r\n"), 400),
    "chunk lines that end in line feeds": (_chunks(f"{N:x}\n{_BODY}\n0\n\n"), 400),
    "a chunk extension with a line feed": (_chunks(f"{N:x};a\nb\r\n{_BODY}\r\n0\r\n\r\n"), 400),
    "no host": (_message("GET /healthz HTTP/1.1"), 400),
    "two hosts": (_get("Host: shop"), 400),
    "a host with a path": (_message("GET /healthz HTTP/1.1", "Host: a/b"), 400),
    "old http with chunks": (_chunks(_CHUNK + "0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0", 1), 400),
    "http 2": (_get(line="GET /healthz HTTP/2.0"), 505),
    "http 1.2": (_get(line="GET /healthz HTTP/1.2"), 505),
    "http of two digits": (_get(line="GET /healthz HTTP/1.10"), 400),
    "no version": (b"GET /healthz\r\n\r\n", 505),
    "another protocol": (_get(line="GET /healthz FTP/1.1"), 400),
    "a target with a space": (_get(line="GET /heal thz HTTP/1.1"), 400),
    "a target with bytes": (_get(line="GET /\xe4 HTTP/1.1"), 400),
    "a target that is no path": (_get(line="GET healthz HTTP/1.1"), 400),
    "a tab behind the method": (_get(line="GET\t/healthz HTTP/1.1"), 501),
    "a space before the method": (_get(line=" GET /healthz HTTP/1.1"), 501),
    "a method in small letters": (_get(line="get /healthz HTTP/1.1"), 501),
    "no method known": (_get(line="FOO /healthz HTTP/1.1"), 501),
    "connect": (_get(line="CONNECT shop:443 HTTP/1.1"), 501),
    "a space before the first header": (_message("GET /healthz HTTP/1.1", " Host: shop"), 400),
    "closing": (_get("Connection: close"), 200),
    "closing among others": (_post("Connection: keep-alive, close", LENGTH), 202),
    "old http": (_get(line="GET /healthz HTTP/1.0"), 200),
    "a trailer of too many lines": (_chunks(_CHUNK + "0\r\n" + "a: b\r\n" * 101 + "\r\n"), 431),
    "too many lines": (_get(*(f"a{n}: b" for n in range(100))), 431),
}  # fmt: skip

ODDITIES = {name: Oddity(*case, is_end=False) for name, case in _TAKEN.items()} | {
    name: Oddity(*case, is_end=True) for name, case in _REFUSED.items()
}
