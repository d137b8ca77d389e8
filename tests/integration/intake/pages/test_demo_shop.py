"""The storefront's page without a script: one order however often one presses, and only what is so."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from doorbuster import keys
from doorbuster.settings import Settings
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.visitors import Browser, heading, open_room
from tests.fixtures.waiting import eventually

SHOP, WAIT = "/shop/sale", "/sales/sale/wait"
LATER, EARLIER = "2099-01-01T18:00:00Z", "2020-01-01T00:00:00Z"


def fields(page: httpx.Response, product: str = "hot") -> dict[str, str]:
    """Return what the product's form would send."""
    for form in re.findall(r"<form method=\"post\".*?</form>", page.text, re.DOTALL):
        found = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
        if found.get("product_id") == product:
            return found
    raise AssertionError(page.text)


async def orders(redis: Redis, sale: dict[str, Any]) -> int:
    return int(await redis.xlen(keys.stream(sale["sale_number"], 0)))


async def test_after_a_lost_answer_the_same_button_buys_once(
    serve: Serve, settings: Settings, orders_redis: Redis
) -> None:
    with Proxy(settings.orders_redis_url.get_secret_value()) as proxy:
        intake = await serve(orders_redis_url=SecretStr(proxy.url), store_timeout_s=2)
        sale = await intake.open_sale("sale", "hot", "cold")
        async with Browser(intake) as browser:
            warm = await browser.send(SHOP, **fields(await browser.open(SHOP), "cold"))
            assert warm.status_code == 303
            proxy.lose_reply_to(b"EVALSHA")
            pressed = fields(await browser.open(SHOP))
            unknown = await browser.send(SHOP, **pressed)
            assert (unknown.status_code, "never buys twice" in unknown.text) == (503, True)
            again = fields(unknown)
            assert again["key"] == pressed["key"]
            assert fields(await browser.open(SHOP))["key"] == pressed["key"], "a page that is loaded anew has it too"
            ordered = await eventually(lambda: led_on(browser, again))
            assert await orders(orders_redis, sale) == 2
            assert (await browser.send(SHOP, **pressed)).headers["Location"] == ordered.headers["Location"]
            assert await orders(orders_redis, sale) == 2
            assert fields(await browser.open(SHOP))["key"] == pressed["key"], "the order's page may not have come"
            await browser.open(ordered.headers["Location"])
            another = fields(await browser.open(SHOP))
            assert another["key"] != pressed["key"], "who has seen the order may buy another one"
            assert (await browser.send(SHOP, **another)).headers["Location"] != ordered.headers["Location"]


async def led_on(browser: Browser, form: dict[str, str]) -> httpx.Response | None:
    answer = await browser.send(SHOP, **form)
    return answer if answer.status_code == 303 else None


async def test_while_there_is_too_much_to_do_the_key_stays(serve: Serve, orders_redis: Redis) -> None:
    intake = await serve(backlog_max=1)
    sale = await intake.open_sale("sale", "hot", "cold")
    assert (await intake.post("sale")).status_code == 202
    async with Browser(intake) as browser:
        pressed = fields(await browser.open(SHOP))
        for _ in range(3):
            refused = await browser.send(SHOP, **pressed)
            assert (refused.status_code, "never buys twice" in refused.text) == (503, True)
            assert fields(refused) == pressed
            assert fields(refused, "cold")["key"] != pressed["key"]
    assert await orders(orders_redis, sale) == 1


async def test_another_number_of_units_with_the_same_key_leads_to_the_first_order(
    intake: Intake, orders_redis: Redis
) -> None:
    sale = await intake.open_sale()
    async with Browser(intake) as browser:
        form = fields(await browser.open(SHOP))
        first = await browser.send(SHOP, **form, quantity="1")
        second = await browser.send(SHOP, **form, quantity="2")
        assert second.headers["Location"] == first.headers["Location"]
    assert await orders(orders_redis, sale) == 1


async def test_a_retry_is_offered_also_when_the_sale_has_ended_meanwhile(
    serve: Serve, settings: Settings, orders_redis: Redis
) -> None:
    with Proxy(settings.orders_redis_url.get_secret_value()) as proxy:
        intake = await serve(orders_redis_url=SecretStr(proxy.url), store_timeout_s=2)
        sale = await intake.open_sale("sale", "hot", "cold")
        other = await serve()
        async with Browser(intake) as browser:
            await browser.send(SHOP, **fields(await browser.open(SHOP), "cold"))
            pressed = fields(await browser.open(SHOP))
            (await other.ops.post("/ops/sales/sale/close")).raise_for_status()

            async def over() -> bool:
                return heading(await browser.open(SHOP)) == "The sale is over"

            await eventually(over)
            proxy.lose_reply_to(b"EVALSHA")
            page = await browser.send(SHOP, **pressed)
            assert (page.status_code, heading(page)) == (503, "The sale is over")
            assert fields(page) == pressed | {"quantity": "1"}, "nobody knows yet whether the order was taken"
            assert "takes no orders" in (await browser.send(SHOP, **fields(page))).text
    assert await orders(orders_redis, sale) == 1


async def test_quantity_limit_picture_and_text_of_products_in_the_order_given(intake: Intake) -> None:
    ids = [f"p{number:02}" for number in range(40)]
    for one in ids:
        await intake.make_product(one)
    body = {
        "name": "Kettle", "brand": "Acme", "category": "things", "price": 1500, "currency": "KWD",
        "description": "<p>Boils <b>fast</b>.</p><script>alert(1)</script><p>Cools &amp; keeps.</p>",
        "attributes": {"image": "https://images.example/kettle.jpg"},
    }  # fmt: skip
    (await intake.ops.put("/ops/products/p07", json=body)).raise_for_status()
    body |= {"name": "Other", "currency": "EUR", "attributes": {"image": "javascript:alert(1)"}}
    (await intake.ops.put("/ops/products/p08", json=body)).raise_for_status()
    listed = [{"product_id": "p07", "limit_per_customer": 3}]
    (await intake.ops.post("/ops/sales", json={"sale_id": "dinars", "products": listed})).raise_for_status()
    async with Browser(intake, **{"Accept-Language": "de-DE"}) as browser:
        page = await browser.open("/shop/dinars")
        assert "1,500\xa0KWD" in page.text
        assert "Boils fast. Cools &amp; keeps." in page.text
        assert "alert(1)" not in page.text
        assert 'src="https://images.example/kettle.jpg"' in page.text
        assert "img-src 'self' https://images.example;" in page.headers["Content-Security-Policy"]
        assert re.findall(r"<option value=\"(\d+)\"", page.text) == ["1", "2", "3"]
        assert "Höchstens 3 Stück pro Person" in page.text
    mixed = [{"product_id": one} for one in reversed(ids) if one != "p07"]
    (await intake.ops.post("/ops/sales", json={"sale_id": "many", "products": mixed})).raise_for_status()
    async with Browser(intake) as browser:
        page = await browser.open("/shop/many")
        assert len(re.findall(r'<li class="card offer">', page.text)) == 39
        sent = re.findall(r'name="product_id" value="(\w+)"', page.text)
        assert sent == [one["product_id"] for one in mixed], "in the order in which ops named them"
        mixed = [*mixed[5:], *mixed[:5]]
        (await intake.ops.patch("/ops/sales/many", json={"products": mixed})).raise_for_status()
        page = await browser.open("/shop/many")
        assert re.findall(r'name="product_id" value="(\w+)"', page.text) == [one["product_id"] for one in mixed]
        assert "javascript:" not in page.text


@pytest.mark.parametrize(
    ("currency", "language", "shown"),
    [
        ("KWD", "en-US", "KWD1.500"), ("XOF", "de-DE", "1.500\xa0F\u202fCFA"), ("HUF", "en-GB", "HUF15.00"),
        ("JPY", "ja-JP", "￥1,500"), ("EUR", "de-DE", "15,00\xa0€"), ("EUR", "fr-FR", "15,00\xa0€"),
        ("CLF", "en-GB", "CLF0.1500"), ("IQD", "en-GB", "IQD1.500"), ("INR", "en-IN", "₹15.00"),
    ],
)  # fmt: skip
async def test_amounts_have_their_currencys_decimals_in_the_visitors_locale(
    intake: Intake, currency: str, language: str, shown: str
) -> None:
    body = {"name": "Lamp", "brand": "Lux", "category": "Light", "price": 1500, "currency": currency}
    (await intake.ops.put("/ops/products/lamp", json=body)).raise_for_status()
    sale = {"sale_id": "sale", "products": [{"product_id": "lamp"}]}
    (await intake.ops.post("/ops/sales", json=sale)).raise_for_status()
    async with Browser(intake, **{"Accept-Language": language}) as browser:
        assert f'<p class="price">{shown}</p>' in (await browser.open(SHOP)).text


@pytest.mark.parametrize("room", [{"mode": "off"}, {"mode": "always", "lobby_opens_at": EARLIER}, {"mode": "always"}])
async def test_before_the_start_nothing_is_to_be_bought(
    serve: Serve, room_redis_url: str, room: dict[str, Any]
) -> None:
    intake = await serve(room_redis_url=room_redis_url)
    await intake.open_sale("sale", starts_at=LATER, room=room)
    async with Browser(intake) as browser:
        page = await browser.open(SHOP)
        assert heading(page) == "The sale has not started yet"
        assert "You are in" not in page.text
        assert "<form" not in page.text
        assert 'datetime="2099-01-01T18:00:00+00:00"' in page.text
        wait = await browser.open(WAIT)
        assert heading(wait) == ("Register before the start" if "lobby_opens_at" in room else "Not open yet")
        assert 'data-until="2099-01-01T18:00:00+00:00"' in wait.text


@pytest.mark.parametrize(("verb", "title"), [("hold", "paused"), ("drain", "closing"), ("close", "over")])
@pytest.mark.parametrize("mode", ["off", "always"])
async def test_every_page_knows_the_phase(serve: Serve, room_redis_url: str, verb: str, title: str, mode: str) -> None:
    intake = await serve(room_redis_url=room_redis_url)
    await intake.open_sale("sale", room={"mode": mode})
    (await intake.ops.post(f"/ops/sales/sale/{verb}")).raise_for_status()
    async with Browser(intake) as browser:
        for path in (SHOP, WAIT):

            async def said(path: str = path) -> bool:
                return title in heading(await browser.open(path))

            await eventually(said, what=path)
            page = await browser.open(path)
            assert f'<p class="phase" data-standing="{title}">' in page.text
            assert "You are in" not in page.text
            assert 'name="key"' not in page.text
            assert ("Join the queue" in page.text) == (path == WAIT and (verb, mode) == ("hold", "always"))
            assert '<a href="/">' in page.text, "there is a way on"


async def test_an_order_is_in_sight_and_a_spent_admission_offers_nothing(
    serve: Serve, room_redis_url: str, orders_redis: Redis
) -> None:
    intake = await serve(room_redis_url=room_redis_url)
    await open_room(intake)
    async with Browser(intake) as browser:
        await browser.open(WAIT)
        await browser.send(WAIT, do="join")

        async def is_in() -> bool:
            return (await browser.open(WAIT)).status_code == 303

        await eventually(is_in)
        page = await browser.open(SHOP)
        assert heading(page) == "You are in"
        assert "left to order" in page.text
        bought = await browser.send(SHOP, **fields(page))
        number = re.search(
            r"We have your order ([0-9A-HJKMNP-TV-Z]{4})", (await browser.open(bought.headers["Location"])).text
        )
        assert number
        page = await browser.open(SHOP)
        assert heading(page) == "Your order is placed"
        assert f'href="{bought.headers["Location"]}">Your order {number[1]}<' in page.text
        assert "<form" not in page.text

        async def finished() -> bool:
            return "your order is placed" in (await browser.open(WAIT)).text

        await eventually(finished)
        assert f"Your order {number[1]}" in (await browser.open("/")).text


async def test_who_ran_out_of_time_is_told_so(serve: Serve, room_redis_url: str) -> None:
    intake = await serve(room_redis_url=room_redis_url)
    await open_room(intake, room={"admission_s": 1})
    async with Browser(intake) as browser:
        await browser.open(WAIT)
        await browser.send(WAIT, do="join")

        async def is_in() -> bool:
            return (await browser.open(WAIT)).status_code == 303

        await eventually(is_in)

        async def ran_out() -> bool:
            return heading(await browser.open(SHOP)) == "Your time to shop ran out"

        await eventually(ran_out)

        async def told() -> bool:
            return "Your time to shop ran out" in (await browser.open(WAIT)).text

        await eventually(told)
