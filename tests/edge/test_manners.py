"""RFC 9112 to the letter where it matters: hosts, codings, versions, dates, methods, half-closed connections."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import pytest

from tests.fixtures.intake import Intake, Serve
from tests.fixtures.raw import ORDER_BODY, Answer, Raw, chunked, get, order
from tests.fixtures.visitors import open_room
from tests.fixtures.waiting import own_time

pytestmark = pytest.mark.versions

HEAD = b"POST /sales/sale/orders HTTP/1.1\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\n"
TAIL = b"Content-Length: %d\r\n\r\n" % len(ORDER_BODY) + ORDER_BODY


@pytest.mark.parametrize("path", ["/healthz", "/products/hot", "/sales/sale/orders"])
async def test_one_host_and_no_other(shop: Intake, path: str) -> None:
    for hosts in ([], ["a", "a"], ["a", "b"], ["a b"], ["a/b"], ["a@b"], ["a:b"], ["[::1"], ["http://a"], ["\xe4"]):
        lines = "".join(f"Host: {host}\r\n" for host in hosts).encode("latin-1")
        begin = (
            HEAD + lines + TAIL if path.endswith("orders") else f"GET {path} HTTP/1.1\r\n".encode() + lines + b"\r\n"
        )
        async with Raw(shop.port) as raw:
            await raw.send(begin)
            answer = await raw.answer()
            assert (answer.status, answer.code) == (400, "malformed"), hosts
            assert await raw.rest() == []


async def test_whatever_is_a_host(shop: Intake) -> None:
    for host in ("", "a", "a:80", "a:", "[::1]:8000", "sub.shop.example", "10.0.0.1", "a_b", "x%20y"):
        async with Raw(shop.port) as raw:
            await raw.send(HEAD + f"Host: {host}\r\n".encode() + TAIL)
            assert (await raw.answer()).status == 202, host


async def test_an_old_client_needs_none(shop: Intake) -> None:
    async with Raw(shop.port) as raw:
        await raw.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert (await raw.answer()).status == 200
        assert await raw.rest() == []


CODINGS = [
    (["gzip, chunked"], 501), (["gzip"], 501), (["identity"], 501), (["deflate", "chunked"], 501),
    (["xchunked"], 501), (["gzip,chunked"], 501), (["chunked, chunked"], 400), (["chunked", "chunked"], 400),
    (["chunked, gzip"], 501), (["chunked,gzip"], 501), (["chunked", "gzip"], 501), (["gzip", "chunked"], 501),
    (["chunked, gzip, chunked"], 501), (["Chunked , GZip"], 501), (["chunked, identity"], 501), ([""], 400),
    (["chunked,"], 400), (["chunked", ""], 400), (["chunked x"], 501), (["chunked\t"], 400),
    (["chunked,\t"], 400), (["chunked;q=1"], 501), (["CHUNKED"], 202),
    ([" chunked "], 202),
]  # fmt: skip


async def test_codings_that_are_not_decoded(shop: Intake) -> None:
    for codings, status in CODINGS:
        lines = "\r\n".join(f"Transfer-Encoding: {coding}" for coding in codings)
        async with Raw(shop.port) as raw:
            await raw.send(chunked("k").replace(b"Transfer-Encoding: chunked", lines.encode()))
            assert (await raw.answer()).status == status, codings
            if status != 202:
                assert await raw.rest() == []


async def test_an_old_client_has_no_codings(shop: Intake) -> None:
    async with Raw(shop.port) as raw:
        await raw.send(chunked("k").replace(b"HTTP/1.1", b"HTTP/1.0") + get("/products/canary"))
        assert (await raw.answer()).status == 400
        assert await raw.rest() == []


async def test_other_versions(shop: Intake) -> None:
    sent = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /healthz\r\n\r\n"]
    for version in ("HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/1.2", "HTTP/9.9"):
        for method in ("GET", "POST"):
            head = f"{method} /sales/sale/orders {version}\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
            sent.append(head.encode())
    for request in sent:
        async with Raw(shop.port) as raw:
            await raw.send(request)
            answer = await raw.answer()
            assert (answer.status, answer.code) == (505, "version_not_supported"), request
            assert await raw.rest() == []


async def test_every_answer_has_its_date(shop: Intake) -> None:
    sent = [
        order("a"), order("a"), order("b", sale="none"), order("c", body=b"x"), get("/healthz"), get("/products/hot"),
        get("/nothing"), get("/openapi.json"), get("/ops/sales"), get("/sales/sale/orders", method="DELETE"),
        order("d", body=b" " * 20_000), get("/x", "a: " + "x" * 40_000), b"FOO\r\n\r\n", b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n", get("/", "Transfer-Encoding: gzip"), get("/products/hot", "If-None-Match: *"),
    ]  # fmt: skip
    for request in sent:
        async with Raw(shop.port) as raw:
            await raw.send(request)
            answer = await raw.answer()
            assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", answer.headers["date"]), (request, answer)
            parsedate_to_datetime(answer.headers["date"])


async def test_unknown_methods_are_alike(shop: Intake) -> None:
    found: dict[str, Answer] = {}
    for method in ("PURGE", "LINK", "UNLINK", "SEARCH", "PROPFIND", "TRACE", "MKCOL", "LOCK", "REPORT", "M-SEARCH",
                   "BIND", "SUBSCRIBE", "MERGE", "COPY", "ACL", "SOURCE", "QUERY"):  # fmt: skip
        for path in ("/products/hot", "/sales/sale/orders", "/healthz"):
            async with Raw(shop.port) as raw:
                await raw.send(get(path, method=method))
                found[f"{method} {path}"] = answer = await raw.answer()
                if answer.status == 405:
                    assert answer.code == "method_not_allowed"
                    assert answer.headers["allow"]
                    assert method in answer.body.decode()
                    await raw.send(get("/products/canary"))
                    assert (await raw.answer()).code == "product_not_found"
                else:
                    assert (answer.status, answer.code) == (501, "method_unknown")
    assert {answer.status for answer in found.values()} <= {405, 501}, found


async def test_absolute_targets(shop: Intake) -> None:
    for target, status in (
        ("http://shop", 200), ("http://shop?x=1", 200), ("http://shop/healthz", 200), ("http://shop:80/healthz?x", 200),
        ("https://shop/healthz", 200), ("*", 404),
    ):  # fmt: skip
        async with Raw(shop.port) as raw:
            await raw.send(get(target) + get("/products/canary"))
            answer, canary = await raw.answers(2)
            assert (answer.status, canary.code) == (status, "product_not_found"), target


async def test_an_order_by_an_absolute_target(shop: Intake) -> None:
    async with Raw(shop.port) as raw:
        await raw.send(order("k").replace(b" /sales", b" http://shop/sales", 1))
        assert (await raw.answer()).status == 202


async def test_validators_of_the_room(roomy: Intake) -> None:
    await open_room(roomy)
    etag = (await roomy.http.get("/sales/sale/room")).headers["etag"]
    for validator in ("*", f'"x", {etag}', etag):
        answer = await roomy.http.get("/sales/sale/room", headers={"If-None-Match": validator})
        assert answer.status_code == 304, validator


async def test_forms_of_many_fields(roomy: Intake) -> None:
    await open_room(roomy)
    for path in ("/sales/sale/wait", "/sales/sale/room/tickets"):
        for fields in (20, 21, 500):
            form = "&".join(f"f{n}=x" for n in range(fields))
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await roomy.http.post(path, content=form, headers=headers)
            assert answer.status_code < 500
            if fields > 20:
                assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


GARBAGE = {
    b"GARBAGE\r\n\r\n": 501,
    b"\x00\x01\x02": 501,
    b"GET / HTTP/1.1\r\nHost x\r\n\r\n": 400,
    b"GET / HTTP/2.0\r\n\r\n": 505,
    b"GET / HTTP/1.1\r\n\r\n": 400,
}


async def test_garbage_is_answered_behind_the_orders(shop: Intake) -> None:
    for garbage, status in GARBAGE.items():
        for before in (1, 3):
            async with Raw(shop.port) as raw:
                await raw.send(b"".join(order(f"g{n}") for n in range(before)) + garbage)
                answers = await raw.rest()
                assert [answer.status for answer in answers[:-1]] == [202] * before, garbage
                assert answers[-1].status == status, garbage
                assert answers[-1].headers["connection"] == "close"


async def test_garbage_in_a_body_ends_its_own_request_alone(shop: Intake) -> None:
    broken = chunked("broken").replace(b"0\r\n\r\n", b"zz\r\n")
    async with Raw(shop.port) as raw:
        await raw.send(order("before") + broken)
        answers = await raw.rest()
        assert [answer.status for answer in answers] == [202, 400]
    async with Raw(shop.port) as raw:
        await raw.send(order("before") + broken[:-30], broken[-30:])
        assert [answer.status for answer in await raw.rest()] == [202, 400]


HALF_CLOSED = [
    ([order("e")], [202]), ([order("e") + order("f")], [202, 202]), ([get("/products/hot")], [200]),
    ([get("/openapi.json") * 20], [200] * 20), ([order("e"), get("/products/hot") * 30], [202] + [200] * 30),
    ([order("e", "Prefer: wait=1")], [202]), ([order("e") + b"GET / HT"], [202]), ([order("e")[:-3]], []),
    ([order("e") + chunked("f")[:-9]], [202]), ([b"GET /"], []), ([order("e") + b"xx\r\n\r\n"], [202, 501]),
]  # fmt: skip


async def test_who_closes_its_sending_half_gets_its_answers(shop: Intake) -> None:
    for sent, statuses in HALF_CLOSED:
        async with Raw(shop.port) as raw:
            await raw.send(*sent)
            raw.writer.write_eof()
            assert [answer.status for answer in await raw.rest()] == statuses, sent


async def test_a_stream_ends_with_its_reader(serve: Serve) -> None:
    intake = await serve()
    await intake.open_sale()
    placed = (await intake.post("sale")).json()["order_id"]
    async with Raw(intake.port) as raw:
        await raw.send(get(f"/orders/{placed}/events"))
        assert (await raw.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert intake.guard.waiting == 1
        raw.writer.write_eof()
        async with own_time(10):
            assert b"accepted" not in await raw.reader.read()
