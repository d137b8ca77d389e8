"""Joining defence and the pages' small parts: challenges, texts, languages."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from doorbuster.errors import StoreUnavailableError
from intake.pages import render as pages
from intake.pages.locale import tongue_of
from intake.pages.render import Pages
from intake.room.browser import Browser
from intake.room.challenge import ChallengeAsked, ProofOfWork, Verifier
from intake.room.cookies import place_from
from tests.fixtures.files import files_under
from tests.fixtures.waiting import eventually

# Challenges.


def solve(salt: str, visitor: str, bits: int) -> str:
    for nonce in range(1 << 24):
        digest = hashlib.sha256(f"{salt}:{visitor}:{nonce}".encode()).digest()
        if int.from_bytes(digest, "big") >> (256 - bits) == 0:
            return f"{salt}:{nonce}"
    raise AssertionError("no solution")


def asked(sale: int, visitor: str, address: str = "", *, customer: str | None = None) -> ChallengeAsked:
    return ChallengeAsked(sale, visitor, customer, address)


async def test_a_proof_of_work_has_one_reading_of_its_parts() -> None:
    work = ProofOfWork(b"k" * 32, bits=8, window_s=60)
    salt = work.view(1).salt
    # Found for a nonce with a colon, one text would be a solution for every visitor id that its parts can be read as.
    _, _, nonce = solve(salt, "visitor:of:many", 8).rpartition(":")
    assert await work.passed(asked(1, "visitor:of:many"), f"{salt}:{nonce}")
    for visitor, rest in (("visitor", f"of:many:{nonce}"), ("visitor:of", f"many:{nonce}")):
        assert not await work.passed(asked(1, visitor), f"{salt}:{rest}")


async def test_a_proof_of_work_is_one_customers_where_customers_have_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intake.room.challenge.HELD_MAX", 2)
    work = ProofOfWork(b"k" * 32, bits=4, window_s=60)
    answer = solve(work.view(1).salt, "visitor", 4)
    for _ in range(2):
        assert await work.passed(asked(1, "visitor", customer="ann"), answer)
        assert not await work.passed(asked(1, "visitor", customer="bob"), answer)
    for name in ("one", "two", "three"):
        assert await work.passed(asked(1, name, customer="bob"), solve(work.view(1).salt, name, 4))


@pytest.mark.parametrize("nonce", ["", "1 2", "1\n", "é", "1:2", "9" * 65])
async def test_a_nonce_is_printable_without_colon_and_short(nonce: str) -> None:
    work = ProofOfWork(b"k" * 32, bits=1, window_s=60)
    assert not any([await work.passed(asked(1, f"visitor-{n}"), f"{work.view(1).salt}:{nonce}") for n in range(20)])


async def test_a_proof_of_work_is_one_visitors_in_one_sale_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr("intake.room.challenge.time.time", lambda: now[0])
    work = ProofOfWork(b"k" * 32, bits=8, window_s=60)
    answer = solve(work.view(1).salt, "ann", 8)
    assert await work.passed(asked(1, "ann"), answer)
    assert not await work.passed(asked(1, "bob"), solve(work.view(1).salt, "ann", 8) + "0")
    assert not await work.passed(asked(2, "ann"), answer)
    assert not await ProofOfWork(b"x" * 32, bits=8, window_s=60).passed(asked(1, "ann"), answer)
    for wrong in (None, "", ":", answer.partition(":")[0], f"{answer}{'0' * 100}", "é:1"):
        assert not await work.passed(asked(1, "ann"), wrong)
    now[0] += 60
    assert await work.passed(asked(1, "ann"), answer)
    now[0] += 60
    assert not await work.passed(asked(1, "ann"), answer)


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("said", "found"),
    [('{"success": true}', True), ('{"success": false}', False), ("[]", False), ("no json", None), (None, None)],
)
@pytest.mark.usefixtures("no_proxy")
async def test_a_verifier_elsewhere_is_asked(said: str | None, found: bool | None) -> None:
    posted: list[dict[str, list[str]]] = []
    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # given up before it was sent
            writer.close()
            return
        size = re.search(rb"content-length: (\d+)", head.lower())
        assert size
        posted.append(parse_qs((await reader.readexactly(int(size[1]))).decode()))
        if said is None:
            await reader.read()  # never answers; ends when the client gives up
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said.encode()))
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    verifier = Verifier(f"http://127.0.0.1:{port}/", "s3cret", site_key="site", timeout_s=0.3 if said is None else 30.0)
    try:
        assert not await verifier.passed(asked(1, "ann"), None)
        if found is None:

            async def is_asked_in_vain() -> bool:
                with pytest.raises(StoreUnavailableError):
                    await verifier.passed(asked(1, "ann", "203.0.113.7"), "token")
                return bool(posted)

            await eventually(is_asked_in_vain, what="the verifier to be asked before it is given up")
        else:
            assert await verifier.passed(asked(1, "ann", "203.0.113.7"), "token") is found
        assert posted == [{"secret": ["s3cret"], "response": ["token"], "remoteip": ["203.0.113.7"]}]
    finally:
        await verifier.close()
        await asyncio.gather(*(task for task in serving if task))
        server.close()
        await server.wait_closed()


# Pages.


def test_no_text_is_called_like_a_method_of_the_table_it_stands_in() -> None:
    assert not set(dir(dict)) & set(Pages(None).texts["en"])


def test_every_text_is_used() -> None:
    here = Path(pages.HERE)
    files = [path for pattern in ("*.html", "*.js", "*.py") for path in files_under(here, pattern)]
    everything = "\n".join(path.read_text("utf-8") for path in files)
    made = re.compile(r"problem_|step_|reason_|error_|now_|line_|payment_|parcel_|refund_|\w+_(?:title|text)$|language")
    unused = {name for name in Pages(None).texts["en"] if not made.match(name) and name not in everything}
    assert unused == set()


def test_long_headers_of_languages_cost_little() -> None:
    assert tongue_of("x," * 100_000 + "de", ("en", "de")).language == "en"


def test_a_browsers_secret_is_its_own_and_a_sales() -> None:
    ann, bob = Browser("a" * 32), Browser("b" * 32)
    made = {one.secret(key, sale) for one in (ann, bob) for key in (b"k", b"l") for sale in (1, 2)}
    assert len(made) == 8
    assert ann.value not in ann.visitor_id + ann.secret(b"k", 1)


@pytest.mark.parametrize("text", [None, "", "~", "t~", "~s", "ticket"])
def test_half_a_place_is_none(text: str | None) -> None:
    assert place_from(text) is None
