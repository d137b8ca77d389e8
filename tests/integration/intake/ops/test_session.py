"""Signing in to the page of ops: the cookie, what ends it, and that no other site can use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from db.connections.pool import Connection
from doorbuster.settings import Settings
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.proxy import Proxy
from tests.fixtures.waiting import eventually
from tests.integration.intake.ops.test_keys import made, said

OPS_KEY = "key"


class Browser:
    """What a browser does: keeps cookies, and sends the page's token."""

    def __init__(self, intake: Intake) -> None:
        self.http = httpx.AsyncClient(base_url=intake.http.base_url, timeout=20, trust_env=False)
        self.csrf = ""

    async def sign_in(self, key: str, **more: Any) -> httpx.Response:
        answer = await self.http.post("/ops/session", json={"key": key} | more)
        if answer.status_code == 201:
            self.csrf = answer.json()["csrf"]
        return answer

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=body, headers={"X-CSRF-Token": self.csrf} | headers)


@pytest.fixture
async def browser(intake: Intake) -> AsyncIterator[Browser]:
    opened = Browser(intake)
    yield opened
    await opened.http.aclose()


@pytest.fixture
def ops_key(settings: Settings) -> str:
    return settings.ops_key.get_secret_value()


async def test_who_is_not_signed_in_is_shown_the_form_and_nothing_else(intake: Intake) -> None:
    answer = await intake.http.get("/ops/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<form id="sign-in"' in answer.text
    assert "app.js" not in answer.text
    assert (await intake.http.get("/ops", follow_redirects=True)).text == answer.text
    for path in ("/ops/sales", "/ops/status", "/ops/nothing"):
        assert said(await intake.http.get(path)) == (401, "ops_key_required")
    assert said(await intake.http.get("/ops/session")) == (401, "ops_key_required")


async def test_nothing_inline_and_nothing_from_elsewhere_may_run(intake: Intake) -> None:
    headers = (await intake.http.get("/ops/")).headers
    policy = headers["content-security-policy"]
    for part in ("default-src 'none'", "script-src 'self';", "style-src 'self';", "base-uri 'none'",
                 "frame-ancestors 'none'", "connect-src 'self'", "require-trusted-types-for 'script'"):  # fmt: skip
        assert part in policy
    assert "unsafe" not in policy
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


async def test_signing_in_gives_a_cookie_that_no_script_and_no_other_site_can_use(
    intake: Intake, browser: Browser, ops_key: str
) -> None:
    answer = await browser.sign_in(ops_key)
    assert answer.status_code == 201
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/ops/", "Max-Age=43200"):
        assert part in cookie
    assert "Secure" not in cookie
    assert ops_key not in cookie
    body = {"key": ops_key}
    over_tls = await intake.http.post("/ops/session", json=body, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in over_tls.headers["set-cookie"]
    shown = (await browser.http.get("/ops/session")).json()
    assert (shown["name"], shown["role"], shown["csrf"]) == ("OPS_KEY", "admin", answer.json()["csrf"])
    assert "app.js" in (await browser.http.get("/ops/")).text


async def test_a_wrong_key_signs_nobody_in(browser: Browser) -> None:
    for key in ("wrong", "dbops_wrong", "x" * 512):
        answer = await browser.sign_in(key)
        assert said(answer) == (401, "ops_key_required")
        assert "set-cookie" not in answer.headers


@pytest.mark.usefixtures("no_try_earned")
async def test_guessing_is_bounded_by_address(serve: Serve, ops_key: str) -> None:
    intake = await serve(ops_tries_per_address=2, trusted_proxies=("127.0.0.0/8",))
    them = {"X-Forwarded-For": "203.0.113.9"}
    tried = [await intake.http.post("/ops/session", json={"key": "wrong"}, headers=them) for _ in range(4)]
    assert [answer.status_code for answer in tried] == [401, 401, 429, 429]
    assert int(tried[-1].headers["retry-after"]) >= 1
    right = await intake.http.post("/ops/session", json={"key": ops_key}, headers=them)
    assert said(right) == (429, "rate_limited")  # not told apart from a wrong one
    assert (await intake.http.post("/ops/session", json={"key": ops_key})).status_code == 201


async def test_a_session_may_what_its_key_may(intake: Intake, browser: Browser) -> None:
    key = await made(intake, "eyes", "view")
    assert (await browser.sign_in(key["key"])).json()["role"] == "view"
    assert (await browser.http.get("/ops/sales")).status_code == 200
    assert said(await browser.post("/ops/keys", {"name": "x", "role": "view"})) == (403, "role_required")


async def test_what_changes_needs_the_page_s_token_by_cookie_and_never_with_a_key(
    intake: Intake, browser: Browser, ops_key: str
) -> None:
    await browser.sign_in(ops_key)
    body = {"name": "new", "role": "view"}
    other = Browser(intake)
    await other.sign_in(ops_key)
    for token in ("", "x", other.csrf):
        answer = await browser.post("/ops/keys", body, **{"X-CSRF-Token": token})
        assert said(answer) == (403, "csrf_invalid")
    from_elsewhere = await browser.post("/ops/keys", body, **{"Sec-Fetch-Site": "cross-site"})
    assert said(from_elsewhere) == (403, "csrf_invalid")
    assert (await browser.post("/ops/keys", body)).status_code == 201
    by_key = await browser.http.post(
        "/ops/keys", json=body | {"name": "other"}, headers={"Authorization": f"Bearer {ops_key}"}
    )
    assert by_key.status_code == 201
    log = (await intake.ops.get("/ops/audit")).json()["items"]
    assert [one["key_name"] for one in log] == ["OPS_KEY", "OPS_KEY"]
    await other.http.aclose()


async def test_another_site_can_neither_sign_in_nor_out(browser: Browser, ops_key: str) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    answer = await browser.http.post("/ops/session", json={"key": ops_key}, headers=foreign)
    assert said(answer) == (403, "csrf_invalid")
    await browser.sign_in(ops_key)
    assert said(await browser.http.delete("/ops/session")) == (403, "csrf_invalid")
    assert (await browser.http.get("/ops/session")).status_code == 200


async def test_signing_out_ends_the_session_wherever_its_cookie_is(
    serve: Serve, intake: Intake, browser: Browser, ops_key: str
) -> None:
    other = await serve()
    await browser.sign_in(ops_key)
    stolen = {"Cookie": f"doorbuster_ops={browser.http.cookies['doorbuster_ops']}"}
    assert (await other.http.get("/ops/status", headers=stolen)).status_code == 200
    answer = await browser.http.delete("/ops/session", headers={"X-CSRF-Token": browser.csrf})
    assert (answer.status_code, "doorbuster_ops=" in answer.headers["set-cookie"]) == (204, True)
    assert said(await intake.http.get("/ops/status", headers=stolen)) == (401, "ops_key_required")

    async def is_over() -> bool:
        return (await other.http.get("/ops/status", headers=stolen)).status_code == 401

    await eventually(is_over, what="another process to know that the session was signed out")
    assert (await browser.http.delete("/ops/session")).status_code == 204  # again is no fault


async def test_a_revoked_key_ends_its_sessions(intake: Intake, browser: Browser) -> None:
    key = await made(intake, "night", "operate")
    await browser.sign_in(key["key"])
    assert (await browser.http.get("/ops/sales")).status_code == 200
    await intake.ops.delete(f"/ops/keys/{key['key_id']}")

    async def is_over() -> bool:
        return (await browser.http.get("/ops/sales")).status_code == 401

    await eventually(is_over, what="the session of a revoked key to be over")
    assert '<form id="sign-in"' in (await browser.http.get("/ops/")).text


async def test_a_key_that_runs_out_ends_its_sessions(intake: Intake, browser: Browser, db: Connection) -> None:
    key = await made(intake, "night", "operate")
    await browser.sign_in(key["key"])
    await db.execute("update ops_keys set expires_at = clock_timestamp() where key_id = $1", key["key_id"])

    async def is_over() -> bool:
        return (await browser.http.get("/ops/sales")).status_code == 401

    await eventually(is_over, what="the session of a key that has run out to be over")


async def test_without_postgres_the_settings_session_goes_on_and_others_are_told_to_wait(
    serve: Serve, database_url: str, ops_key: str
) -> None:
    with Proxy(database_url) as proxy:
        intake = await serve(database_url=proxy.url)
        admin, night = Browser(intake), Browser(intake)
        await admin.sign_in(ops_key)
        await night.sign_in((await made(intake, "night", "operate"))["key"])
        proxy.cut()

        async def is_away() -> bool:
            return said(await night.http.get("/ops/nothing")) == (503, "store_unavailable")

        await eventually(is_away, within_s=10, what="the keys not to be known")
        assert (await admin.http.get("/ops/nothing")).status_code == 404
        for browser in (admin, night):
            assert "app.js" in (await browser.http.get("/ops/")).text  # the page, which says what does not answer
            await browser.http.aclose()


async def test_a_session_has_an_end(serve: Serve, browser: Browser, ops_key: str) -> None:
    await browser.sign_in(ops_key)
    value = browser.http.cookies["doorbuster_ops"]
    head, _, signature = value.rpartition(".")
    for forged in (f"{head}.{signature[::-1]}", f"{head}", value[:-1], "", "a.b", f"{value}x"):
        answer = await browser.http.get("/ops/status", headers={"Cookie": f"doorbuster_ops={forged}"})
        assert said(answer) == (401, "ops_key_required"), forged


async def test_another_ops_key_in_the_settings_ends_all_sessions(serve: Serve, browser: Browser, ops_key: str) -> None:
    await browser.sign_in(ops_key)
    cookie = {"Cookie": f"doorbuster_ops={browser.http.cookies['doorbuster_ops']}"}
    same, changed = await serve(), await serve(ops_key="another key of the settings")
    assert (await same.http.get("/ops/status", headers=cookie)).status_code == 200
    assert said(await changed.http.get("/ops/status", headers=cookie)) == (401, "ops_key_required")


async def test_a_wrong_body_is_told_by_field(browser: Browser) -> None:
    for body in ({}, {"key": ""}, {"key": 5}, {"key": "k", "totp": "12345"}, {"key": "k", "more": 1}):
        assert said(await browser.http.post("/ops/session", json=body)) == (422, "invalid"), body


@pytest.mark.parametrize("role", ["all", "ops"])
async def test_the_page_stands_where_ops_are_served(serve: Serve, role: str) -> None:
    intake = await serve(role=role)
    page = await intake.http.get("/ops/")
    assert page.status_code == 200
    [script] = [part.split('"')[1] for part in page.text.split("src=")[1:]]
    for path in (script, script.replace("sign_in.js", "views/system.js"), script.replace("sign_in", "uplot/uPlot.esm")):
        found = await intake.http.get(path)
        assert (found.status_code, found.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert (await intake.http.get(script.replace("sign_in.js", "none.js"))).status_code == 404


async def test_the_public_listener_has_no_such_page(serve: Serve) -> None:
    intake = await serve(role="public")
    for path in ("/ops/", "/ops", "/ops/session"):
        assert (await intake.http.get(path)).status_code == 404
