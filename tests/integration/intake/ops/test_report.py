"""`GET /ops/sales/{sale}/report`: who is answered what, and in which form."""

from __future__ import annotations

import csv
import io
import re

import msgspec

from db.connections.pool import Connection
from db.report import stored
from doorbuster.contract.night.report import SaleReport
from tests.fixtures.intake import Intake
from tests.fixtures.shop import Shop
from tests.fixtures.waiting import eventually

REPORT = "/ops/sales/sale/report"
HTML = {"Accept": "text/html"}


async def ordered(intake: Intake, shop: Shop) -> None:
    """Open a sale with two units, and sell them."""
    await intake.make_product(units=2)
    shop.sale_number = (await intake.open_sale())["sale_number"]
    for customer in ("ann", "bob", "cyd"):
        assert (await intake.post("sale", customer_id=customer)).status_code == 202
    await shop.drain()
    await shop.settle()


async def test_before_the_end_there_is_a_preview_alone(intake: Intake, shop: Shop) -> None:
    await ordered(intake, shop)
    refused = await intake.ops.get(REPORT)
    assert (refused.status_code, refused.json()["code"], refused.json()["phase"]) == (409, "sale_not_over", "open")
    preview = (await intake.ops.get(REPORT, params={"preview": "true"})).json()
    assert (preview["preview"], preview["sale"]["over_at"], preview["sale"]["phase"]) == (True, None, "open")
    assert (preview["totals"]["accepted"], preview["totals"]["confirmed"]) == (3, 2)


async def test_after_the_end_it_is_as_of_now_until_one_is_kept(intake: Intake, shop: Shop, db: Connection) -> None:
    await ordered(intake, shop)
    (await intake.ops.post("/ops/sales/sale/close")).raise_for_status()

    async def counted() -> bool:
        return (await intake.ops.get(REPORT)).json()["totals"]["offered"] == 3

    await eventually(counted, what="the counts of the last second")
    first = (await intake.ops.get(REPORT)).json()
    assert (first["preview"], first["settled"], first["totals"]["cancelled"]) == (False, True, {"sold_out": 1})
    assert await stored.get(db, shop.sale_number) is None, "asking writes nothing"
    over_at = await stored.over_at(db, shop.sale_number)
    assert over_at is not None

    kept = msgspec.convert(first, SaleReport)
    await stored.put(db, kept, over_at)
    assert (await intake.ops.get(REPORT)).json() == first
    fresh = (await intake.ops.get(REPORT, params={"fresh": "true"})).json()
    assert fresh["written_at"] > first["written_at"]
    assert fresh["totals"] == first["totals"]


async def test_the_minutes_are_csv_too(intake: Intake, shop: Shop) -> None:
    await ordered(intake, shop)
    (await intake.ops.post("/ops/sales/sale/close")).raise_for_status()
    answer = await intake.ops.get(REPORT, headers={"Accept": "text/csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert sum(int(row["accepted"]) for row in rows) == 3
    assert sum(int(row["confirmed"]) for row in rows) == 2
    assert {row["step_s"] for row in rows} == {"60"}
    assert set(rows[0]) >= {"at", "offered", "joined", "admitted", "refused", "cancelled"}


async def test_wrong_asking_is_refused(intake: Intake, shop: Shop) -> None:
    assert (await intake.ops.get("/ops/sales/none/report")).json()["code"] == "sale_not_found"
    await intake.open_sale()
    assert (await intake.ops.get(REPORT, params={"what": "x"})).status_code == 422
    wrong = await intake.ops.get(REPORT, params={"preview": "perhaps"})
    assert wrong.status_code in (400, 422)
    assert (await intake.http.get(REPORT)).status_code == 401


async def test_the_page_has_its_style_and_says_what_it_may_load(intake: Intake) -> None:
    await intake.open_sale()
    (await intake.ops.post("/ops/sales/sale/close")).raise_for_status()
    page = await intake.ops.get(REPORT, headers=HTML)
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; ")
    (address,) = re.findall(r'<link rel="stylesheet" href="([^"]+)">', page.text)
    style = await intake.http.get(address)
    assert (style.status_code, style.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    alone = await intake.ops.get(REPORT, headers=HTML, params={"standalone": "true"})
    assert "<link" not in alone.text
    assert style.text in alone.text
