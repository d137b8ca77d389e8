"""What people see when something is wrong: pages that heal themselves; programs still get JSON."""

from __future__ import annotations

import re

import pytest
from pydantic import SecretStr

from doorbuster.settings import Settings
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.visitors import Browser, heading
from tests.fixtures.waiting import eventually
from tests.integration.intake.pages.test_demo_shop import SHOP, fields

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
NOBODY = "00000100-783a-87a7-ac3d-28c5383a4d5d"


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/shop/none",
        "/sales/none/wait",
        f"/shop/sale/orders/{NOBODY}",
        "/shop/sale/orders/x",
        "/orders/x",
    ],
)
async def test_a_wrong_address_is_a_page_for_people_and_json_for_programs(intake: Intake, path: str) -> None:
    await intake.open_sale()
    async with Browser(intake, Accept=BROWSER) as browser:
        page = await browser.open(path)
    assert (page.status_code, heading(page)) == (404, "There is nothing here")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert '<a href="/">' in page.text
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5"):
        answer = await intake.http.get(path, headers={"Accept": accept})
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == 404


async def test_other_problems_are_pages_too(intake: Intake) -> None:
    await intake.open_sale()
    async with Browser(intake, **{"Accept-Language": "de"}) as browser:
        wrong = await browser.http.delete(SHOP)
        assert (wrong.status_code, heading(wrong)) == (405, "Das hat nicht geklappt")
        large = await browser.send(SHOP, key="k" * 20_000)
        assert large.status_code == 413
        ops = await browser.open("/ops/sales")
        assert ops.headers["Content-Type"] == "application/problem+json"


async def test_postgres_away_after_buying_says_that_the_order_is_here_and_heals(
    serve: Serve, settings: Settings
) -> None:
    with Proxy(settings.database_url.get_secret_value()) as proxy:
        intake = await serve(database_url=SecretStr(proxy.url), store_timeout_s=2)
        await intake.open_sale()
        async with Browser(intake, Accept=BROWSER) as browser, Browser(intake, Accept=BROWSER) as other:
            form = fields(await browser.open(SHOP))
            proxy.cut()
            bought = await browser.send(SHOP, **form)
            assert bought.status_code == 303
            address = bought.headers["Location"]
            for one in (browser, other):
                page = await one.open(address)
                assert page.status_code == 503
                assert re.fullmatch(r"We have your order [0-9A-Z]{4}", heading(page))
                assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page.text
                assert 'data-again="5"' in page.text
            unknown = await browser.open(f"/shop/sale/orders/{NOBODY}")
            assert (unknown.status_code, heading(unknown)) == (503, "We cannot look up order MKAX right now")
            proxy.mend()

            async def healed() -> bool:
                return (await browser.open(address)).status_code == 200

            await eventually(healed)
            assert heading(await browser.open(address)) == heading(page)


async def test_a_process_that_never_knew_the_sale_says_it_too(serve: Serve, settings: Settings) -> None:
    first = await serve()
    await first.open_sale()
    with Proxy(settings.database_url.get_secret_value()) as proxy:
        second = await serve(database_url=SecretStr(proxy.url), store_timeout_s=2)
        async with Browser(first, Accept=BROWSER) as browser:
            bought = await browser.send(SHOP, **fields(await browser.open(SHOP)))
            proxy.cut()
            page = await browser.http.get(f"http://127.0.0.1:{second.port}{bought.headers['Location']}")
            assert page.status_code == 503
            assert "We have your order" in heading(page)
            shop = await browser.http.get(f"http://127.0.0.1:{second.port}{SHOP}")
            assert (shop.status_code, heading(shop)) == (503, "We will be right back")
            assert 'http-equiv="refresh"' in shop.text


async def test_a_process_with_too_much_to_do_shows_a_page(serve: Serve) -> None:
    intake = await serve(in_flight_max=1)
    await intake.open_sale()
    intake.guard.in_flight = 1
    async with Browser(intake, Accept=BROWSER, **{"Accept-Language": "es"}) as browser:
        page = await browser.open(SHOP)
        program = await intake.http.get(SHOP)
    intake.guard.in_flight = 0
    assert (page.status_code, heading(page)) == (503, "Ahora mismo hay mucha gente")
    assert page.headers["Retry-After"]
    assert 'http-equiv="refresh"' in page.text
    assert program.json()["code"] == "overloaded"


async def test_the_house_has_a_door(intake: Intake) -> None:
    async with Browser(intake, Accept=BROWSER) as browser:
        assert "There is no sale right now" in (await browser.open("/")).text
        await intake.open_sale("now", name="Friday sale")
        await intake.open_sale("secret", name="Not told", starts_at="2099-01-01T00:00:00Z")

        async def listed() -> bool:
            return 'href="/shop/now">Friday sale<' in (await browser.open("/")).text

        await eventually(listed)
        page = await browser.open("/")
    assert "Not told" not in page.text
    assert page.status_code == 200
