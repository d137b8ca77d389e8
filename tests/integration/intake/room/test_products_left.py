"""The room's status document says what is left of the sale's products, to everyone, in less than 2 KiB."""

from __future__ import annotations

from typing import Any

from tests.fixtures.intake import Intake
from tests.fixtures.visitors import open_room
from tests.fixtures.waiting import eventually


async def products(intake: Intake, sale: str = "sale") -> list[dict[str, Any]]:
    answer = await intake.http.get(f"/sales/{sale}/room")
    answer.raise_for_status()
    assert len(answer.content) < 2048
    found: list[dict[str, Any]] = answer.json()["products"]
    return found


async def test_price_and_what_is_left_as_it_changes(roomy: Intake) -> None:
    for product, units in {"many": 11, "few": 10, "none": 0}.items():
        await roomy.make_product(product, units=units)
    await open_room(roomy, products=[{"product_id": "few", "price": 5}, {"product_id": "none"}, {"product_id": "many"}])
    assert await products(roomy) == [
        {"product_id": "few", "price": 5, "currency": "EUR", "left": "few"},
        {"product_id": "none", "price": 100, "currency": "EUR", "left": "none"},
        {"product_id": "many", "price": 100, "currency": "EUR", "left": "many"},
    ]
    await roomy.make_product("none", units=1)

    async def has_come_back() -> bool:
        return [one["left"] for one in await products(roomy)] == ["few", "few", "many"]

    await eventually(has_come_back)


async def test_of_many_products_the_first_that_fit(roomy: Intake) -> None:
    names = [f"{'ü' * 60}{number:03}" for number in range(40)]
    for name in names:
        await roomy.make_product(name)
    await open_room(roomy, products=[{"product_id": name} for name in names], room={"message": "x" * 200})
    shown = [one["product_id"] for one in await products(roomy)]
    assert 0 < len(shown) < len(names)
    assert shown == names[: len(shown)]
