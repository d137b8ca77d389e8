"""With storefront keys set, what is bound to nobody needs a key too: an anonymous admission, an order's id alone."""

from __future__ import annotations

import httpx
import pytest

from doorbuster.errors import SettingsError
from doorbuster.settings import load_settings
from tests.fixtures.intake import Intake, Serve
from tests.fixtures.visitors import Browser, Visitor, open_room
from tests.fixtures.waiting import eventually

KEY = "a-storefront-key-for-tests"
KEYED = {"X-Storefront-Key": KEY}
WAIT = "/sales/sale/wait"


@pytest.fixture
async def keyed(serve: Serve, room_redis_url: str) -> Intake:
    return await serve(room_redis_url=room_redis_url, storefront_keys=KEY)


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


async def admission_of(intake: Intake, name: str, customer: str | None = None) -> str:
    visitor = Visitor(intake, "sale", name, {"customer_id": customer} if customer else {})
    joined = await visitor.join(headers=KEYED if customer else None)
    assert joined.status_code == 201, joined.text
    return await visitor.admitted()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("more", [{}, {"Prefer": "wait=0"}], ids=["fast path", "full path"])
async def test_an_anonymous_admission_orders_in_nobodys_name(keyed: Intake, more: dict[str, str]) -> None:
    await open_room(keyed)
    token = await admission_of(keyed, "mallory")
    for customer in ("ann", "bob"):
        refused = await keyed.post("sale", customer_id=customer, headers=bearer(token) | more)
        assert said(refused) == (401, "admission_required")
        assert "room" not in refused.json()
    wrong = await keyed.post("sale", customer_id="ann", headers=bearer(token) | {"X-Storefront-Key": KEY[:-1]} | more)
    assert said(wrong) == (401, "admission_required")
    vouched = await keyed.post("sale", customer_id="ann", headers=bearer(token) | KEYED | more)
    assert vouched.status_code == 202


async def test_it_orders_in_nobodys_name_either_while_no_admission_is_asked_for(keyed: Intake) -> None:
    await open_room(keyed)
    token = await admission_of(keyed, "mallory")
    bound = await admission_of(keyed, "ann", "ann")
    (await keyed.ops.patch("/ops/sales/sale", json={"room": {"mode": "safety_net"}})).raise_for_status()

    async def free() -> bool:
        return not (await keyed.http.get("/sales/sale/room")).json()["needs_admission"]

    await eventually(free)
    assert said(await keyed.post("sale", customer_id="ann", headers=bearer(token))) == (401, "admission_required")
    assert (await keyed.post("sale", customer_id="ann", headers=bearer(bound))).status_code == 202


async def test_an_order_is_shown_and_cancelled_to_whom_it_belongs(keyed: Intake) -> None:
    await open_room(keyed)
    ann, bob = await admission_of(keyed, "ann", "ann"), await admission_of(keyed, "bob", "bob")
    nobody = await admission_of(keyed, "mallory")
    accepted = await keyed.post("sale", customer_id="ann", headers=bearer(ann))
    path = accepted.headers["Location"]
    absent = "/orders/00000100-783a-87a7-ac3d-28c5383a4d5d"
    strangers: list[dict[str, str]] = [
        {}, bearer(bob), bearer(nobody), bearer("rubbish"), {"X-Storefront-Key": "another-storefront-key"},
        {"Cookie": "doorbuster_visitor=abcdefgh"},
    ]  # fmt: skip
    for headers in strangers:
        for order in (path, absent):
            assert said(await keyed.http.get(order, headers=headers)) == (401, "admission_required")
            assert said(await keyed.http.get(f"{order}/events", headers=headers)) == (401, "admission_required")
            assert said(await keyed.http.post(f"{order}/cancel", headers=headers)) == (401, "admission_required")
    assert said(await keyed.http.get(absent, headers=KEYED)) == (404, "order_not_found")
    assert (await keyed.http.get(path, headers=KEYED)).json()["customer_id"] == "ann"
    assert (await keyed.http.get(path, headers=bearer(ann))).json()["customer_id"] == "ann"
    # Only accepted yet: that it cannot be cancelled is what its owner is told.
    assert said(await keyed.http.post(f"{path}/cancel", headers=bearer(ann))) == (409, "illegal_transition")
    async with keyed.http.stream("GET", f"{path}/events", headers=KEYED) as stream:
        assert stream.status_code == 200
    assert (await keyed.ops.get(f"/ops{path}")).status_code == 200


async def test_a_browser_of_the_storefront_sees_its_own_order(keyed: Intake) -> None:
    await open_room(keyed)
    async with Browser(keyed) as browser, Browser(keyed) as other:
        await browser.open(WAIT)
        await browser.send(WAIT, do="join")

        async def let_in() -> bool:
            return (await browser.open(WAIT)).status_code == 303

        await eventually(let_in)
        bought = await browser.send("/shop/sale", product_id="hot", key="key")
        assert bought.status_code == 303, bought.text
        page = bought.headers["Location"]
        assert (await browser.open(page)).status_code == 200
        order = page.removeprefix("/shop/sale")
        assert (await browser.open(order)).status_code == 200
        await other.open("/shop/sale")
        assert (await other.open(page)).status_code == 401
        assert (await other.open(order)).status_code == 401


async def test_without_keys_an_id_is_enough(roomy: Intake) -> None:
    await open_room(roomy)
    token = await admission_of(roomy, "ann")
    accepted = await roomy.post("sale", customer_id="ann", headers=bearer(token))
    assert (await roomy.http.get(accepted.headers["Location"])).status_code == 200


@pytest.mark.parametrize("keys", ["a", f"{KEY},short", "fifteen-letters"])
def test_a_short_storefront_key_is_refused(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOREFRONT_KEYS", keys)
    with pytest.raises(SettingsError, match="STOREFRONT_KEYS: must have at least 16 characters") as caught:
        load_settings()
    assert "short" not in caught.value.detail.replace("characters", "")
