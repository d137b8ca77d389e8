"""The waiting page without a script: forms, cookies, redirects, languages, headers; and the storefront behind it."""

from __future__ import annotations

import re

import pytest
from redis.asyncio import Redis

from tests.fixtures.intake import Intake, Serve
from tests.fixtures.visitors import Browser, Visitor, heading, open_room
from tests.fixtures.waiting import eventually
from waitingroom.room import RoomConfig
from waitingroom.room_store import Room

SLOW = {"rate_per_s": 0.001, "burst": 1}
WAIT = "/sales/sale/wait"


async def test_join_wait_come_in_and_buy(roomy: Intake) -> None:
    await roomy.make_product(units=5)
    await open_room(roomy, room={"max_active": 1})
    first = Visitor(roomy, "sale", "first")
    await first.join()
    admission = await first.admitted()
    async with Browser(roomy) as browser:
        entrance = await browser.open(WAIT)
        assert (entrance.status_code, heading(entrance)) == (200, "Join the queue")
        joined = await browser.send(WAIT, do="join")
        assert (joined.status_code, joined.headers["Location"]) == (303, WAIT)
        waiting = await browser.open(WAIT)
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in waiting.text
        assert "Your number" in waiting.text
        assert (await first.order(admission, "k")).status_code == 202

        async def let_in() -> bool:
            return (await browser.open(WAIT)).status_code == 303

        await eventually(let_in)
        shop = await browser.open("/shop/sale")
        assert "You are in" in shop.text
        key = re.search(r'name="key" value="([^"]+)"', shop.text)
        assert key
        bought = await browser.send("/shop/sale", product_id="hot", key=key[1])
        assert bought.status_code == 303
        again = await browser.send("/shop/sale", product_id="hot", key=key[1])
        assert again.headers["Location"] == bought.headers["Location"]
        order = await browser.open(bought.headers["Location"])
        assert "Received" in order.text
        another = await browser.send("/shop/sale", product_id="hot", key="another")
        assert "as many orders as one admission allows" in another.text
    for page, script in ((waiting, "wait"), (order, "order")):
        assert '<noscript><meta http-equiv="refresh"' in page.text
        assert re.search(rf'<script src="[^"]*/{script}\.js"', page.text)
        assert "data-again" not in page.text, "that script keeps it up to date: it is not loaded anew beside it"


async def test_cookies_are_kept_from_scripts_and_other_sites(roomy: Intake) -> None:
    await open_room(roomy, room=SLOW)
    async with Browser(roomy, **{"X-Forwarded-Proto": "https"}) as browser:
        entrance = await browser.open(WAIT)
    async with Browser(roomy) as browser:
        await browser.open(WAIT)
        joined = await browser.send(WAIT, do="join")
    for line in (*entrance.headers.get_list("Set-Cookie"), *joined.headers.get_list("Set-Cookie")):
        assert "HttpOnly" in line
        assert "SameSite=Lax" in line
    assert "Secure" in entrance.headers["Set-Cookie"]


async def test_headers_let_nothing_foreign_in(roomy: Intake) -> None:
    await open_room(roomy, room={"order_url": "https://shop.example/buy"})
    async with Browser(roomy) as browser:
        page = await browser.open(WAIT)
        policy = page.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "form-action 'self' https://shop.example;" in policy
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert page.headers["Cache-Control"] == "no-store"
        assert not re.findall(r"(?:src|href|action)=\"(?:https?:)?//", page.text)
        assert not re.findall(r"<script(?![^>]*(?:src=|application/json))|\sstyle=|\son\w+=", page.text)
        for address in re.findall(r'(?:src|href)="(/room/static/[^"]+)"', page.text):
            file = await browser.open(address)
            assert "immutable" in file.headers["Cache-Control"]
        await browser.send(WAIT, do="join")

        async def sent_on() -> str:
            return (await browser.open(WAIT)).headers.get("Location", "")

        assert (await eventually(sent_on)).startswith("https://shop.example/buy#doorbuster_admission=a1.")


async def test_a_lost_place_cookie_costs_no_place(roomy: Intake) -> None:
    await open_room(roomy, room=SLOW)
    async with Browser(roomy) as browser:
        await browser.open(WAIT)
        await browser.send(WAIT, do="join")
        name = next(one for one in browser.http.cookies if one.startswith("doorbuster_place_"))
        before = browser.cookie(name)
        browser.http.cookies.delete(name)
        await browser.send(WAIT, do="join")
        assert browser.cookie(name) == before


async def test_a_place_moves_to_another_device_by_its_link(roomy: Intake) -> None:
    await open_room(roomy, room=SLOW)
    await Visitor(roomy, "sale", "first").join()
    async with Browser(roomy) as phone, Browser(roomy) as laptop:
        await phone.open(WAIT)
        await phone.send(WAIT, do="join")
        link = re.search(r'id="link" readonly value="([^"]+)"', (await phone.open(WAIT)).text)
        assert link
        assert "?" not in link[1]
        await laptop.open(WAIT)
        refused = await laptop.send(WAIT, do="move", place="https://elsewhere/#place=t1.0.x.y~z")
        assert "not a valid place" in refused.text
        assert (await laptop.send(WAIT, do="move", place=link[1])).status_code == 303
        shown = [re.search(r"Your number</dt><dd>(\d+)", (await one.open(WAIT)).text) for one in (phone, laptop)]
        assert [one[1] for one in shown if one] == ["2", "2"]
        await laptop.send(WAIT, do="leave")
        assert heading(await laptop.open(WAIT)) == "Join the queue"
        gone = await phone.open(WAIT)
        assert "You left the queue" in gone.text


async def test_forms_of_other_sites_are_refused(roomy: Intake) -> None:
    await open_room(roomy, room=SLOW)
    foreign = ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"})
    for headers in foreign:
        async with Browser(roomy) as browser:
            await browser.open(WAIT)
            refused = await browser.send(WAIT, headers, do="join")
            assert (refused.status_code, heading(refused)) == (403, "That did not work")
            assert not any(name.startswith("doorbuster_place") for name in browser.http.cookies)


async def test_a_browser_without_cookies_is_told(roomy: Intake) -> None:
    await open_room(roomy, room=SLOW)
    async with Browser(roomy) as browser:
        assert "refused a cookie" in (await browser.send(WAIT, do="join")).text


async def test_the_join_form_of_an_earlier_version_is_taken_where_programs_join(roomy: Intake) -> None:
    await open_room(roomy, room=SLOW)
    async with Browser(roomy) as browser:
        await browser.open(WAIT)
        joined = await browser.send("/sales/sale/room/tickets")
        assert (joined.status_code, joined.headers["Location"]) == (303, WAIT)
        assert "Your number" in (await browser.open(WAIT)).text


async def test_the_pages_forms_post_to_the_page(roomy: Intake) -> None:
    await open_room(roomy, room=SLOW | {"access_codes": [{"code": "friends-of-the-house", "quota": 5}]})
    async with Browser(roomy) as browser:
        entrance = await browser.open(WAIT)
        assert re.findall(r'<form method="post" action="([^"]+)"', entrance.text) == [WAIT, WAIT, WAIT]


@pytest.mark.parametrize(
    ("accepted", "language", "title"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de", "In die Warteschlange"),
        ("fr,es;q=0.8,en;q=0.2", "es", "Únete a la cola"),
        ("ja", "ja", "列に並ぶ"),
        ("fr", "en", "Join the queue"),
        ("de;q=0,en", "en", "Join the queue"),
        ("*;q=x,,;", "en", "Join the queue"),
    ],
)
async def test_it_speaks_the_visitors_language(roomy: Intake, accepted: str, language: str, title: str) -> None:
    await open_room(roomy, room=SLOW)
    async with Browser(roomy, **{"Accept-Language": accepted}) as browser:
        page = await browser.open(WAIT)
    assert heading(page) == title
    assert f'<html lang="{language}">' in page.text


async def test_what_ops_write_is_shown_as_text(roomy: Intake) -> None:
    await open_room(roomy, room=SLOW | {"message": "<script>alert(1)</script> & more"}, name="<b>Sale</b>")
    async with Browser(roomy) as browser:
        page = await browser.open(WAIT)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in page.text
    assert "<b>Sale" not in page.text


@pytest.mark.parametrize(
    ("change", "title"),
    [("sold_out", "Everything is sold out"), ("close", "The sale is over"), ("off", "No queue right now")],
)
async def test_it_says_when_waiting_is_of_no_use(roomy: Intake, room_redis: Redis, change: str, title: str) -> None:
    sale = await open_room(roomy, room={"mode": "safety_net"} if change == "off" else SLOW)
    async with Browser(roomy) as browser:
        await browser.open(WAIT)
        if change == "sold_out":
            room = Room(room_redis, lambda: RoomConfig(sale_number=sale["sale_number"], version=0))
            await room.note_sold_out(whole=True)
        elif change == "close":
            (await roomy.ops.post("/ops/sales/sale/close")).raise_for_status()

        async def said() -> bool:
            return heading(await browser.open(WAIT)) == title

        await eventually(said)


async def test_there_is_nothing_here(roomy: Intake) -> None:
    async with Browser(roomy) as browser:
        page = await browser.open("/sales/none/wait")
    assert (page.status_code, heading(page)) == (404, "There is nothing here")


async def test_pages_are_replaced_file_by_file(
    serve: Serve, room_redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("pages")
    for inner in ("templates", "texts", "static"):
        (folder / inner).mkdir()
    (folder / "texts" / "en.toml").write_text('join = "Line up"\n')
    (folder / "texts" / "fr.toml").write_text('welcome_title = "Rejoindre la file"\n')
    (folder / "static" / "room.css").write_text("body{color:red}")
    intake = await serve(room_redis_url=room_redis_url, room_pages=str(folder))
    await open_room(intake, room=SLOW)
    async with Browser(intake) as browser:
        page = await browser.open(WAIT)
        assert ">Line up</button>" in page.text
        style = re.search(r'href="([^"]+room\.css)"', page.text)
        assert style
        assert (await browser.open(style[1])).text == "body{color:red}"
    async with Browser(intake, **{"Accept-Language": "fr"}) as browser:
        french = await browser.open(WAIT)
        assert heading(french) == "Rejoindre la file"
        assert ">Line up</button>" in french.text
