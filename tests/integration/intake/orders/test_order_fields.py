"""What an order says beyond its lines: metadata of lines, identities. It comes back, or is not to be found."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from doorbuster import keys
from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop

ENGRAVED = {"engraving": "A & \u00fc", "gift": [1, None]}
LINES: list[dict[str, Any]] = [
    {"product_id": "lamp", "quantity": 1, "metadata": ENGRAVED},
    {"product_id": "rug", "quantity": 2},
]
IDENTITIES = {"email": "Ada.Secret+1@gmail.com", "card": "4242 4242", "address": "1 Hidden St.", "device": "d-1"}
PATHS: dict[str, dict[str, str]] = {"fast": {}, "full": {"Content-Type": "application/json; charset=utf-8"}}


@pytest.fixture
async def sale(intake: Intake, shop: Shop) -> Intake:
    made = await intake.open_sale("sale", "lamp", "rug")
    for product in ("lamp", "rug"):
        await intake.make_product(product, units=9)
    shop.sale_number = made["sale_number"]
    return intake


def carried(order: dict[str, Any]) -> list[Any]:
    return [line.get("metadata") for line in order["lines"]]


@pytest.mark.parametrize("path", PATHS)
async def test_what_a_line_carries_along_comes_back(sale: Intake, shop: Shop, path: str) -> None:
    taken = await sale.post("sale", lines=LINES, key="one", headers=PATHS[path])
    assert taken.status_code == 202, taken.text
    where = f"/orders/{taken.json()['order_id']}"
    before = (await sale.http.get(where)).json()
    assert carried(before) == [ENGRAVED, None]
    await shop.drain()
    after = (await sale.http.get(where)).json()
    assert (after["status"], carried(after)) == ("pending", [ENGRAVED, None])
    again = await sale.post("sale", lines=LINES, key="one", headers=PATHS[path])
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    other = [LINES[0] | {"metadata": {"engraving": "B"}}, LINES[1]]
    assert (await sale.post("sale", lines=other, key="one")).json()["code"] == "idempotency_conflict"


async def test_a_dead_letter_shows_it(sale: Intake, shop: Shop) -> None:
    order = (await sale.post("sale", lines=LINES, identities=IDENTITIES)).json()["order_id"]
    await shop.db.execute("alter table order_lines add constraint never check (quantity <> 2)")
    await shop.drain()
    letter = (await sale.ops.get("/ops/dead-letters")).json()["items"][0]
    assert letter["payload"]["lines"][0]["metadata"] == ENGRAVED
    assert letter["payload"]["identities"] == ["email", "card", "address", "device"]
    assert carried((await sale.http.get(f"/orders/{order}")).json()) == [ENGRAVED, None]
    whole = (await sale.ops.get(f"/ops/dead-letters/{letter['dead_letter_id']}")).json()
    assert not _found_in(base64.b64decode(whole["payload_base64"]))
    await shop.db.execute("alter table order_lines drop constraint never")


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ({"a": "x" * (1024 - 8)}, 202),
        ({"a": "x" * (1024 - 7)}, 422),
        ({"a": "\u00fc" * 509}, 422),
        ({"a": "\x00"}, 422),
        ({"a": 2**64}, 422),
        ("text", 422),
    ],
)
async def test_it_has_its_bound(sale: Intake, metadata: Any, status: int) -> None:
    answer = await sale.post("sale", lines=[LINES[1], LINES[0] | {"metadata": metadata}])
    assert answer.status_code == status, answer.text
    if status == 422 and metadata != {"a": 2**64}:
        assert answer.json()["errors"][0]["field"] == "lines[1].metadata"


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_of_an_identity_as_it_was_sent_is_kept(sale: Intake, shop: Shop, path: str) -> None:
    taken = await sale.post("sale", lines=LINES[1:], identities=IDENTITIES, key="one", headers=PATHS[path])
    assert taken.status_code == 202, taken.text
    entries = await shop.orders.xrange(keys.stream(shop.sale_number, 0))
    assert not _found_in(repr(entries).encode())
    await shop.drain()
    row = await shop.db.fetchrow("select o::text as whole, length(identities) as bytes from orders o")
    assert row is not None
    assert row["bytes"] == 4 * 17
    assert not _found_in(row["whole"].encode())
    shown = (await sale.http.get(f"/orders/{taken.json()['order_id']}")).text
    assert not _found_in(shown.encode())
    assert "identities" not in shown
    same = IDENTITIES | {"email": "adasecret@googlemail.com", "address": "1 hidden st"}
    again = await sale.post("sale", lines=LINES[1:], identities=same, key="one")
    assert (again.status_code, again.headers.get("Idempotency-Replayed")) == (202, "true"), again.text
    other = await sale.post("sale", lines=LINES[1:], identities=IDENTITIES | {"card": "4343"}, key="one")
    assert other.json()["code"] == "idempotency_conflict"


def _found_in(raw: bytes) -> list[bytes]:
    text = raw.lower()
    return [word for word in (b"secret", b"4242", b"hidden", b"d-1") if word in text]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"identities": {"phone": "1"}}, "identities.phone"),
        ({"identities": {"email": ""}}, "identities.email"),
        ({"identities": {"email": "  "}}, "identities.email"),
        ({"identities": {"device": "x" * 257}}, "identities.device"),
        ({"identities": {"card": 4242}}, "identities.card"),
        ({"identities": "ada"}, "identities"),
        ({"standby": "yes"}, "standby"),
    ],
)
async def test_what_is_wrong_is_named_and_not_repeated(sale: Intake, said: dict[str, Any], field: str) -> None:
    for headers in PATHS.values():
        refused = await sale.post("sale", lines=LINES, headers=headers, **said)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field), refused.text
        assert "4242" not in refused.text
