"""Cookies as anybody may send them: ours are found among them, and no length of them costs more than its reading."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from intake.room.cookies import VISITOR, RememberedPlace, browser_of, place_from, place_of, value_of
from tests.fixtures.intake import Intake
from tests.fixtures.turns import Watch
from tests.fixtures.visitors import Browser, open_room

WAIT = "/sales/sale/wait"
NAME = VISITOR.encode()


def request(*lines: bytes) -> Any:
    return SimpleNamespace(scope={"headers": [(b"cookie", line) for line in lines]})


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"doorbuster_visitor=abcdefgh", "abcdefgh"),
        (b"a=1; doorbuster_visitor=abcdefgh; b=2", "abcdefgh"),
        (b"a=1;doorbuster_visitor=abcdefgh", "abcdefgh"),
        (b"doorbuster_visitor=abcdefgh; doorbuster_visitor=zzzzzzzz", "abcdefgh"),
        (b"xdoorbuster_visitor=abcdefgh", None),
        (b"doorbuster_visitor", None),
        (b"doorbuster_visitor=", None),
        (b'doorbuster_visitor="abcdefgh"', None),
        (b"doorbuster_visitor=ab\\143defgh", None),
        (b"doorbuster_visitor=\xff\xff\xff\xff\xff\xff\xff\xff", None),
        (b"doorbuster_visitor=" + b"a" * 5000, None),
    ],
)
def test_a_cookie_of_ours_is_found_as_it_was_set(line: bytes, found: str | None) -> None:
    assert value_of([(b"cookie", line)], NAME) == found


def test_a_cookie_may_stand_in_any_of_several_lines() -> None:
    browser = browser_of(request(b"a=1", b"doorbuster_visitor=abcdefgh"))
    assert browser is not None
    assert browser.value == "abcdefgh"


@pytest.mark.parametrize("secret", ["plain-secret_~", "with space;and, more", 'q"\\', "é☃", "place=x~y", "%41"])
def test_a_place_comes_back_from_its_cookie_whatever_its_secret(secret: str) -> None:
    place = RememberedPlace("t1.k.body.mark", secret)
    assert place_from(place.text()) == place
    assert place_of(request(f"doorbuster_place_7={place.text()}".encode()), 7) == place


def test_backslashes_cost_no_more_than_their_reading() -> None:
    # Unquoting 64 KiB of them takes several seconds in a Python without the fix of CVE-2024-7592.
    hostile = b'doorbuster_visitor="' + b"\\" * 65_536 + b'"'
    watch = Watch()
    for _ in range(10):
        assert browser_of(request(hostile)) is None
    assert watch.elapsed_s() < 0.5


async def test_pages_take_hostile_cookies_for_none(roomy: Intake) -> None:
    await open_room(roomy, room={"rate_per_s": 0.001})
    hostile = {"Cookie": 'doorbuster_visitor="' + "\\" * 8000 + '"; doorbuster_place_1="' + "\\" * 8000 + '"'}
    watch = Watch()
    for path in (WAIT, "/shop/sale"):
        answer = await roomy.http.get(path, headers=hostile | {"Accept": "text/html"})
        assert answer.status_code == 200
    assert watch.elapsed_s() < 1.0


async def test_a_place_with_any_secret_moves_into_a_browser(roomy: Intake) -> None:
    import hashlib

    await open_room(roomy, room={"rate_per_s": 0.001})
    secret = "naïve ☃; secret"
    body = {"visitor_id": "visitor-x", "secret_hash": hashlib.sha256(secret.encode()).hexdigest()}
    joined = (await roomy.http.post("/sales/sale/room/tickets", json=body)).json()
    async with Browser(roomy) as browser:
        moved = await browser.send(WAIT, do="move", place="#place=" + RememberedPlace(joined["ticket"], secret).text())
        assert moved.status_code == 303
        assert "Your number" in (await browser.open(WAIT)).text
