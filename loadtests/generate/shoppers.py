"""Shoppers: the bytes of their requests, made ahead of sending. Owns the request's form; never opens a connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

from loadtests.traffic.plan import Mix

_BLOCK = 4_096

_HEAD = (
    b"POST %b HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\n"
    b"Idempotency-Key: %b\r\n%bContent-Length: %d\r\n\r\n%b"
)


def requests(mix: Mix, host: str) -> Iterator[bytes]:
    """Yield one request after another without end; the same mix gives the same requests."""
    start = 0
    while True:
        yield from _sent(mix, host, _bodies(mix, start), start)
        start += _BLOCK


def given(mix: Mix, host: str, bodies: list[bytes]) -> Iterator[bytes]:
    """Yield the requests of these bodies, the n-th with the n-th key."""
    return _sent(mix, host, bodies, 0)


def _sent(mix: Mix, host: str, bodies: Iterable[bytes], start: int) -> Iterator[bytes]:
    path, host_bytes, prefix = mix.path.encode(), host.encode(), mix.prefix.encode()
    leave = [b"Authorization: Bearer %b\r\n" % admission.encode() for admission in mix.admissions] or [b""]
    for number, body in enumerate(bodies, start):
        key = b"%b-%d" % (prefix, number)
        yield _HEAD % (path, host_bytes, key, leave[number % len(leave)], len(body), body)


def _bodies(mix: Mix, start: int) -> Iterator[bytes]:
    """Yield a block of bodies; drawing in blocks keeps the cost per request far below that of sending it."""
    random = Random(f"{mix.seed}/{mix.prefix}/{start}")
    first = random.choices(mix.products, mix.weights, k=_BLOCK)
    second = random.choices(mix.products, mix.weights, k=_BLOCK)
    more = [token + waits for token, waits in zip(_tokens(mix, random), _standing_by(mix, random), strict=True)]
    for offset in range(_BLOCK):
        pair = mix.second_line > 0 and random.random() < mix.second_line and first[offset] != second[offset]
        yield b'{"customer_id":"%b-%d","lines":[%b]%b%b}' % (
            mix.prefix.encode(),
            start + offset,
            b",".join(_line(product) for product in ((first[offset], second[offset]) if pair else (first[offset],))),
            more[offset],
            _people(mix, start + offset) if mix.people else b"",
        )


def _line(product: str) -> bytes:
    return b'{"product_id":"%b","quantity":1}' % product.encode()


def _people(mix: Mix, number: int) -> bytes:
    who = mix.prefix.encode(), number
    return b',"identities":{"email":"%b-%d@mail.example","card":"%b-%d","address":"%b %d","device":"%b-%d"}' % (who * 4)


def _standing_by(mix: Mix, random: Random) -> list[bytes]:
    if not mix.standby:
        return [b""] * _BLOCK
    return random.choices([b',"standby":true', b""], [mix.standby, 1.0 - mix.standby], k=_BLOCK)


def _tokens(mix: Mix, random: Random) -> list[bytes]:
    if not mix.tokens:
        return [b""] * _BLOCK
    fields = [b',"payment":{"token":"%b"}' % token.encode() for token in mix.tokens]
    plain = max(0.0, 1.0 - sum(mix.tokens.values()))
    return random.choices([*fields, b""], [*mix.tokens.values(), plain], k=_BLOCK)
