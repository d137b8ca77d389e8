"""A page of ops needs nothing new before it: another way in than the key, forms that are read, files of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from doorbuster.settings import Settings
from intake.pages.render import Pages
from intake.server.asgi import Headers, Scope
from intake.web.falcon_app import make_app
from intake.web.forms import form_of, go_to
from intake.web.ops_keys import OpsAuth
from intake.web.problems import Problems
from tests.fixtures.intake import Intake, Serve

SIGNED_IN = "ops=good"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Page:
    """A page as a later release may have one."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []

    async def on_get(self, _req: Any, resp: Any) -> None:
        resp.text = "sign in"

    async def on_post(self, req: Any, resp: Any) -> None:
        self.forms.append(form_of(req))
        go_to(resp, "/ops/page")


async def has_session(scope: Scope) -> float | None:
    cookies = [value for name, value in scope["headers"] if name == b"cookie"]
    return None if SIGNED_IN.encode() in cookies else 0.0


def sign_in_page(scope: Scope, _code: str) -> tuple[bytes, Headers] | None:
    accepted = [value for name, value in scope["headers"] if name == b"accept"]
    return (b"please sign in", [(b"content-type", b"text/html")]) if b"text/html" in accepted else None


@pytest.fixture
async def intake(serve: Serve) -> Intake:
    return await serve()


@pytest.fixture
def page(intake: Intake) -> Page:
    made = Page()
    app = make_app(Problems(1, lambda _code: None))
    app.add_route("/ops/page", made)
    app.add_route("/ops/sign-in", made)
    before = intake.guard.ops_application
    assert isinstance(before, OpsAuth)
    intake.guard.ops_application = OpsAuth(
        app, *before.credentials, has_session, open_paths={"/ops/sign-in"}, page=sign_in_page
    )
    return made


@pytest.mark.parametrize("more", [{}, {"Sec-Fetch-Site": "same-origin"}], ids=["old browser", "browser"])
async def test_a_form_of_ops_is_read_like_any_other(intake: Intake, page: Page, more: dict[str, str]) -> None:
    sent = FORM | {"Cookie": SIGNED_IN} | more
    answer = await intake.http.post("/ops/page", content=b"do=pause&sale=friday", headers=sent)
    assert (answer.status_code, answer.headers["location"]) == (303, "/ops/page")
    assert page.forms == [{"do": "pause", "sale": "friday"}]


async def test_a_form_that_comes_in_pieces_is_read_whole(intake: Intake, page: Page) -> None:
    async def pieces() -> Any:
        for piece in (b"do=", b"pause&sale", b"=friday"):
            yield piece
            await asyncio.sleep(0)

    answer = await intake.http.post("/ops/page", content=pieces(), headers=FORM | {"Cookie": SIGNED_IN})
    assert (answer.status_code, page.forms) == (303, [{"do": "pause", "sale": "friday"}])


async def test_another_sites_form_is_refused(intake: Intake, page: Page) -> None:
    sent = FORM | {"Cookie": SIGNED_IN, "Sec-Fetch-Site": "cross-site"}
    assert (await intake.http.post("/ops/page", content=b"do=pause", headers=sent)).status_code == 403
    assert page.forms == []


async def test_a_form_is_bounded(intake: Intake, page: Page) -> None:
    sent = FORM | {"Cookie": SIGNED_IN}
    answer = await intake.http.post("/ops/page", content=b"do=" + b"x" * 17_000, headers=sent)
    assert (answer.status_code, answer.json()["code"], page.forms) == (413, "too_large", [])


async def test_key_and_session_both_open_the_door(intake: Intake, page: Page) -> None:
    assert (await intake.ops.get("/ops/page")).status_code == 200
    assert (await intake.http.get("/ops/page", headers={"Cookie": SIGNED_IN})).status_code == 200
    refused = await intake.http.get("/ops/page", headers={"Cookie": "ops=bad"})
    assert (refused.status_code, refused.json()["code"]) == (401, "ops_key_required")


async def test_who_may_sign_in_is_let_to_that_page_alone(intake: Intake, page: Page) -> None:
    assert (await intake.http.get("/ops/sign-in")).text == "sign in"
    shown = await intake.http.get("/ops/page", headers={"Accept": "text/html"})
    assert (shown.status_code, shown.text) == (401, "please sign in")
    assert (await intake.http.post("/ops/sign-in", content=b"key=x", headers=FORM)).status_code == 303
    assert page.forms == [{"key": "x"}]


async def test_a_form_to_what_takes_json_is_still_told_so(intake: Intake) -> None:
    answer = await intake.ops.post("/ops/sales", content=b"sale_id=friday", headers=FORM)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("role", ["all", "public", "ops"])
async def test_every_listener_serves_the_files_of_pages(serve: Serve, settings: Settings, role: str) -> None:
    intake = await serve(role=role)
    files = Pages(settings.room_pages).static_files
    answer = await intake.http.get(f"{files.address}/room.css")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert (await intake.http.get(f"{files.address}/none.css")).status_code == 404
